"""The tables of the monitor's database, their version, and how the database is opened.

Law of this file: a row of `publishes` or `deliveries` is a receipt, one column for each field; `transactions`
and `totals` follow from them and are written in the same database transaction. Times are integer microseconds
since the epoch. Each key begins with the transaction, so that the receipts of one transaction lie together.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    FromClause,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    inspect,
    literal_column,
    or_,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from bus import text_fault
from observability.errors import StoreError

SCHEMA_VERSION = 10
"""Raise it with every change of a table; a database of another version is refused."""

BUSY_SECONDS = 30
"""How long a writer waits for another writer of the same SQLite file."""

metadata = MetaData()


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


def _whole(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=False, **options)


def _keys(*names: str) -> Iterator[Column[str]]:
    return (_text(name, primary_key=True) for name in names)


def _place() -> Iterator[Column[Any]]:
    yield from _keys("topic")
    yield Column("partition", Integer, primary_key=True, autoincrement=False)
    yield Column("offset", BigInteger, primary_key=True, autoincrement=False)


publishes = Table(
    "publishes",
    metadata,
    *_keys("transaction", "source", "event_id"),
    _text("type"),
    _text("version"),
    _text("agency"),
    Column("service", Text),
    Column("causation", Text),
    _text("outcome"),
    Column("reason", Text),
    _text("topic"),
    Column("partition", Integer, nullable=False),
    *(_whole(name) for name in ("offset", "broker_time_us", "started_at_us", "recorded_us")),
    *(_whole(name) for name in ("event_time_us", "skew_us", "size_bytes")),
    _text("data_hash"),
    Column("origin", Text),
    Index("publishes_agency", "agency", "broker_time_us"),
    Index("publishes_place", "topic", "partition", "broker_time_us", "offset"),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    *_keys("transaction", "source", "event_id", "agency", "subscription"),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    _text("outcome", primary_key=True),
    _text("type"),
    _text("version"),
    _text("purpose"),
    Column("service", Text),
    Column("causation", Text),
    Column("reason", Text),
    _text("topic"),
    Column("partition", Integer, nullable=False),
    *(_whole(name) for name in ("offset", "broker_time_us", "started_at_us", "received_us")),
    *(_whole(name) for name in ("finished_us", "skew_us", "size_bytes")),
    _text("data_hash"),
    Index("deliveries_agency", "agency", "finished_us"),
    Index("deliveries_service", "service", "finished_us"),
    sqlite_with_rowid=False,
)

# SQLite uses a partial index only for a condition written with the same literals, so queries share these.
given_up = deliveries.c.outcome == literal_column("'dead-letter'")
Index("dead_letters", deliveries.c.finished_us, sqlite_where=given_up, postgresql_where=given_up)


def tells_of_place(rows: FromClause) -> ColumnElement[bool]:
    """Return whether a delivery only tells where a subscription is in a partition."""
    outcomes = ("displaced", "halted", "resumed")
    return or_(*(rows.c.outcome == literal_column(f"'{outcome}'") for outcome in outcomes))


_tells = tells_of_place(deliveries)
Index("places", deliveries.c.finished_us, sqlite_where=_tells, postgresql_where=_tells)

set_aside = publishes.c.outcome == literal_column("'dead-letter'")
Index("set_aside", publishes.c.broker_time_us, sqlite_where=set_aside, postgresql_where=set_aside)

transactions = Table(
    "transactions",
    metadata,
    _text("id", primary_key=True),
    Column("service", Text),
    Column("tracked", Boolean, nullable=False),
    Column("started_us", BigInteger),
    Column("completed_us", BigInteger),
    Column("late_at_us", BigInteger),
    Column("stuck_at_us", BigInteger),
    _whole("last_us"),
    _whole("kept_refusals"),
    Index("transactions_completed", "service", "completed_us", "started_us"),
    Index("transactions_started", "started_us"),
    Index("transactions_last", "last_us"),
    Index("transactions_service_started", "service", "started_us"),
)

in_flight = (
    transactions.c.tracked & transactions.c.started_us.is_not(None) & transactions.c.completed_us.is_(None)
)
Index(
    "transactions_in_flight",
    transactions.c.service,
    transactions.c.stuck_at_us,
    transactions.c.late_at_us,
    sqlite_where=in_flight,
    postgresql_where=in_flight,
)

completed_late = transactions.c.completed_us > transactions.c.late_at_us
Index(
    "transactions_late",
    transactions.c.started_us,
    sqlite_where=completed_late,
    postgresql_where=completed_late,
)

waits = Table(
    "waits",
    metadata,
    *_keys("transaction", "event"),
    _text("agency"),
    _text("subject"),
    _whole("since_us"),
    Column("received", Boolean, nullable=False),
    Index("waits_owed", "agency", "since_us"),
)
"""What transactions in flight wait for: `subject` is the event that `agency` should answer."""

not_received = ~waits.c.received
Index(
    "waits_not_received",
    waits.c.agency,
    waits.c.subject,
    waits.c.since_us,
    sqlite_where=not_received,
    postgresql_where=not_received,
)

heads = Table(
    "heads",
    metadata,
    _text("topic", primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    _whole("broker_time_us"),
    _whole("offset"),
)

reports = Table(
    "reports",
    metadata,
    *_keys("agency", "subscription", "topic"),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    *(_whole(name) for name in ("broker_time_us", "offset")),
    *(_whole(name) for name in ("first_us", "received_us", "handled_us", "finished_us")),
    Index("reports_topic", "topic"),
)

totals = Table(
    "totals",
    metadata,
    *_keys("scope", "name", "measure"),
    _whole("value"),
)

definitions = Table("definitions", metadata, _text("service", primary_key=True), _text("digest"))

undecodable = Table(
    "undecodable",
    metadata,
    *_place(),
)

refusals = Table(
    "refusals",
    metadata,
    *_keys("speaker", "fault"),
    *_place(),
)

disbelieved = Table(
    "disbelieved",
    metadata,
    *_keys("speaker", "fault"),
    _whole("receipts"),
    _whole("noted_us"),
    _text("about"),
)
"""How much of each speaker is not believed; when the latest was noted, and whom it is about."""

unchecked = Table(
    "unchecked",
    metadata,
    *_keys("transaction", "source", "event_id"),
    _whole("written_us"),
    Column("undated", Boolean, nullable=False),
)

undated_topics = Table("undated_topics", metadata, _text("topic", primary_key=True))
"""Topics that kept the times of their publishers once."""

dated_from = Table(
    "dated_from",
    metadata,
    _text("topic", primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    _whole("offset"),
)
"""The first offset of a partition of such a topic that has the broker's time, since it was set back."""

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))


def open_engine(url: str) -> Engine:
    """Return an engine on the database at `url`, after creating the tables if it is empty.

    SQLite runs in WAL mode, so that readers never wait for the writer, and with `synchronous=FULL`: an
    applied batch survives a power cut, because it is not read from Kafka again. PostgreSQL runs at REPEATABLE
    READ, so that two monitors cannot both count the same receipt during a rebalance.

    Raises:
        StoreError: the URL is wrong, the database does not answer, or it has another version.
    """
    try:
        engine = _engine(_parsed(url))
    except (ArgumentError, ValueError, ImportError, OSError) as error:
        raise StoreError.unusable(url, error) from None
    try:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            _prepare(connection)
    except (SQLAlchemyError, TypeError, ValueError) as error:  # of the driver, for an option of the URL
        engine.dispose()
        raise StoreError.unusable(url, error) from None
    except StoreError:
        engine.dispose()
        raise
    return engine


def database_file(url: str) -> Path | None:
    """Return the file of a SQLite URL, None for any other database or one in memory.

    Raises:
        StoreError: the URL is wrong.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def with_password(url: str, password: str) -> str:
    """Return a URL with a password, where it names a server and has none.

    Raises:
        StoreError: the URL is wrong.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite" or parsed.password is not None:
        return url
    return parsed.set(password=password).render_as_string(hide_password=False)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        raise StoreError.unusable(url, error) from None


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, isolation_level="REPEATABLE READ")
        event.listen(engine, "connect", _require_texts, insert=True)  # before SQLAlchemy reads a text
        return engine
    file = database_file(url.render_as_string(hide_password=False))
    if file is not None:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _tune_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _require_texts(connection: object, _record: object) -> None:
    if fault := text_fault(connection):
        raise StoreError.texts(fault)


def _tune_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # `_begin_sqlite` sends BEGIN: the driver would send it too late.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-65536", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock first: a reader that becomes a writer fails instead of waiting.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare(connection: Connection) -> None:
    found = set(inspect(connection).get_table_names())
    if schema_version.name in found:
        version = connection.scalar(select(schema_version.c.version))
        if version != SCHEMA_VERSION:
            raise StoreError.other_version(version, SCHEMA_VERSION)
        return
    if foreign := sorted(found & set(metadata.tables)):
        raise StoreError.foreign_tables(foreign)
    metadata.create_all(connection, checkfirst=False)
    connection.execute(schema_version.insert().values(version=SCHEMA_VERSION))
