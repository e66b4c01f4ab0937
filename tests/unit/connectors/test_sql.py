"""The SQL source reads every committed row once, late ones too, and nothing of the table can stop it."""

import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from connectors import (
    BlockedError,
    ConfigurationError,
    MalformedRecord,
    NotConnectedError,
    Source,
    SourceRecord,
)
from connectors.sql import SqlOptions, SqlSource
from connectors.sql.source import INSPECT_SECONDS
from connectors.sql.translate import decode_position, encode_position
from connectors.sql.window import MOST_SEEN, FoundRow, OpenTransactions, SqlWindow
from connectors.testing import MemoryCheckpoints, SourceTests, acknowledge
from tests.unit.connectors.country import make_register, register_businesses


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def source_over(file: Path, clock: Clock | None = None, **options: Any) -> SqlSource:
    """A source over the table `business` of a register."""
    values = {"url": f"sqlite:///{file}", "table": "business", "position": "id", "settle_seconds": 0.0}
    return SqlSource(SqlOptions.model_validate({**values, **options}), clock or Clock())


class TestSqlSource(SourceTests):
    """The SQL source keeps the promise of a source."""

    settle_seconds = 0.0

    @pytest.fixture(autouse=True)
    def _register(self, tmp_path: Path) -> None:
        self.file = tmp_path / "register.db"
        self.clock = Clock()
        self.next = 1
        make_register(self.file)

    async def pause(self) -> None:
        """Let a second go by."""
        self.clock.now += 1

    def make_source(self) -> Source:
        """A source over the register, with small batches."""
        return source_over(self.file, self.clock, batch_size=2, settle_seconds=self.settle_seconds)

    def add_records(self, count: int) -> None:
        """Enter businesses."""
        register_businesses(self.file, *range(self.next, self.next + count))
        self.next += count


class TestSqlSourceThatSettles(TestSqlSource):
    """It keeps the promise with a window for late commits too."""

    settle_seconds = 5.0


async def read_all(source: SqlSource, checkpoints: MemoryCheckpoints) -> list[SourceRecord | MalformedRecord]:
    """Read, save and acknowledge until nothing is new."""
    records: list[SourceRecord | MalformedRecord] = []
    while (batch := source.read()) is not None:
        await acknowledge(batch, checkpoints)
        records += batch.records
    return records


def insert(file: Path, number: int) -> None:
    """Enter a row with a given id, as a transaction does that commits late."""
    with sqlite3.connect(file) as register:
        register.execute("INSERT INTO business (id, reference) VALUES (?, ?)", (number, f"case-{number}"))
    register.close()


def positions(records: list[SourceRecord | MalformedRecord]) -> list[int]:
    """The positions of records."""
    return [int(record.where["position"]) for record in records]


async def test_a_row_that_commits_late_is_read_within_the_settle_time(tmp_path: Path) -> None:
    """Row 5 appears after row 6: it is read, once, also across a restart, and row 6 is not read again."""
    file, clock, checkpoints = tmp_path / "register.db", Clock(), MemoryCheckpoints()
    make_register(file)
    insert(file, 4)
    insert(file, 6)
    source = source_over(file, clock, settle_seconds=5.0)
    await source.connect(checkpoints)
    assert positions(await read_all(source, checkpoints)) == [4, 6]
    source.close()
    clock.now += 4
    insert(file, 5)
    again = source_over(file, clock, settle_seconds=5.0)
    await again.connect(checkpoints)
    assert positions(await read_all(again, checkpoints)) == [5]
    clock.now += 20
    insert(file, 7)
    assert positions(await read_all(again, checkpoints)) == [7]
    again.close()


async def test_a_large_late_transaction_is_read_to_its_end(tmp_path: Path) -> None:
    """More late rows than a batch holds are not skipped when the rows above them have settled."""
    file, clock, checkpoints = tmp_path / "register.db", Clock(), MemoryCheckpoints()
    make_register(file)
    insert(file, 100)
    source = source_over(file, clock, settle_seconds=5.0, batch_size=3)
    await source.connect(checkpoints)
    await read_all(source, checkpoints)
    for number in range(1, 11):
        insert(file, number)
    found: list[int] = []
    while (batch := source.read()) is not None:
        await acknowledge(batch, checkpoints)
        found += positions(list(batch.records))
        clock.now += 30
    source.close()
    assert list(range(1, 11)) == found


@given(
    late=st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 4)), max_size=30, unique_by=lambda row: row[0]
    ),
    batch=st.integers(1, 5),
)
@settings(max_examples=150)
def test_a_window_takes_every_row_that_appears_in_time(late: list[tuple[int, int]], batch: int) -> None:
    """Whatever the order of commits: rows at most 4 s late are taken once with a settle time of 5 s."""
    window, taken = SqlWindow(5.0), []
    for now in range(60):
        visible = sorted(row for row, second in late if second <= now)
        window.set_horizon(float(now))
        behind = [(row,) for row in visible if window.low is None or (row,) > window.low]
        limit = batch + len(window.seen)
        behind = behind[:limit]
        found = [FoundRow(row, window.horizon is not None and row[0] <= window.horizon) for row in behind]
        chosen = window.take(found, batch, complete=len(found) < limit)
        taken += [found[index].position[0] for index in chosen]
        window.mark(max(visible, default=None), float(now))
        window = SqlWindow.resume(5.0, window.checkpoint()) if now in {7, 20} else window
    assert sorted(taken) == sorted(row for row, _ in late)


@given(
    rows=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.integers(0, 40)), max_size=20),
    batch=st.integers(1, 5),
)
@settings(max_examples=150)
def test_a_window_over_transactions_takes_every_row_however_late(
    rows: list[tuple[int, int, int]], batch: int
) -> None:
    """Each takes a number, writes at most 4 s later and commits any time after: it is taken once."""
    numbered = {number: (at + wait, at + wait + late) for number, (at, wait, late) in enumerate(sorted(rows))}
    by_write = sorted(numbered, key=lambda number: numbered[number][0])
    transaction = {number: 100 + index for index, number in enumerate(by_write)}
    window, taken = SqlWindow(5.0), []
    for now in range(100):
        visible = [number for number, (_, commit) in numbered.items() if commit <= now]
        window.mark(max(visible, default=None), float(now))
        began = [number for number, (write, _) in numbered.items() if write <= now]
        following = 100 + len(began)
        still_open = [transaction[number] for number in began if numbered[number][1] > now]
        window.set_horizon(float(now), OpenTransactions(min(still_open, default=following), following))
        limit = batch + len(window.seen)
        behind = [number for number in visible if window.low is None or (number,) > window.low][:limit]
        found = [
            FoundRow((number,), window.horizon is not None and number <= window.horizon) for number in behind
        ]
        chosen = window.take(found, batch, complete=len(found) < limit)
        taken += [found[index].position[0] for index in chosen]
        window = SqlWindow.resume(5.0, window.checkpoint()) if now in {7, 20} else window
    assert sorted(taken) == sorted(numbered)


def test_a_full_window_waits_instead_of_forgetting() -> None:
    """No more than the window holds is taken until rows have settled."""
    window = SqlWindow(5.0)
    found = [FoundRow((number,), settled=False) for number in range(MOST_SEEN + 10)]
    assert len(window.take(found, MOST_SEEN + 10, complete=True)) == MOST_SEEN
    assert window.take(found, 10, complete=True) == []


def test_a_checkpoint_always_fits_a_record_of_kafka() -> None:
    """With long keys what was seen is left out, and read again under the same identities."""
    window = SqlWindow(5.0)
    found = [FoundRow((number, "k" * 200), settled=False) for number in range(MOST_SEEN)]
    window.take(found, MOST_SEEN, complete=True)
    assert window.checkpoint() == {"low": None, "seen": []}


async def test_rows_with_the_same_position_are_told_apart_by_the_key(tmp_path: Path) -> None:
    """A batch may end between two rows of the same second."""
    file = tmp_path / "register.db"
    with sqlite3.connect(file) as register:
        register.execute("CREATE TABLE business (changed TEXT, code TEXT, PRIMARY KEY (code))")
        register.executemany("INSERT INTO business VALUES ('2026-01-01', ?)", [(str(n),) for n in range(5)])
    register.close()
    source, checkpoints = source_over(file, position="changed", batch_size=2), MemoryCheckpoints()
    await source.connect(checkpoints)
    records = await read_all(source, checkpoints)
    source.close()
    assert [record.data["code"] for record in records if isinstance(record, SourceRecord)] == [
        "0",
        "1",
        "2",
        "3",
        "4",
    ]


async def test_a_value_that_json_cannot_carry_makes_only_its_row_malformed(tmp_path: Path) -> None:
    """Broken text in one row does not stop the others, and is set aside with its place."""
    file, checkpoints = tmp_path / "register.db", MemoryCheckpoints()
    make_register(file)
    with sqlite3.connect(file) as register:
        register.execute("INSERT INTO business (id, reference) VALUES (1, CAST(X'5AEB' AS TEXT))")
        register.execute("INSERT INTO business (id, reference, town) VALUES (2, 9e999, 'x')")
        register.execute("INSERT INTO business (id, reference) VALUES (3, 'good')")
    register.close()
    source = source_over(file)
    await source.connect(checkpoints)
    broken, infinite, fine = await read_all(source, checkpoints)
    source.close()
    assert isinstance(broken, MalformedRecord)
    assert broken.where == {"table": "business", "position": "1"}
    assert "$.reference" in broken.problem
    assert isinstance(infinite, MalformedRecord) or isinstance(infinite.data["reference"], str)
    assert isinstance(fine, SourceRecord)


def alter(file: Path, *statements: str) -> None:
    """Change the register."""
    with sqlite3.connect(file) as register:
        for statement in statements:
            register.execute(statement)
    register.close()


async def test_columns_that_the_mapping_does_not_read_are_not_read(tmp_path: Path) -> None:
    """What is odd in them is nobody's business; position and key are read always."""
    file, checkpoints = tmp_path / "register.db", MemoryCheckpoints()
    make_register(file)
    insert(file, 1)
    alter(file, "UPDATE business SET town = CAST(X'5AEB' AS TEXT)")
    source = source_over(file)
    source.keep_columns(frozenset({"reference", "nowhere"}))
    await source.connect(checkpoints)
    (record,) = await read_all(source, checkpoints)
    source.close()
    assert record.data == {"id": 1, "reference": "case-1"}


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_column_that_vanishes_stops_the_source_until_it_is_back(
    tmp_path: Path, restarted: bool
) -> None:
    """Its rows would all be set aside, or lack what was optional; also if it went while nobody looked."""
    file, clock, checkpoints = tmp_path / "register.db", Clock(), MemoryCheckpoints()
    make_register(file)
    alter(file, 'ALTER TABLE business RENAME COLUMN town TO "Post Town"')
    insert(file, 1)
    source = source_over(file, clock)
    source.keep_columns(frozenset({"reference", "Post Town"}))
    await source.connect(checkpoints)
    assert len(await read_all(source, checkpoints)) == 1
    insert(file, 2)
    alter(file, 'ALTER TABLE business RENAME COLUMN "Post Town" TO town')
    with pytest.raises(NotConnectedError):  # not yet noticed, and no text `Post Town` either
        source.read()
    if restarted:
        source.close()
        source = source_over(file, clock)
        source.keep_columns(frozenset({"reference", "Post Town"}))
    await source.connect(checkpoints)
    with pytest.raises(BlockedError, match="column `Post Town` in `business`"):
        source.read()
    alter(file, 'ALTER TABLE business RENAME COLUMN town TO "Post Town"')
    await source.connect(checkpoints)
    assert positions(await read_all(source, checkpoints)) == [2]
    source.close()


async def test_columns_that_appear_are_told_and_read_if_the_mapping_wants_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A mapped column that was not there is read once it is; another is told."""
    file, clock, checkpoints = tmp_path / "register.db", Clock(), MemoryCheckpoints()
    make_register(file)
    source = source_over(file, clock)
    source.keep_columns(frozenset({"reference", "mail"}))
    await source.connect(checkpoints)
    assert await read_all(source, checkpoints) == []
    alter(file, "ALTER TABLE business ADD COLUMN mail TEXT", "ALTER TABLE business ADD COLUMN shoe TEXT")
    alter(file, "INSERT INTO business (id, reference, mail) VALUES (1, 'case-1', 'a@b.example')")
    clock.now += INSPECT_SECONDS
    (record,) = await read_all(source, checkpoints)
    source.close()
    assert record.data == {"id": 1, "reference": "case-1", "mail": "a@b.example"}
    assert "column `mail` of `business` has appeared; it is read from now on" in caplog.text
    assert "column `shoe` of `business` has appeared; the mapping does not read it" in caplog.text


async def test_a_missing_database_is_waited_for_and_not_made(tmp_path: Path) -> None:
    """SQLite would make an empty file; the source does not."""
    source = source_over(tmp_path / "absent.db")
    await source.connect(MemoryCheckpoints())
    with pytest.raises(NotConnectedError):
        source.read()
    assert not (tmp_path / "absent.db").exists()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"table": "busines"}, "no table `busines`"),
        ({"position": "idd"}, "no column `idd`"),
        ({"key": ["nr"]}, "no column `nr`"),
        ({"url": "nonsense"}, "url is not an address"),
        ({"position": "town"}, "holds nulls"),
    ],
)
def test_options_that_do_not_fit_the_table_stop_the_source(
    tmp_path: Path, options: dict[str, Any], what: str
) -> None:
    """Each is a configuration error that says what to write."""
    make_register(tmp_path / "register.db")
    insert(tmp_path / "register.db", 1)
    source = source_over(tmp_path / "register.db", **options)
    with pytest.raises(ConfigurationError, match=what):
        source.check()
    source.close()


def test_a_table_without_primary_key_needs_a_key(tmp_path: Path) -> None:
    """Rows that cannot be told apart would be lost; the source refuses."""
    file = tmp_path / "register.db"
    with sqlite3.connect(file) as register:
        register.execute("CREATE TABLE business (changed TEXT, code TEXT)")
    register.close()
    with pytest.raises(ConfigurationError, match="no primary key"):
        source_over(file, position="changed").check()


def test_an_error_of_the_database_quotes_nothing(tmp_path: Path) -> None:
    """The message has the kind of fault, never the driver's words."""
    file = tmp_path / "register.db"
    file.write_bytes(b"this is Ama Mensah's secret, not a database" * 40)
    source = source_over(file)
    with pytest.raises(NotConnectedError, match="answered DatabaseError") as caught:
        source.check()
    source.close()
    assert "Ama" not in str(caught.value)


def test_the_address_is_not_shown() -> None:
    """A password in an address stays out of every representation."""
    options: BaseModel = SqlOptions.model_validate(
        {"url": "postgresql://u:hunter2@h/d", "table": "t", "position": "id"}
    )
    assert "hunter2" not in repr(options)
    assert "hunter2" not in str(options)


def test_positions_survive_json() -> None:
    """Each kind of position comes back as the same value."""
    position = (
        7,
        "x",
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        date(2026, 1, 2),
        Decimal("1.50"),
        UUID(int=5),
        b"\x00\xff",
    )
    assert position == decode_position(encode_position(position))
