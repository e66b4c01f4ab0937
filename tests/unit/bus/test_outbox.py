"""An outbox keeps what a transaction committed, and gives it to the bus as if it had been published there."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, use_span
from sqlalchemy import Engine, create_engine, func, make_url, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateTable

from bus import (
    ContractViolationError,
    Draft,
    EnvelopeError,
    EventTooLargeError,
    NotJsonError,
    Outbox,
    OutboxEvent,
    PublishManyError,
    UsageError,
)
from bus.testing import InMemoryBus, InMemoryCluster
from contracts import UnknownContractError
from tests.small_catalog import SmallCountry, case
from tests.unit.bus.events import delivered

NOON = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)


class Base(DeclarativeBase):
    """The ORM's models of these tests."""


class Business(Base):
    """A business row."""

    __tablename__ = "business"

    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A small country with names of its own."""
    return SmallCountry(tmp_path / "catalog")


@pytest.fixture
def outbox(country: SmallCountry) -> Outbox:
    """The outbox of `north`."""
    return Outbox(country.north, catalog=country.catalog)


@pytest.fixture
def engine(tmp_path: Path, outbox: Outbox) -> Iterator[Engine]:
    """A database with the outbox and a business table."""
    engine = create_engine(f"sqlite:///{tmp_path / 'north.db'}")
    outbox.table.create(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def events(engine: Engine, outbox: Outbox) -> list[OutboxEvent]:
    """Every event of the outbox, in order."""
    with engine.connect() as connection:
        query = select(*outbox.table.columns).order_by(outbox.table.c.position)
        return [OutboxEvent.read(row) for row in connection.execute(query)]


def test_what_is_committed_stands_there_and_what_is_rolled_back_does_not(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """An event shares the fate of its business row."""
    with Session(engine) as session:
        session.add(Business(id=1))
        outbox.add(session, country.opened, case(1), version="1.0")
        session.rollback()
        session.add(Business(id=2))
        kept = outbox.add(session, country.opened, case(2), version="1.0")
        session.commit()
    (event,) = events(engine, outbox)
    assert (event.draft.id, event.draft.data) == (kept, case(2))
    assert (event.subject, event.version, event.draft.key) == (country.opened, "1.0", "case-0001")


def test_a_session_is_flushed_before_the_event_is_numbered(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """The business row, with its lock, comes before the event's position."""
    with Session(engine) as session:
        session.add(Business(id=1))
        outbox.add(session, country.opened, case(), version="1.0")
        assert not session.new


def test_a_broken_event_fails_with_every_violation(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """The business row goes with it."""

    def write() -> None:
        with Session(engine) as session, session.begin():
            session.add(Business(id=1))
            outbox.add(session, country.opened, {"reference": 7, "surplus": 1}, version="1.0")

    with pytest.raises(ContractViolationError) as caught:
        write()
    assert len(caught.value.violations) == 3
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(Business)) == 0
    assert events(engine, outbox) == []


def test_one_broken_event_of_many_writes_none(engine: Engine, outbox: Outbox, country: SmallCountry) -> None:
    """All are checked before the first is written, so a caller that goes on has written nothing."""
    with engine.begin() as connection:
        with pytest.raises(PublishManyError, match="index 1 failed; none of"):
            outbox.add_many(connection, country.opened, [case(1), {}], version="1.0")
        assert outbox.add_many(connection, country.opened, [], version="1.0") == []
    assert events(engine, outbox) == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"key": "k" * 257}, EnvelopeError),
        ({"id": "i" * 256}, EnvelopeError),
        ({"ce_subject": ""}, EnvelopeError),
        ({"time": datetime(2026, 3, 1)}, EnvelopeError),  # noqa: DTZ001 - the fault
        ({"data": case(padding="x" * 3_000)}, EventTooLargeError),
        ({"subject": "no-such.event"}, UnknownContractError),
    ],
)
def test_what_may_not_travel_is_refused_when_it_is_added(
    engine: Engine, outbox: Outbox, country: SmallCountry, options: dict[str, Any], error: type[Exception]
) -> None:
    """Whatever the bus would refuse later, the outbox refuses now."""
    with engine.begin() as connection, pytest.raises(error):
        outbox.add(connection, **{"subject": country.opened, "data": case(), **options}, version="1.0")
    assert events(engine, outbox) == []


def test_another_agencys_event_is_refused(engine: Engine, outbox: Outbox, country: SmallCountry) -> None:
    """An agency publishes facts about its own domain only."""
    with engine.begin() as connection, pytest.raises(UsageError, match="domain"):
        outbox.add(connection, country.closed, case(), version="1.0")


def test_a_connection_that_commits_by_itself_is_refused(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """The event would stand without its business row."""
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(UsageError, match="AUTOCOMMIT"),
    ):
        outbox.add(connection, country.opened, case(), version="1.0")


async def test_the_bus_publishes_it_as_if_it_had_been_given_to_it(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """Key, data, and every header but the recording time are those of `Bus.publish`; twice the same."""
    cause = delivered("e1", {})
    cluster = InMemoryCluster(country.catalog)
    given: list[dict[str, Any]] = [
        {"id": "1", "time": NOON, "ce_subject": "s", "service": "one-case", "transaction": "t", "key": "k"},
        {"id": "2", "time": NOON, "cause": cause},
        {"id": "3", "time": NOON, "cause": cause, "service": "one-case"},
        {"id": "4", "time": NOON},
    ]
    async with InMemoryBus(country.north, cluster=cluster) as bus:
        for options in given:
            await bus.publish(country.opened, case(half=0.5, padding="ä\0"), **options, version="1.0")
        with engine.begin() as connection:
            for options in given:
                outbox.add(
                    connection, country.opened, case(half=0.5, padding="ä\0"), **options, version="1.0"
                )
    for _ in range(2):  # each from a process of its own, which knows of no other
        async with InMemoryBus(country.north, cluster=cluster) as bus:
            for event in events(engine, outbox):
                await bus.submit(event.subject, event.draft, version=event.version, cause=event.cause)
    records = [
        (record.key, record.value, [header for header in record.headers if header[0] != "ce_recordedtime"])
        for record in sorted(cluster.records(country.topic), key=lambda record: record.timestamp)
    ]
    by_id: dict[Any, list[Any]] = {}
    for record in records:
        by_id.setdefault(dict(record[2])["ce_id"], []).append(record)
    assert [len(same) for same in by_id.values()] == [3] * 4
    assert all(same[0] == other for same in by_id.values() for other in same)


def test_what_the_bus_would_make_up_is_made_up_once(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """Id, time and the transaction of a service stand in the row, so that publishing twice says the same."""
    with engine.begin() as connection:
        outbox.add(connection, country.opened, case(), service="one-case", version="1.0")
        outbox.add_many(
            connection, country.opened, [Draft(case(2), service="one-case"), case(3)], version="1.0"
        )
    first, second, third = events(engine, outbox)
    assert events(engine, outbox) == [first, second, third]
    assert first.draft.transaction is not None
    assert first.draft.transaction != second.draft.transaction
    assert (third.draft.transaction, third.cause) == (None, None)


@pytest.mark.parametrize(
    ("database", "kept"),
    [("mssql", "NTEXT"), ("mysql", "LONGTEXT"), ("oracle", "CLOB"), ("postgresql", "TEXT")],
)
def test_the_table_holds_text_of_any_script_and_size(database: str, kept: str, outbox: Outbox) -> None:
    """Some databases have a narrower type under the plain name."""
    dialect = make_url(f"{database}://").get_dialect()()
    assert f"data {kept} NOT NULL" in str(CreateTable(outbox.table).compile(dialect=dialect))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ('{"a": 1, "a": 2}', "each name once"),
        ('{"a": 18446744073709551616}', "64 bits"),
        ("{'a': 1}", "got other text"),
    ],
)
def test_data_of_a_row_that_readers_understand_differently_is_refused(data: str, fault: str) -> None:
    """Another program than this bus may have written the row; the message has no value."""
    with pytest.raises(NotJsonError, match=fault) as told:
        OutboxEvent.read((1, "1", "south.case-opened", "1.0", "k", NOON.isoformat(), data, None))
    assert "551616" not in str(told.value)


def test_an_event_goes_on_with_the_span_that_adds_it(
    engine: Engine, outbox: Outbox, country: SmallCountry
) -> None:
    """With tracing that of the handler; without it the context of the cause."""
    cause = delivered("e1", {})
    current = SpanContext(0xC, 0xD, is_remote=False, trace_flags=TraceFlags(1))
    with engine.begin() as connection:
        outbox.add(connection, country.opened, case(), cause=cause, version="1.0")
        with use_span(NonRecordingSpan(current)):
            outbox.add(connection, country.opened, case(), cause=cause, version="1.0")
    causes = [event.cause for event in events(engine, outbox)]
    assert [one and one.traceparent for one in causes] == [
        cause.traceparent, f"00-{'c'.zfill(32)}-{'d'.zfill(16)}-01",
    ]  # fmt: skip
