"""The SQL source over a real PostgreSQL: no value stops it, and nothing that commits late is missed."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text

from connectors import Batch, MalformedRecord, SourceRecord
from connectors.sql import SqlOptions, SqlSource
from connectors.testing import MemoryCheckpoints, acknowledge
from tests.postgresql import new_database


@pytest.fixture
def url(postgresql: str) -> str:
    """A database of its own."""
    return new_database(postgresql)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """Connections to it."""
    engine = create_engine(url)
    yield engine
    engine.dispose()


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def run(engine: Engine, *statements: str) -> None:
    """Run statements in one transaction."""
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


async def source_over(
    url: str, checkpoints: MemoryCheckpoints, clock: Clock | None = None, **options: Any
) -> SqlSource:
    """A connected source over the table `t`."""
    values = {"url": url, "table": "t", "position": "id", "settle_seconds": 5.0, **options}
    source = SqlSource(SqlOptions.model_validate(values), clock or Clock())
    await source.connect(checkpoints)
    return source


async def read_all(source: SqlSource, checkpoints: MemoryCheckpoints) -> list[SourceRecord | MalformedRecord]:
    """Read, save and acknowledge until nothing is new."""
    records: list[SourceRecord | MalformedRecord] = []
    while (batch := source.read()) is not None:
        assert isinstance(batch, Batch)
        await acknowledge(batch, checkpoints)
        records += batch.records
    return records


def places(records: list[SourceRecord | MalformedRecord], *, bad: bool = False) -> list[str]:
    """The positions of the records that were read, or of those that could not be."""
    return [record.where["position"] for record in records if isinstance(record, MalformedRecord) == bad]


NUMBER = "9" * 5_000
ODD = {
    "date": ["'infinity'", "'-infinity'", "'0044-03-15 BC'", "'12026-01-01'"],
    "timestamp": ["'infinity'", "'0044-03-15 12:00 BC'"],
    "timestamptz": ["'-infinity'"],
    "time": ["'24:00'"],
    "daterange": ["'[2026-01-01,infinity)'"],
    "tsrange[]": ["ARRAY['[2026-01-01,infinity)'::tsrange]"],
    "numeric": ["'NaN'"],
    "float8": ["'infinity'", "'NaN'"],
    "jsonb": [
        "'{\"n\": 123456789012345678901234567890}'",
        f"'[{NUMBER}]'",
        "repeat('[', 200) || repeat(']', 200)",
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in ODD.items() for value in values]
)
async def test_a_value_that_cannot_be_carried_sets_only_its_row_aside(
    url: str, engine: Engine, kind: str, value: str
) -> None:
    """The row becomes a dead letter with table and position, its other columns known; the others go on."""
    run(
        engine,
        f"CREATE TABLE t (id serial PRIMARY KEY, ref text, v {kind})",
        "INSERT INTO t (ref) SELECT 'CASE-' || n FROM generate_series(1, 7) AS n",
        f"UPDATE t SET v = ({value})::{kind} WHERE id = 4",
    )
    checkpoints = MemoryCheckpoints()
    source = await source_over(url, checkpoints)
    records = await read_all(source, checkpoints)
    source.close()
    assert places(records) == ["1", "2", "3", "5", "6", "7"]
    (letter,) = (record for record in records if isinstance(record, MalformedRecord))
    assert letter.where == {"table": "t", "position": "4"}
    assert letter.data["ref"] == "CASE-4"
    assert "at `$.v`" in letter.problem
    assert b"CASE-4" in letter.raw
    assert "99999" not in letter.problem


async def test_a_view_that_fails_on_rows_gives_the_others(url: str, engine: Engine) -> None:
    """Two rows of ten divide by zero, one at each end."""
    run(
        engine,
        "CREATE TABLE base (id serial PRIMARY KEY, part int)",
        "INSERT INTO base (part) SELECT n * (n % 9 - 1) FROM generate_series(1, 10) AS n",
        "CREATE VIEW t AS SELECT id, part, 100 / part AS share FROM base",
    )
    checkpoints = MemoryCheckpoints()
    source = await source_over(url, checkpoints, key=["id"], batch_size=4)
    records = await read_all(source, checkpoints)
    source.close()
    assert places(records) == [str(n) for n in range(2, 10)]
    assert places(records, bad=True) == ["1", "10"]


async def test_bytes_that_are_no_text_set_only_their_row_aside(postgresql: str) -> None:
    """A database of encoding SQL_ASCII holds whatever it was given."""
    url = new_database(postgresql, "SQL_ASCII")
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(b"CREATE TABLE t (id serial PRIMARY KEY, ref text)")
        connection.execute(b"INSERT INTO t (ref) VALUES ('Zo\xc3\xab'), ('Zo\xeb'), ('Zoe')")
    checkpoints = MemoryCheckpoints()
    source = await source_over(url + "&client_encoding=utf8", checkpoints)
    records = await read_all(source, checkpoints)
    source.close()
    assert [record.data.get("ref") for record in records] == ["Zoë", None, "Zoe"]
    assert places(records, bad=True) == ["2"]


async def test_a_position_of_infinity_or_of_2999_makes_no_later_row_look_late(
    url: str, engine: Engine
) -> None:
    """Their rows are read once, and those of today that come after them are read too."""
    run(
        engine,
        "CREATE TABLE t (id serial PRIMARY KEY, changed timestamptz)",
        "INSERT INTO t (changed) VALUES ('infinity'), ('2999-01-01'), ('-infinity'), ('0044-03-15 BC'), "
        "('2026-01-01')",
    )
    checkpoints, clock = MemoryCheckpoints(), Clock()
    source = await source_over(url, checkpoints, clock, position="changed", key=["id"])
    records = await read_all(source, checkpoints)
    assert [record.data["id"] for record in records] == [3, 4, 5, 2, 1]
    assert len(places(records, bad=True)) == 3
    for day in range(2, 5):
        clock.now += 60
        run(engine, f"INSERT INTO t (changed) VALUES ('2026-01-0{day}')")
        (record,) = await read_all(source, checkpoints)
        assert record.where["position"].startswith(f"2026-01-0{day}")
    source.close()
    again = await source_over(url, checkpoints, clock, position="changed", key=["id"])
    assert await read_all(again, checkpoints) == []
    again.close()


@pytest.mark.parametrize("settle_seconds", [0.0, 5.0])
async def test_a_transaction_that_commits_late_is_never_missed(
    url: str, engine: Engine, settle_seconds: float
) -> None:
    """An hour late, across a restart, behind rows that were read long ago: it is read once, as are they."""
    run(engine, "CREATE TABLE t (id serial PRIMARY KEY, ref text)")
    checkpoints, clock = MemoryCheckpoints(), Clock()
    source = await source_over(url, checkpoints, clock, settle_seconds=settle_seconds)
    with engine.connect() as late:
        late.execute(text("INSERT INTO t (ref) VALUES ('late')"))
        run(engine, "INSERT INTO t (ref) VALUES ('second'), ('third')")
        found = places(await read_all(source, checkpoints))
        for _ in range(6):
            clock.now += 600
            run(engine, "INSERT INTO t (ref) VALUES ('more')")
            found += places(await read_all(source, checkpoints))
        source.close()
        source = await source_over(url, checkpoints, clock, settle_seconds=settle_seconds)
        assert await read_all(source, checkpoints) == []
        clock.now += 600
        assert await read_all(source, checkpoints) == []
        late.commit()
    found += places(await read_all(source, checkpoints))
    assert found == ["2", "3", "4", "5", "6", "7", "8", "9", "1"]
    for _ in range(3):
        clock.now += 600
        assert await read_all(source, checkpoints) == []
    source.close()


async def test_a_column_that_the_mapping_does_not_read_may_be_forbidden(url: str, engine: Engine) -> None:
    """A grant of the columns that are read is enough, and a type without a place in JSON is no matter."""
    run(
        engine,
        "CREATE TABLE t (id serial PRIMARY KEY, ref text, secret text, ip inet DEFAULT '10.0.0.1')",
        "INSERT INTO t (ref) VALUES ('CASE-1')",
        "DROP ROLE IF EXISTS reader",
        "CREATE ROLE reader LOGIN",
        "GRANT SELECT (id, ref) ON t TO reader",
    )
    checkpoints = MemoryCheckpoints()
    source = await source_over(url.replace("govbus@", "reader@"), checkpoints)
    source.keep_columns(frozenset({"ref"}))
    (record,) = await read_all(source, checkpoints)
    source.close()
    assert record.data == {"id": 1, "ref": "CASE-1"}
    run(engine, "DROP OWNED BY reader", "DROP ROLE reader")
