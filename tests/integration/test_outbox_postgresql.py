"""Who adds an event on PostgreSQL holds its key until commit, and nothing else."""

import threading
import time
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, Engine, create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from bus import Draft, Outbox, UsageError
from bus.database.key_order import MOST_KEYS
from connectors.outbox import OutboxOptions, OutboxSource
from tests.postgresql import new_database
from tests.small_catalog import SmallCountry, case


@pytest.fixture
def outbox(country: SmallCountry) -> Outbox:
    """The outbox of `north`."""
    return Outbox(country.north, catalog=country.catalog)


@pytest.fixture
def url(postgresql: str) -> str:
    """A database of its own."""
    return new_database(postgresql)


@pytest.fixture
def engine(url: str, outbox: Outbox) -> Iterator[Engine]:
    """A database with the outbox."""
    engine = create_engine(url)
    outbox.table.create(engine)
    yield engine
    engine.dispose()


def keys(engine: Engine, outbox: Outbox) -> list[str]:
    """The keys of the rows that can be seen, in order of position."""
    with engine.connect() as connection:
        query = select(outbox.table.c.partition_key).order_by(outbox.table.c.position)
        return list(connection.scalars(query))


def impatient(connection: Connection) -> Connection:
    """A connection that does not wait for a lock."""
    connection.execute(text("SET lock_timeout = '50ms'"))
    connection.commit()
    return connection


def test_an_open_transaction_holds_up_its_own_keys_only(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """Its key waits for its commit; others are added, seen and relayed meanwhile, below and above it."""
    with engine.connect() as first, engine.connect() as other, impatient(engine.connect()) as second:
        outbox.add(first, country.opened, case(1), key="a", version="1.0")
        outbox.add(other, country.opened, case(2), key="b", version="1.0")
        other.commit()
        with pytest.raises(OperationalError, match="lock timeout"):
            outbox.add(second, country.opened, case(3), key="a", version="1.0")
        second.rollback()
        assert keys(engine, outbox) == ["b"]
        first.commit()
        outbox.add(second, country.opened, case(4), key="a", version="1.0")
        second.commit()
    assert keys(engine, outbox) == ["a", "b", "a"]


def test_very_many_keys_at_once_hold_the_whole_outbox(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """More than the database has locks for are added in one transaction, and still keep their order."""
    many = [Draft(case(number), key=f"key-{number}") for number in range(20_000)]
    with engine.connect() as first, impatient(engine.connect()) as second:
        assert len(many) > MOST_KEYS
        outbox.add_many(first, country.opened, many, version="1.0")
        with pytest.raises(OperationalError, match="lock timeout"):
            outbox.add(second, country.opened, case(), key="key-19999", version="1.0")
        second.rollback()
        first.commit()
        outbox.add(second, country.opened, case(), key="key-19999", version="1.0")
        second.commit()
    assert keys(engine, outbox) == [f"key-{number}" for number in range(20_000)] + ["key-19999"]


def test_calls_with_many_keys_never_wait_for_each_other_in_a_circle(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """Two programs that add the same keys in opposite orders, both held up at the middle one, succeed."""
    faults: list[BaseException] = []

    def add(names: list[str]) -> None:
        try:
            with engine.begin() as connection:
                outbox.add_many(
                    connection, country.opened, [Draft(case(), key=name) for name in names], version="1.0"
                )
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test must see it
            faults.append(error)

    names = [f"key-{number}" for number in range(9)]
    threads = [threading.Thread(target=add, args=(order,)) for order in (names, names[::-1])]
    with engine.begin() as middle:
        outbox.add(middle, country.opened, case(), key=names[4], version="1.0")
        for thread in threads:
            thread.start()
        until_waiting(engine, 2)
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(keys(engine, outbox)) == 1 + 2 * len(names)


def until_waiting(engine: Engine, transactions: int) -> None:
    """Return once that many transactions wait for a lock."""
    query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    for _ in range(500):
        with engine.connect() as connection:
            if connection.execute(query).scalar_one() == transactions:
                return
        time.sleep(0.02)
    raise AssertionError("expected transactions that wait, got none")


def test_two_outboxes_of_one_database_do_not_wait_for_each_other(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """The same key in another table is another key."""
    other = Outbox(country.north, catalog=country.catalog, table="other_outbox")
    other.table.create(engine)
    with engine.connect() as first, impatient(engine.connect()) as second:
        outbox.add(first, country.opened, case(), key="a", version="1.0")
        other.add(second, country.opened, case(), key="a", version="1.0")


async def test_a_coroutine_adds_through_its_async_session(
    url: str, engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """`run_sync` of an AsyncSession shares its transaction; text and its rarities come back as they went."""
    asynchronous = create_async_engine(url)
    async with AsyncSession(asynchronous) as session:
        await session.run_sync(outbox.add, country.opened, case(), key="rolled-back", version="1.0")
        await session.rollback()
        await session.run_sync(outbox.add, country.opened, case(padding="ä\0€"), key="kept", version="1.0")
        await session.commit()
        with pytest.raises(UsageError, match="run_sync"):
            outbox.add(session, country.opened, case(), version="1.0")  # type: ignore[arg-type]
    await asynchronous.dispose()
    source = OutboxSource(OutboxOptions(url=SecretStr(url)))
    source.check()
    batch = source.read()
    source.close()
    assert batch is not None
    assert [record.data["data"] for record in batch.records if hasattr(record, "data")] == [
        case(padding="ä\0€")
    ]
