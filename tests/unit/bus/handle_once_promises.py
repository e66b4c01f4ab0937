"""What a ledger of handled events promises on every database; subclass with a `url`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    func,
    insert,
    select,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from bus import HandledEvents, IdReusedError, Reason, UsageError
from tests.unit.bus.events import delivered

DATA = {"reference": "BRT-2026-7K3Q9X"}


class Clock:
    """A clock that goes when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.now


class Base(DeclarativeBase):
    """The ORM's models of these tests."""


class Opened(Base):
    """An effect that the ORM writes."""

    __tablename__ = "opened"

    id: Mapped[str] = mapped_column(primary_key=True)


class HandleOncePromises:
    """The promises."""

    @pytest.fixture
    def engine(self, url: str) -> Iterator[Engine]:
        """The handler's database."""
        engine = create_engine(url)
        self.prepare(engine)
        yield engine
        engine.dispose()

    def prepare(self, engine: Engine) -> None:
        """Change the engine before it is used."""

    @pytest.fixture
    def ledger(self, engine: Engine) -> HandledEvents:
        """A ledger beside a table of effects."""
        metadata = Base.metadata
        self.clock = Clock()
        handled = HandledEvents("open-records", metadata=metadata, now=self.clock)
        metadata.create_all(engine)
        return handled

    def test_an_event_is_new_once(self, engine: Engine, ledger: HandledEvents) -> None:
        """The second time, in the same transaction or a later one, it is not."""
        event = delivered("e1", DATA)
        with engine.begin() as connection:
            assert [ledger.once(connection, event), ledger.once(connection, event)] == [True, False]
        with engine.begin() as connection:
            assert not ledger.once(connection, event)
            assert ledger.once(connection, delivered("e2", DATA))
            assert ledger.once(connection, delivered("e1", DATA, "urn:govbus:civil-registry:other"))

    def test_a_rollback_forgets(self, engine: Engine, ledger: HandledEvents) -> None:
        """What was not committed was not handled."""
        event = delivered("e1", DATA)
        with engine.connect() as connection:
            assert ledger.once(connection, event)
            connection.rollback()
            assert ledger.once(connection, event)

    def test_a_session_of_the_orm_commits_both(self, engine: Engine, ledger: HandledEvents) -> None:
        """The ledger's row goes with the session's objects."""
        event = delivered("e1", DATA)
        for _ in range(2):
            with Session(engine) as session, session.begin():
                if ledger.once(session, event):
                    session.add(Opened(id="r1"))
        with Session(engine) as session:
            assert session.scalar(select(func.count()).select_from(Opened)) == 1
            assert session.scalar(select(func.count()).select_from(ledger.table)) == 1

    def test_subscriptions_handle_for_themselves(self, engine: Engine, ledger: HandledEvents) -> None:
        """Two subscriptions share the table, not the events."""
        other = HandledEvents("print-letters", metadata=Base.metadata)
        event = delivered("e1", DATA)
        with engine.begin() as connection:
            assert [ledger.once(connection, event), other.once(connection, event)] == [True, True]
            assert other.table is ledger.table

    def test_other_data_under_the_same_id_is_refused(self, engine: Engine, ledger: HandledEvents) -> None:
        """The error is final, names both hashes, and quotes nothing; the first effect stands."""
        with engine.begin() as connection:
            ledger.once(connection, delivered("e1", DATA))
        with engine.begin() as connection, pytest.raises(IdReusedError) as caught:
            ledger.once(connection, delivered("e1", {"reference": "BRT-2026-OTHER"}))
        error = caught.value
        assert (error.retriable, error.reason) == (False, Reason.ID_REUSED)
        assert error.handled_hash in str(error)
        assert error.got_hash in str(error)
        assert error.handled_hash != error.got_hash
        assert "BRT" not in str(error)

    def test_ids_of_any_form_are_told_apart(self, engine: Engine, ledger: HandledEvents) -> None:
        """Long ids, ids that differ in case, in a trailing space or by a character of no width."""
        ids = ["a", "A", "a ", "a\u200b", "x" * 4_000, "x" * 4_001, "ä", "a\u0308"]
        events = [delivered(event_id, DATA) for event_id in ids]
        with engine.begin() as connection:
            assert [ledger.once(connection, event) for event in events] == [True] * len(ids)
            assert [ledger.once(connection, event) for event in events] == [False] * len(ids)

    def test_what_is_old_can_be_forgotten(self, engine: Engine, ledger: HandledEvents) -> None:
        """Pruning takes this subscription's rows of the given age, and no others."""
        other = HandledEvents("print-letters", metadata=Base.metadata, now=self.clock)
        with engine.begin() as connection:
            ledger.once(connection, delivered("old", DATA))
            other.once(connection, delivered("old", DATA))
        self.clock.now += timedelta(days=40)
        with engine.begin() as connection:
            ledger.once(connection, delivered("young", DATA))
        with engine.begin() as connection:
            assert ledger.prune(connection, older_than_days=40.5) == 0
            assert ledger.prune(connection, older_than_days=39.5) == 1
            assert ledger.once(connection, delivered("old", DATA))
            assert not ledger.once(connection, delivered("young", DATA))
            assert not other.once(connection, delivered("old", DATA))

    def test_a_connection_that_commits_by_itself_is_refused(
        self, engine: Engine, ledger: HandledEvents
    ) -> None:
        """The ledger's row would stand without the effect."""
        event = delivered("e1", DATA)
        with (
            engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
            pytest.raises(UsageError, match="AUTOCOMMIT"),
        ):
            ledger.once(connection, event)

    def test_a_savepoint_of_the_handler_takes_its_row_back(
        self, engine: Engine, ledger: HandledEvents
    ) -> None:
        """The ledger follows the handler's own savepoints."""
        event = delivered("e1", DATA)
        with engine.connect() as connection:
            _begin(connection)
            point = connection.begin_nested()
            assert ledger.once(connection, event)
            point.rollback()
            assert ledger.once(connection, event)


def _begin(connection: Connection) -> None:
    """Begin with a write: Python's driver of SQLite opens no transaction for a savepoint alone."""
    table = Table("opened", MetaData(), Column("id", String))
    connection.execute(insert(table).values(id="before"))
