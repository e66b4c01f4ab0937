"""The relay publishes an outbox: each committed event under its own id, in order, come what may."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine, create_engine, func, insert, select

from bus import Outbox
from bus.testing import InMemoryCluster
from connectors import ConfigurationError, EventRecord, MalformedRecord, NotConnectedError, Source, load
from connectors.configuration.contract_check import check_contracts
from connectors.outbox import OutboxOptions, OutboxSource
from connectors.outbox.batch import PublishedRows
from connectors.testing import MemoryCheckpoints, SourceTests
from contracts import Catalog
from tests.unit.connectors.country import configured, event_ids, header, runner_of, until

EVENT = "tax.taxpayer-number-assigned"
TOPIC = f"{EVENT}.v1"


def assigned(number: int) -> dict[str, Any]:
    """The data of an event."""
    return {
        "reference": f"CASE-{number:06d}",
        "taxpayer_number": "123-456-7890",
        "kind": "business",
        "assigned_on": "2026-11-23",
        "tax_office": "North",
    }


class Register:
    """A database with an outbox."""

    def __init__(self, file: Path, catalog: Catalog) -> None:
        self.url = f"sqlite:///{file}"
        self.engine: Engine = create_engine(self.url)
        self.outbox = Outbox("tax", catalog=catalog)
        self.outbox.table.create(self.engine)

    def add(self, *numbers: int) -> list[str]:
        """Write events in one transaction; return their ids."""
        with self.engine.begin() as connection:
            return self.outbox.add_many(
                connection, EVENT, [assigned(number) for number in numbers], version="1.0"
            )

    def write(self, **changes: Any) -> None:
        """Write a row by hand."""
        row = {
            "id": "hand-1", "event": EVENT, "version": "1.0", "partition_key": "k",
            "occurred_at": "2026-01-31T09:30:00Z", "data": "{}",
        }  # fmt: skip
        with self.engine.begin() as connection:
            connection.execute(insert(self.outbox.table).values({**row, **changes}))

    def left(self) -> int:
        """How many rows there are."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(self.outbox.table)) or 0

    def source(self, **options: Any) -> OutboxSource:
        """A relay over it."""
        return OutboxSource(OutboxOptions.model_validate({"url": SecretStr(self.url), **options}))

    def file(self, **options: Any) -> dict[str, Any]:
        """The configuration of a relay."""
        return {
            "connector": "outbox", "name": "relay", "agency": "tax", "system": "register",
            "source": {"url": self.url, "poll_seconds": 0.01, **options},
        }  # fmt: skip


@pytest.fixture
def register(tmp_path: Path, catalog: Catalog) -> Iterator[Register]:
    """A register of its own."""
    register = Register(tmp_path / "register.db", catalog)
    yield register
    register.engine.dispose()


class TestOutboxSource(SourceTests):
    """The relay keeps the promise of a source."""

    @pytest.fixture(autouse=True)
    def _register(self, register: Register) -> None:
        self.register, self.next = register, 0

    def make_source(self) -> Source:
        """A relay with small batches."""
        return self.register.source(batch_size=2)

    def add_records(self, count: int) -> None:
        """Write events."""
        self.register.add(*range(self.next, self.next + count))
        self.next += count


async def test_committed_events_are_published_under_their_ids_and_leave(
    tmp_path: Path, register: Register, cluster: InMemoryCluster
) -> None:
    """The ids that `add` gave, the system that the file names, and an empty table in the end."""
    ids = register.add(*range(50))
    async with runner_of(configured(tmp_path, register.file(batch_size=7)), cluster):
        await until(lambda: len(cluster.records(TOPIC)) == 50)
        ids += register.add(50, 51)
        await until(lambda: len(cluster.records(TOPIC)) == 52)
        await until(lambda: register.left() == 0)
    assert sorted(event_ids(cluster, TOPIC)) == sorted(ids)
    assert {header(record, "ce_source") for record in cluster.records(TOPIC)} == {"urn:govbus:tax:register"}


async def test_a_row_that_is_no_event_is_set_aside_alone(
    tmp_path: Path, register: Register, cluster: InMemoryCluster
) -> None:
    """Whatever is wrong with it, the rows around it are published."""
    good = register.add(1)
    for number, fault in enumerate(
        [
            {"data": "not JSON"},
            {"attributes": "[]"},
            {"attributes": '{"service": 7}'},
            {"occurred_at": "yesterday"},
            {"version": "1"},
            {"data": "{}"},
        ]
    ):
        register.write(id=f"hand-{number}", **fault)
    good += register.add(2)
    async with runner_of(configured(tmp_path, register.file()), cluster):
        await until(lambda: register.left() == 0)
    assert event_ids(cluster, TOPIC) == good
    letters = cluster.records("tax.dead-letters")
    assert len(letters) == 6
    assert b"not JSON" in (letters[0].value or b"")


async def test_events_of_an_unknown_contract_wait_for_the_catalogue(
    tmp_path: Path, register: Register, cluster: InMemoryCluster
) -> None:
    """Nothing is set aside, nothing is published twice meanwhile, and what to do is said."""
    first = register.add(1)
    register.write(version="1.9")
    async with runner_of(configured(tmp_path, register.file()), cluster) as runner:
        (health,) = runner.health()
        await until(lambda: "catalogue" in health.detail)
        await asyncio.sleep(0.1)
        assert cluster.records(TOPIC) == []
        with register.engine.begin() as connection:
            connection.execute(register.outbox.table.delete().where(register.outbox.table.c.id == "hand-1"))
        await until(lambda: len(cluster.records(TOPIC)) == 1)
    assert event_ids(cluster, TOPIC) == first
    assert cluster.records("tax.dead-letters") == []


async def test_positions_that_a_restored_database_gives_again_are_not_taken_for_published(
    tmp_path: Path, catalog: Catalog
) -> None:
    """A checkpoint covers the rows it was written for, by their ids, and no others."""
    checkpoints = MemoryCheckpoints()
    for name in ("first.db", "restored.db"):
        register = Register(tmp_path / name, catalog)
        register.add(1, 2, 3)
        source = register.source()
        await source.connect(checkpoints)
        batch = source.read()
        assert batch is not None
        assert len(batch.records) == 3
        await checkpoints.save(batch.checkpoint)
        source.close()
        register.engine.dispose()


async def test_a_row_that_commits_late_is_published(register: Register) -> None:
    """A lower position that appears after a higher one was published and deleted is simply there."""
    register.write(position=6)
    source, checkpoints = register.source(), MemoryCheckpoints()
    await source.connect(checkpoints)
    batch = source.read()
    assert batch is not None
    register.write(position=5, id="hand-2")
    await checkpoints.save(batch.checkpoint)
    batch.acknowledge()
    late = source.read()
    source.close()
    assert late is not None
    assert [record.where["position"] for record in late.records] == ["5"]


@given(st.sets(st.integers(1, 300)), st.sets(st.integers(1, 300)))
def test_a_checkpoint_tells_its_rows_from_all_others(mine: set[int], others: set[int]) -> None:
    """Runs hold exactly the batch's positions, also after JSON, and other rows have another digest."""
    batch = PublishedRows.of([(position, f"id-{position}") for position in sorted(mine)])
    assert PublishedRows.resume(batch.checkpoint()) == batch
    assert [n for first, count in batch.runs() for n in range(first, first + count)] == sorted(mine)
    other = PublishedRows.of([(position, f"id-{position}") for position in sorted(others)])
    assert (other == batch) == (mine == others)


def test_a_number_is_never_given_twice(register: Register) -> None:
    """SQLite would hand out the position of a deleted row again."""
    for _ in range(2):
        register.write()
        with register.engine.begin() as connection:
            connection.execute(register.outbox.table.delete())
    register.write()
    with register.engine.connect() as connection:
        assert connection.scalar(select(register.outbox.table.c.position)) == 3


def test_options_that_do_not_fit_are_told(tmp_path: Path, register: Register) -> None:
    """A missing table or column is a configuration error; a missing file is waited for."""
    register.source().check()
    with pytest.raises(ConfigurationError, match="no table `outbux`"):
        register.source(table="outbux").check()
    with register.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE other (position INTEGER, id TEXT)")
    with pytest.raises(ConfigurationError, match="no column `attributes`, `data`"):
        register.source(table="other").check()
    absent = OutboxSource(OutboxOptions(url=SecretStr(f"sqlite:///{tmp_path / 'absent.db'}")))
    with pytest.raises(NotConnectedError):
        absent.check()


async def test_a_checkpoint_of_another_connector_is_refused(register: Register) -> None:
    """Its place is not the outbox's."""
    checkpoints = MemoryCheckpoints()
    await checkpoints.save({"low": None, "seen": []})
    with pytest.raises(ConfigurationError, match="another connector"):
        await register.source().connect(checkpoints)


def test_its_file_has_nothing_to_map(tmp_path: Path, register: Register, catalog: Catalog) -> None:
    """Without `publish:` it is sound; with it there is a finding; an unknown agency is found."""
    configs = configured(tmp_path, register.file())
    assert check_contracts(configs, catalog) == []
    file = tmp_path / "mapped.yaml"
    file.write_text(
        "connector: outbox\nname: relay\nagency: tax\nsystem: register\n"
        "source: {url: 'sqlite:///x.db'}\npublish: {event: tax.business-registered}\n"
    )
    _, findings = load([file])
    assert ["publish" in str(finding) for finding in findings] == [True]
    (stranger,) = check_contracts(configured(tmp_path, {**register.file(), "agency": "nobody"}), catalog)
    assert "no agency `nobody`" in str(stranger)


def test_a_record_says_where_it_stands_and_nothing_of_its_data(register: Register) -> None:
    """`where` goes to logs and dead letters."""
    register.add(1)
    register.write(data="Ama Mensah")
    source = register.source()
    batch = source.read()
    source.close()
    assert batch is not None
    event, broken = batch.records
    assert isinstance(event, EventRecord)
    assert isinstance(broken, MalformedRecord)
    assert (event.where, broken.where) == (
        {"table": "govbus_outbox", "position": "1"},
        {"table": "govbus_outbox", "position": "2"},
    )
    assert "Ama" not in broken.problem
