"""Connectors run to the end of every path: nothing lost, nothing twice by id, wherever the process dies."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from pydantic import BaseModel

from bus import (
    AccessDeniedError,
    BusError,
    BusUnavailableError,
    Draft,
    Event,
    FencedError,
    PublishReceipt,
    Receipt,
    TopicMissingError,
    Transaction,
)
from bus.dead_letters.record import PREFIX
from bus.testing import InMemoryBus, InMemoryCluster
from connectors import (
    Batch,
    CheckpointReader,
    ConfigurationError,
    ConnectorConfig,
    EndOfSourceError,
    NotConnectedError,
    Runner,
    SourceConfig,
    SourceRecord,
    Translated,
)
from connectors.source_runner import SourceRunner
from connectors.turns import TURN_SECONDS
from tests.unit.connectors.country import (
    COLUMNS,
    EVENT,
    QUICK,
    TOPIC,
    business,
    configured,
    event_ids,
    folder_source,
    header,
    make_register,
    register_businesses,
    register_source,
    runner_of,
    until,
)
from tests.worlds import until as until_async

LETTERS = "tax.dead-letters"
CHECKPOINTS = "tax.checkpoints"


class KilledError(BaseException):
    """Stands for a process that dies at this point."""


async def step_once(config: ConnectorConfig, cluster: InMemoryCluster, **patch: Any) -> None:
    """Start a source anew and take steps until nothing is new, with some of its runner's parts replaced."""
    assert isinstance(config, SourceConfig)
    async with InMemoryBus(config.agency, system=config.system, cluster=cluster) as bus:
        runner = SourceRunner(config, bus, backoff=QUICK)
        for name, value in patch.items():
            setattr(runner, name, value)
        await runner.connect()
        await steps(runner)


async def steps(runner: SourceRunner) -> None:
    """Take steps until nothing is new."""
    for _ in range(6):
        await runner.step()
        await asyncio.sleep(0.02)


async def test_rows_become_events_with_their_service_and_transaction(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """Each row is one event of its system, and starts a transaction of its own."""
    file = tmp_path / "register.db"
    make_register(file)
    register_businesses(file, 1, 2)
    async with runner_of(configured(tmp_path, register_source(file)), cluster) as runner:
        await until(lambda: len(cluster.records(TOPIC)) == 2)
        register_businesses(file, 3)
        await until(lambda: len(cluster.records(TOPIC)) == 3)
        assert [health.state for health in runner.health()] == ["running"]
    records = cluster.records(TOPIC)
    assert {header(record, "ce_source") for record in records} == {"urn:govbus:tax:register"}
    assert {header(record, "ce_service") for record in records} == {"registering-a-business"}
    assert len({header(record, "ce_correlationid") for record in records}) == 3
    assert orjson.loads(records[0].value or b"")["seat"]["locality"] == "Upper Quay"
    assert [health.state for health in runner.health()] == ["stopped"]


async def test_a_version_past_its_last_day_stops_the_source(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """Nothing is set aside, so that its rows are published when the file names another version."""
    file = tmp_path / "register.db"
    make_register(file)
    register_businesses(file, 1, 2)
    contract = cluster.catalog.contract(EVENT)
    retired = replace(contract.version(1), sunset=date(2020, 1, 31))
    cluster.catalog = replace(
        cluster.catalog,
        contracts={**cluster.catalog.contracts, EVENT: replace(contract, versions=(retired,))},
    )
    async with runner_of(configured(tmp_path, register_source(file)), cluster) as runner:
        (health,) = runner.health()
        await until(lambda: health.state == "failed")
        assert "2020-01-31" in health.detail
    assert cluster.records(TOPIC) == []
    assert cluster.records("tax.dead-letters") == []


async def test_a_restart_publishes_nothing_again(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """The checkpoint survives in the cluster; a second process goes on behind it."""
    file = tmp_path / "register.db"
    make_register(file)
    register_businesses(file, *range(20))
    configs = configured(tmp_path, register_source(file, batch_size=3))
    async with runner_of(configs, cluster):
        await until(lambda: len(cluster.records(TOPIC)) == 20)
    register_businesses(file, 20)
    async with runner_of(configs, cluster):
        await until(lambda: len(cluster.records(TOPIC)) == 21)
        await asyncio.sleep(0.1)
    assert len(event_ids(cluster)) == len(set(event_ids(cluster))) == 21


async def test_a_large_batch_lets_others_run(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """Heartbeats, health and a stop have their turn while rows are translated and submitted."""
    rows, turns = 40, 0
    seen: dict[str, set[int]] = {"translate": set(), "submit": set()}
    make_register(file := tmp_path / "register.db")
    register_businesses(file, *range(rows))
    (config,) = configured(tmp_path, register_source(file, batch_size=rows))
    assert isinstance(config, SourceConfig)
    translate = config.translate
    assert translate is not None

    def slow_translate(record: SourceRecord) -> Translated | None:
        time.sleep(TURN_SECONDS / 4)
        seen["translate"].add(turns)
        return translate(record)

    async with InMemoryBus(config.agency, system=config.system, cluster=cluster) as bus:
        runner = SourceRunner(replace(config, translate=slow_translate), bus)
        submit = runner._submit_one

        def slow_submit(
            transaction: Transaction, record: SourceRecord, draft: Draft
        ) -> asyncio.Future[Receipt]:
            time.sleep(TURN_SECONDS / 4)
            seen["submit"].add(turns)
            return submit(transaction, record, draft)

        runner._submit_one = slow_submit  # type: ignore[method-assign]
        await runner.connect()
        stepping = asyncio.create_task(runner.step())
        while not stepping.done():
            turns += 1
            await asyncio.sleep(0)
        assert await stepping
    assert len(event_ids(cluster)) == rows
    assert min(map(len, seen.values())) >= rows // 5


async def test_a_fact_written_twice_is_one_event_where_the_file_names_its_identity(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """The row that says it again has the place of the first, and a subscriber handles that once."""
    file = tmp_path / "register.db"
    make_register(file)
    register_businesses(file, 1, 2, 1)
    content = register_source(file)
    content["publish"] = {**content["publish"], "identity": ["$.reference", "$.registered_on"]}
    handled: list[str] = []
    bus = InMemoryBus("municipality", cluster=cluster)

    @bus.subscribe(EVENT, version=1, purpose="issue-business-permit")
    async def count(event: Event[Any]) -> None:
        handled.append(event.id)

    async with bus, runner_of(configured(tmp_path, content), cluster):
        await until(lambda: len(cluster.records(TOPIC)) == 2 and len(handled) == 2)
        await asyncio.sleep(0.1)
    assert sorted(event_ids(cluster)) == sorted(handled)
    assert len({header(record, "ce_correlationid") for record in cluster.records(TOPIC)}) == 2


async def die(*_args: Any, **_options: Any) -> None:
    """Die here."""
    raise KilledError


@pytest.mark.parametrize("kind", ["sql", "drop-folder"])
async def test_a_process_that_dies_before_the_checkpoint_has_published_nothing(
    tmp_path: Path, cluster: InMemoryCluster, kind: str
) -> None:
    """Events and checkpoint are one transaction: all of the batch is published by the next process, once."""
    config = prepared(tmp_path, kind)

    class Dying:
        load = staticmethod(_nothing)
        reread = staticmethod(_nothing)
        has_published = staticmethod(_nothing)
        save = staticmethod(die)

    with pytest.raises(KilledError):
        await step_once(config, cluster, _checkpoints=Dying())
    assert event_ids(cluster) == []
    await step_once(config, cluster)
    assert len(event_ids(cluster)) == len(set(event_ids(cluster))) == 3


async def test_one_process_runs_a_source_and_another_takes_over(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """The second stands by, and goes on behind the checkpoint of the first when that has ended."""
    file = tmp_path / "register.db"
    make_register(file)
    configs = configured(tmp_path, register_source(file))
    async with runner_of(configs, cluster) as second:
        async with runner_of(configs, cluster) as first:
            states = [runner.health()[0] for runner in (first, second)]
            await until(lambda: sorted(health.state for health in states) == ["running", "standby"])
            register_businesses(file, 1, 2)
            await until(lambda: len(event_ids(cluster)) == 2)
        await until(lambda: second.health()[0].state == "running")
        register_businesses(file, 3)
        await until(lambda: len(event_ids(cluster)) == 3)
    assert len(set(event_ids(cluster))) == 3


async def test_a_fenced_owner_publishes_nothing_and_goes_on_behind_the_other(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """One that was suspended while another process published finds out before it publishes."""
    file = tmp_path / "register.db"
    make_register(file)
    (config,) = configured(tmp_path, register_source(file))
    assert isinstance(config, SourceConfig)
    async with InMemoryBus("tax", system="register", cluster=cluster) as bus:
        suspended = SourceRunner(config, bus, backoff=QUICK)
        await suspended.connect()
        assert not await suspended.step()
        register_businesses(file, 1, 2)
        await step_once(config, cluster)
        with pytest.raises(FencedError):
            await suspended.step()
        assert len(event_ids(cluster)) == 2
        await suspended.connect()
        assert not await suspended.step()
        register_businesses(file, 3)
        assert await suspended.step()
    assert len(event_ids(cluster)) == len(set(event_ids(cluster))) == 3


@pytest.mark.parametrize("kind", ["sql", "drop-folder"])
async def test_a_process_that_dies_before_the_acknowledgement_repeats_nothing(
    tmp_path: Path, cluster: InMemoryCluster, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between checkpoint and archive: no event comes twice, and the file is archived in the end."""
    config = prepared(tmp_path, kind)
    async with InMemoryBus("tax", system="register", cluster=cluster) as bus:
        assert isinstance(config, SourceConfig)
        runner = SourceRunner(config, bus, backoff=QUICK)
        call = runner._worker.call

        async def call_until_acknowledged(method: Any, *arguments: Any) -> Any:
            if method in (runner._source.read, runner._source.connect):
                return await call(method, *arguments)
            raise KilledError

        monkeypatch.setattr(runner._worker, "call", call_until_acknowledged)
        await runner.connect()
        with pytest.raises(KilledError):
            await steps(runner)
    await step_once(config, cluster)
    assert len(event_ids(cluster)) == len(set(event_ids(cluster))) == 3
    assert list((tmp_path / "inbox").glob("*")) == []


async def _nothing(_partition: str = "0") -> None:
    return None


def prepared(folder: Path, kind: str) -> ConnectorConfig:
    """A source with three records."""
    (folder / "inbox").mkdir()
    make_register(folder / "register.db")
    if kind == "sql":
        register_businesses(folder / "register.db", 1, 2, 3)
        return configured(folder, register_source(folder / "register.db"))[0]
    drop(folder, "a.csv", *(business(number) for number in (1, 2, 3)))
    return configured(folder, folder_source(folder))[0]


def drop(folder: Path, name: str, *rows: tuple[str, ...]) -> None:
    """Drop a file with these rows."""
    lines = [",".join(row) for row in (COLUMNS, *rows)]
    (folder / "inbox" / name).write_text("\n".join(lines))


async def test_bad_records_go_to_the_dead_letters_with_their_place(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """A ragged row, one that breaks the contract and one that does not translate: the good ones go on."""
    (tmp_path / "inbox").mkdir()
    wrong_form = (*business(2)[:2], "empire", *business(2)[3:])
    no_reference = ("", *business(3)[1:])
    drop(tmp_path, "a.csv", business(1), ("ragged",), wrong_form, no_reference, business(4))
    source = folder_source(tmp_path)
    source["publish"]["data"] = {
        **source["publish"]["data"],
        "business_name": {"from": "$.business_name", "as": "upper"},
        "reference": "$.reference",
    }
    async with runner_of(configured(tmp_path, source), cluster) as runner:
        await until(lambda: len(cluster.records(LETTERS)) == 3 and len(cluster.records(TOPIC)) == 2)
        await until(lambda: runner.health()[0].counts["dead-lettered"] == 3)
        counts = dict(runner.health()[0].counts)
    letters = {header(record, "govbus-dead-letter-line"): record for record in cluster.records(LETTERS)}
    assert set(letters) == {"3", "4", "5"}
    assert {header(record, "govbus-dead-letter-file") for record in letters.values()} == {"a.csv"}
    assert header(letters["3"], "govbus-dead-letter-reason") == "malformed-record"
    assert header(letters["4"], "govbus-dead-letter-reason") == "contract-violation"
    assert "$.legal_form" in header(letters["4"], "govbus-dead-letter-detail")
    assert letters["3"].value == b"ragged\n"
    assert letters["4"].value == ",".join(wrong_form).encode() + b"\n"
    assert counts["published"] == 2
    assert counts["dead-lettered"] == 3
    shown = b" ".join(value or b"" for record in letters.values() for _, value in record.headers)
    assert b"Mensah" not in shown
    assert b"empire" not in shown


async def test_a_file_of_which_nothing_was_published_is_read_again_when_it_is_dropped_again(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """All its rows were set aside for a mapping that was wrong; with the mended one they become events."""
    (tmp_path / "inbox").mkdir()
    sound = folder_source(tmp_path)
    wrong = {
        **sound,
        "publish": {**sound["publish"], "data": {**sound["publish"]["data"], "reference": "$.ref"}},
    }
    for content, events, letters in ((wrong, 0, 2), (sound, 2, 2), (sound, 2, 2)):
        drop(tmp_path, "a.csv", business(1), business(2))
        async with runner_of(configured(tmp_path, content), cluster):
            await until(lambda: list((tmp_path / "inbox").iterdir()) == [])
            await until(lambda: list((tmp_path / "archive" / ".in-progress").iterdir()) == [])
        assert (len(cluster.records(TOPIC)), len(cluster.records(LETTERS))) == (events, letters)


async def set_aside(cluster: InMemoryCluster, count: int) -> dict[str | None, tuple[str, str | None, str]]:
    """Return type, service and transaction of that many records that became no event, by their origin."""
    await until(lambda: len(receipts_of(cluster)) == count)
    return {row.origin: (row.type, row.service, row.transaction) for row in receipts_of(cluster)}


def receipts_of(cluster: InMemoryCluster) -> list[PublishReceipt]:
    """Return the receipts of records that became no event."""
    rows = [row for row in cluster.receipts() if isinstance(row, PublishReceipt)]
    return [row for row in rows if row.outcome == "dead-letter"]


async def test_a_line_that_became_no_event_names_its_transaction_and_its_place(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """Ragged, untranslatable or refused: what is known of the transaction is in the receipt."""
    (tmp_path / "inbox").mkdir()
    ragged = (*business(2), "one more")
    unclear = (business(6)[0], business(7)[0])
    nowhere = ("neither", "nor")
    lines = (ragged, unclear, nowhere, business(1), (*business(3)[:2], "empire", *business(3)[3:]))
    drop(tmp_path, "a.csv", *lines, (*business(4)[:-1], "31.02."))
    source = folder_source(tmp_path)
    source["publish"]["transaction"] = "$.reference"
    async with runner_of(configured(tmp_path, source), cluster):
        found = await set_aside(cluster, 5)
    about = (f"{EVENT}.v1", "registering-a-business")
    assert found["a.csv:2"] == (*about, business(2)[0])
    assert found["a.csv:6"] == (*about, business(3)[0])
    assert found["a.csv:7"] == (*about, business(4)[0])
    letters = {row.event_id for row in receipts_of(cluster)}
    assert {found["a.csv:3"][2], found["a.csv:4"][2]} <= letters


@pytest.mark.parametrize("transaction", ["x" * 5_000, "a\nb"])
async def test_a_transaction_that_the_bus_refuses_stops_nothing(
    tmp_path: Path, cluster: InMemoryCluster, transaction: str
) -> None:
    """The bus refuses the event; its dead letter and receipt are written all the same."""
    (tmp_path / "inbox").mkdir()
    drop(tmp_path, "a.csv", business(1))
    source = folder_source(tmp_path)
    source["publish"]["transaction"] = {
        "from": "$.reference",
        "as": "lookup",
        "values": {business(1)[0]: transaction},
    }
    async with runner_of(configured(tmp_path, source), cluster):
        (found,) = await set_aside(cluster, 1)
    assert found == "a.csv:2"
    (letter,) = cluster.records(LETTERS)
    assert sum(len(value or b"") for _, value in letter.headers) < 10_000


async def test_rows_of_a_service_that_the_catalogue_lacks_are_set_aside(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """The dead letter names none: that it would be refused for it too would hold up the source for good."""
    make_register(file := tmp_path / "register.db")
    register_businesses(file, 1)
    source = register_source(file)
    source["publish"] = {**source["publish"], "service": "registering-a-busines"}
    async with runner_of(configured(tmp_path, source), cluster) as runner:
        await until(lambda: runner.health()[0].counts["dead-lettered"] == 1)
        await until(lambda: runner.health()[0].state == "running")
    (letter,) = cluster.records(LETTERS)
    assert header(letter, f"{PREFIX}reason") == "malformed-envelope"
    assert f"{PREFIX}service" not in dict(letter.headers)


async def test_a_row_that_cannot_be_read_names_its_transaction(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """A column that cannot be read hides no other."""
    file = tmp_path / "register.db"
    make_register(file)
    register_businesses(file, 1)
    with sqlite3.connect(file) as register:
        register.execute("UPDATE business SET business_name = CAST(x'ff' AS TEXT)")
    register.close()
    source = register_source(file)
    source["publish"]["transaction"] = "$.reference"
    async with runner_of(configured(tmp_path, source), cluster):
        found = await set_aside(cluster, 1)
    assert found == {"business:1": (f"{EVENT}.v1", "registering-a-business", business(1)[0])}


async def test_a_row_that_does_not_translate_is_told_with_table_and_position(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """The dead letter holds the row as JSON."""
    file = tmp_path / "register.db"
    make_register(file)
    with sqlite3.connect(file) as register:
        register.execute("INSERT INTO business (id, business_name) VALUES (7, NULL)")
    register.close()
    async with runner_of(configured(tmp_path, register_source(file)), cluster):
        await until(lambda: len(cluster.records(LETTERS)) == 1)
    (letter,) = cluster.records(LETTERS)
    assert header(letter, "govbus-dead-letter-reason") == "untranslatable"
    assert header(letter, "govbus-dead-letter-stage") == "translate"
    assert header(letter, "govbus-dead-letter-table") == "business"
    assert header(letter, "govbus-dead-letter-position") == "7"
    assert orjson.loads(letter.value or b"")["id"] == 7


async def test_a_broker_that_goes_away_loses_nothing_and_repeats_nothing(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """Events wait for the broker, with the same ids."""
    file = tmp_path / "register.db"
    make_register(file)
    async with runner_of(configured(tmp_path, register_source(file, batch_size=5)), cluster) as runner:
        register_businesses(file, *range(5))
        await until(lambda: len(cluster.records("tax.checkpoints")) == 1)
        cluster.available = False
        register_businesses(file, *range(5, 30))
        await until(lambda: runner.health()[0].state == "waiting")
        assert runner.health()[0].reason == "bus-unavailable"
        cluster.available = True
        await until(lambda: len(set(event_ids(cluster))) == 30)
        await until(lambda: runner.health()[0].state == "running")
    assert len(event_ids(cluster)) == 30


@pytest.mark.parametrize("refused", [TOPIC, CHECKPOINTS, LETTERS])
@pytest.mark.parametrize("error", [AccessDeniedError("no access"), BusUnavailableError("too few replicas")])
async def test_a_source_whose_events_the_cluster_does_not_take_is_ill(
    tmp_path: Path, cluster: InMemoryCluster, monkeypatch: pytest.MonkeyPatch, refused: str, error: BusError
) -> None:
    """Though all else answers, the health names connector and cause, until what is due is taken."""
    make_register(file := tmp_path / "register.db")
    require_taken, refuses = cluster.require_taken, True

    def taken(topic: str, value: bytes | None) -> None:
        if topic == refused and refuses:
            raise error
        require_taken(topic, value)

    monkeypatch.setattr(cluster, "require_taken", taken)
    async with runner_of(configured(tmp_path, register_source(file)), cluster) as runner:
        await until(lambda: runner.health()[0].state == "running")
        register_businesses(file, 1)
        with sqlite3.connect(file) as register:
            register.execute(f"INSERT INTO business ({', '.join(COLUMNS)}) VALUES ('x'{', 1' * 7})")
        register.close()
        await until(lambda: runner.health()[0].state == "waiting")
        assert await kafka_fault(runner) is None
        monkeypatch.setattr("bus.process.overdue.LATE_SECONDS", 0.0)
        await until_async(lambda: kafka_fault(runner))
        said = await kafka_fault(runner)
        assert said is not None
        assert said.startswith("tax/business-register: what it publishes")
        assert str(error) in said
        refuses = False
        await until(lambda: runner.health()[0].state == "running")
        assert await kafka_fault(runner) is None
    assert len(cluster.records(TOPIC)) >= 1
    assert len(cluster.records(LETTERS)) >= 1


async def kafka_fault(runner: Runner) -> str | None:
    """What the health of the process says of Kafka."""
    return await runner.checks["kafka"]()


async def test_a_source_whose_legacy_system_is_away_is_well(
    tmp_path: Path, cluster: InMemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the cluster did not take events before is over: nobody knows whether it would by now."""
    monkeypatch.setattr("bus.process.overdue.LATE_SECONDS", 0.0)
    cluster.closed_topics.add(TOPIC)
    async with runner_of(flaky(tmp_path, *[None] * 10_000), cluster) as runner:
        await until_async(lambda: kafka_fault(runner))
        FlakySource.script = [NotConnectedError("gone")] * 10_000
        await until(lambda: runner.health()[0].reason == "not-connected")
        assert await kafka_fault(runner) is None


class NoOptions(BaseModel):
    """No options."""


class FlakySource:
    """Fails as its script says, then ends."""

    Options = NoOptions
    guarantee = "none"
    poll_seconds = 0.01
    script: ClassVar[list[Exception | None]] = []
    connected = 0

    def __init__(self, _options: NoOptions) -> None:
        self.number = 0

    def connect(self, checkpoints: CheckpointReader) -> None:
        """Count."""
        type(self).connected += 1

    def read(self) -> Batch | None:
        """Follow the script."""
        if not self.script:
            raise EndOfSourceError("the script is over")
        error = self.script.pop(0)
        if error is not None:
            raise error
        data = dict(zip(COLUMNS, business(1), strict=True))
        return Batch((SourceRecord(data, f"business/{len(self.script)}"),), {"at": len(self.script)})

    def check(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class Unshowable:
    """A value of somebody else's type, which cannot even be shown."""

    def __repr__(self) -> str:
        """Never returns."""
        raise RuntimeError("Ama Mensah")


class OddSource(FlakySource):
    """Gives one good record and one with an odd value."""

    odd: ClassVar[Any] = None

    def read(self) -> Batch | None:
        """Both, once."""
        self.number += 1
        if self.number > 1:
            return None
        good, odd = (dict(zip(COLUMNS, business(number), strict=True)) for number in (1, 2))
        records = SourceRecord(odd | {"town": self.odd}, "business/2"), SourceRecord(good, "business/1")
        return Batch(records, {"at": 1})


def circle() -> dict[str, Any]:
    """An object that holds itself."""
    found: dict[str, Any] = {}
    return found | {"self": [found.setdefault("self", found)]}


@pytest.mark.parametrize(
    "odd",
    [
        2**70,
        float("nan"),
        "\ud800",
        b"\xff",
        {1: 2},
        {"a", "b"},
        Unshowable(),
        circle(),
        10**5_000,
        [[[{"\ud800": 1}]]],
    ],
    ids=["integer", "nan", "surrogate", "bytes", "key", "set", "unshowable", "circle", "digits", "nested"],
)
async def test_setting_aside_never_fails_on_a_value(
    tmp_path: Path, cluster: InMemoryCluster, odd: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever a source of somebody else gives, its record becomes a dead letter and the next an event."""
    OddSource.odd = odd
    source = {**register_source(tmp_path), "connector": f"{__name__}:OddSource", "source": {}}
    async with runner_of(configured(tmp_path, source), cluster) as runner:
        await until(lambda: runner.health()[0].counts["dead-lettered"] == 1)
        await until(lambda: runner.health()[0].state == "running")
    assert len(cluster.records(LETTERS)) == len(cluster.records(TOPIC)) == 1
    assert "raised" not in caplog.text
    assert "Ama" not in caplog.text


def flaky(folder: Path, *script: Exception | None) -> list[ConnectorConfig]:
    """A source with a script."""
    FlakySource.script = list(script)
    FlakySource.connected = 0
    source = register_source(folder)
    return configured(folder, {**source, "connector": f"{__name__}:FlakySource", "source": {}})


async def test_a_source_that_fails_is_connected_again_until_it_ends(
    tmp_path: Path, cluster: InMemoryCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Lost connections and plain bugs lead to a new connection; the end of the source to a finish."""
    configs = flaky(tmp_path, None, NotConnectedError("gone"), ValueError("Ama Mensah"), None)
    async with runner_of(configs, cluster) as runner:
        await until(lambda: runner.health()[0].state == "finished")
    assert FlakySource.connected == 3
    assert len(cluster.records(TOPIC)) == 2
    assert "not-connected: gone" in caplog.text
    assert "raised ValueError" in caplog.text
    assert "Ama" not in caplog.text


async def test_a_source_that_needs_a_person_stops_and_the_others_go_on(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """A configuration error is final for one connector only."""
    make_register(tmp_path / "register.db")
    FlakySource.script = [ConfigurationError("it is wrong", "because", "mend it")]
    broken = {**register_source(tmp_path), "connector": f"{__name__}:FlakySource", "source": {}}
    sound = {**register_source(tmp_path / "register.db"), "name": "sound"}
    async with runner_of(configured(tmp_path, broken, sound), cluster) as runner:
        await until(lambda: [health.state for health in runner.health()] == ["failed", "running"])
        register_businesses(tmp_path / "register.db", 1)
        await until(lambda: len(cluster.records(TOPIC)) == 1)
        assert "mend it" in runner.health()[0].detail


async def test_the_runner_waits_for_a_broker_at_the_start(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """A machine that boots before its broker needs no restart."""
    make_register(tmp_path / "register.db")
    cluster.available = False
    runner = runner_of(configured(tmp_path, register_source(tmp_path / "register.db")), cluster)
    starting: Awaitable[None] = asyncio.ensure_future(runner.start())
    await asyncio.sleep(0.05)
    cluster.available = True
    await starting
    await until(lambda: runner.health()[0].state == "running")
    await runner.stop()


async def test_a_missing_topic_is_said_and_nothing_runs(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """What only an operator can mend ends the start, and the runner may be stopped all the same."""
    make_register(tmp_path / "register.db")
    cluster.delete_topic(LETTERS)
    runner = runner_of(configured(tmp_path, register_source(tmp_path / "register.db")), cluster)
    with pytest.raises(TopicMissingError):
        await runner.start()
    await runner.stop()


async def test_a_checkpoint_of_a_newer_version_stops_the_source(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """Going on from a position that cannot be read would lose or repeat; a person decides."""
    make_register(tmp_path / "register.db")
    key = b"business-register/0"
    cluster.append("tax.checkpoints", b'{"format": 2, "position": 5}', key=key)
    configs = configured(tmp_path, register_source(tmp_path / "register.db"))
    async with runner_of(configs, cluster) as runner:
        await until(lambda: runner.health()[0].state == "failed")
        assert runner.health()[0].reason == "configuration"
        assert "its format is not 1" in runner.health()[0].detail
