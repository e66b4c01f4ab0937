"""The rows of a source, and what became of them, add up: over restarts, bad rows and rows that repeat."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from json import loads
from pathlib import Path
from typing import Any

import pytest

from bus import Event, PublishReceipt, receipts_topic
from bus.receipts.receipts import (
    DELIVERY_COMMON,
    DELIVERY_ROW,
    PUBLISH_COMMON,
    PUBLISH_ROW,
    Group,
    encode_groups,
)
from bus.reconcile.account import EventAccount, account
from bus.reconcile.evidence import EvidenceReader
from bus.reconcile.row_counts import counts_in
from bus.testing import InMemoryBus, InMemoryCluster
from connectors import ConnectorConfig
from connectors.configuration.config import SourceConfig
from connectors.source_runner import SourceRunner
from contracts import Catalog
from tests.unit.connectors.country import (
    COLUMNS,
    EVENT,
    QUICK,
    TOPIC,
    business,
    configured,
    folder_source,
    header,
    make_register,
    publish_businesses,
    register_businesses,
    register_source,
    runner_of,
    until,
)
from tests.unit.connectors.test_runner import KilledError, die, step_once, steps


async def reconciled(cluster: InMemoryCluster, agency: str | None = None) -> EventAccount:
    """The account of yesterday to tomorrow."""
    today = datetime.now(UTC).date()
    days = (today - timedelta(days=1), today + timedelta(days=1))
    async with InMemoryBus("health", cluster=cluster) as bus:
        return account(await EvidenceReader(bus.transport, Catalog.open(), EVENT, days, agency=agency).read())


async def handle(cluster: InMemoryCluster, count: int) -> None:
    """Let the municipality handle so many events."""
    handled: list[str] = []
    bus = InMemoryBus("municipality", cluster=cluster)

    @bus.subscribe(EVENT, version=1, purpose="issue-business-permit", name="permits")
    async def take(event: Event[Any]) -> None:
        handled.append(event.id)

    async with bus:
        await until(lambda: len(handled) == count)


def file_of(folder: Path, *rows: tuple[str, ...]) -> ConnectorConfig:
    """A source of one file."""
    (folder / "inbox").mkdir()
    (folder / "inbox" / "a.csv").write_text("\n".join(",".join(row) for row in (COLUMNS, *rows)))
    return configured(folder, folder_source(folder))[0]


async def test_every_line_of_a_file_is_accounted_for(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """Published, or set aside with its place; and each event by each subscriber."""
    wrong = (*business(2)[:2], "empire", *business(2)[3:])
    await step_once(file_of(tmp_path, business(1), ("ragged",), wrong, business(4)), cluster)
    await handle(cluster, 2)
    found = await reconciled(cluster)
    assert found.differences == []
    (topic,), (source,) = found.topics, found.sources
    assert (topic.events, topic.receipts) == (2, 2)
    assert source.connector == "tax/business-files"
    assert (source.rows, source.published, source.set_aside) == (4, 2, 2)
    assert [(row.origin, row.reason) for row in found.set_aside] == [
        ("a.csv:3", "malformed-record"),
        ("a.csv:4", "contract-violation"),
    ]
    readers = {one.subscription: (one.handled, one.not_yet_read, one.lost) for one in found.subscribers}
    assert readers["municipality/permits"] == (2, 0, 0)
    assert {counts for name, counts in readers.items() if name != "municipality/permits"} <= {(0, 2, 0)}


async def test_rows_that_are_read_again_after_a_kill_count_once(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """Three rows and three events: of the transaction in which it was killed nobody saw anything."""
    config = file_of(tmp_path, business(1), business(2), ("ragged",), business(3))

    class Dying:
        async def load(self, _partition: str = "0") -> None:
            return None

        async def has_published(self, _partition: str = "0") -> bool:
            return False

        async def reread(self) -> None:
            return None

        save = staticmethod(die)

    with pytest.raises(KilledError):
        await step_once(config, cluster, _checkpoints=Dying())
    (killed,) = (await reconciled(cluster)).differences
    assert (killed.who, killed.where) == ("tax/business-files", "a.csv:4")
    assert killed.what == "its own count says 0 rows set aside, there are 1 dead letters"
    await step_once(config, cluster)
    found = await reconciled(cluster)
    assert found.differences == []
    assert (found.sources[0].rows, found.topics[0].events) == (4, 3)


async def test_rows_that_are_skipped_count_on_the_day_of_the_broker(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """The clock of the machine may be wrong; a day years ahead would take all others off the books as old."""
    config = file_of(tmp_path, business(1), business(2))
    assert isinstance(config, SourceConfig)
    day = datetime.now(UTC) + timedelta(days=3_000)
    async with InMemoryBus(config.agency, system=config.system, cluster=cluster) as bus:
        bus.transport.clock._offset_us += 3_000 * 86_400 * 1_000_000
        runner = SourceRunner(replace(config, translate=lambda _: None), bus, backoff=QUICK)
        await runner.connect()
        await steps(runner)
    (saved, *_) = [loads(record.value or b"") for record in cluster.records("tax.checkpoints")]
    assert [(row.day, row.fate, row.rows) for row in counts_in(saved)] == [(f"{day:%Y-%m-%d}", "skipped", 2)]


async def test_a_row_that_repeats_another_is_counted_as_that(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """Its event is the other's; the source is not one row short."""
    make_register(tmp_path / "register.db")
    register_businesses(tmp_path / "register.db", 1, 2, 1)
    content = register_source(tmp_path / "register.db")
    content["publish"] = {**content["publish"], "identity": ["$.reference", "$.registered_on"]}
    async with runner_of(configured(tmp_path, content), cluster) as runner:
        await until(lambda: runner.health()[0].counts["published"] == 3)
    found = await reconciled(cluster)
    assert found.differences == []
    (source,) = found.sources
    assert (source.rows, source.published, source.repeated) == (3, 2, 1)


async def test_a_receipt_that_is_missing_is_found(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """The event without it is named by its place, and so is the source whose count it breaks."""
    await step_once(file_of(tmp_path, business(1), business(2)), cluster)
    lost = cluster.records(TOPIC)[0]
    for log in cluster.log("tax.receipts"):
        log[:] = [record for record in log if header(lost, "ce_id").encode() not in (record.value or b"")]
    event, source = (await reconciled(cluster)).differences
    assert event.where == f"{TOPIC}/{lost.partition}/{lost.offset}"
    assert event.what == "an event without its publish receipt"
    assert source.what == "its own count says 2 rows published, 1 have a receipt"


async def test_an_agency_sees_its_own_part(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """A subscriber's scope has its deliveries and neither sources nor receipts of the publisher."""
    await step_once(file_of(tmp_path, business(1), business(2)), cluster)
    await handle(cluster, 2)
    found = await reconciled(cluster, "municipality")
    assert (found.sources, found.set_aside, found.differences) == ([], [], [])
    assert {one.subscription.partition("/")[0] for one in found.subscribers} == {"municipality"}
    assert (await reconciled(cluster, "tax")).sources[0].rows == 2


UNSOUND: list[dict[str, Any]] = [
    {"offset": "0"},
    {"topic": [TOPIC]},
    {"event_id": ["a"]},
    {"broker_time_us": "now"},
    {"subscription": {"name": "permits"}},
    {"partition": None},
    {"outcome": "perhaps"},
]


@pytest.mark.parametrize("wrong", UNSOUND)
async def test_a_receipt_that_is_none_ends_no_account(
    cluster: InMemoryCluster, wrong: dict[str, Any]
) -> None:
    """An agency writes what it likes to its topic: the events of others are compared all the same."""
    await publish_businesses(cluster, 1)
    await handle(cluster, 1)
    for receipt in cluster.receipts():
        kind, common, columns = (
            ("publish", PUBLISH_COMMON, PUBLISH_ROW)
            if isinstance(receipt, PublishReceipt)
            else ("delivery", DELIVERY_COMMON, DELIVERY_ROW)
        )
        told = {field.name: getattr(receipt, field.name) for field in fields(receipt)} | wrong
        group = Group(kind, tuple(told[name] for name in common), [tuple(told[name] for name in columns)])
        cluster.append(receipts_topic(receipt.agency), encode_groups([group]), partition=0)
    found = await reconciled(cluster)
    assert [(one.events, one.receipts) for one in found.topics] == [(1, 1)]
    assert [one.handled for one in found.subscribers if one.subscription.endswith("/permits")] == [1]
