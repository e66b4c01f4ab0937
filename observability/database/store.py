"""The monitor's memory: receipts in, views out.

Law of this file: applying the same receipts again, in any order, changes nothing. Every read answers for
the moment of the read; every number that needs a sample takes it from a bounded window, never from all rows.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from time import sleep
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from bus import Backoff, DeliveryReceipt, PublishReceipt
from contracts import Catalog, Service
from observability.database import intake, queries
from observability.database.intake import Place
from observability.database.schema import open_engine
from observability.database.services import measure
from observability.errors import StoreError
from observability.transaction_view import microseconds
from observability.views import (
    AgencyView,
    BreakdownView,
    DeadLetterView,
    ServiceView,
    State,
    SummaryView,
    TransactionView,
)

Answer = TypeVar("Answer")

TRIES = 8
"""How often a batch is written before a conflict with another writer is an error."""

BACKOFF = Backoff(first_seconds=0.01)
"""The waits between the tries."""


class Store:
    """Transactions, kept in any database SQLAlchemy reaches; SQLite and PostgreSQL are tested.

    Safe to share between threads. Close it, or use it as a context manager. A reader and a writer may
    have the same SQLite file open in two processes.

    Args:
        url: SQLAlchemy database URL, for example `sqlite:////var/lib/govbus/monitor.db`.
        services: the service definitions by name; None takes the packaged reference catalogue's.
        clock: the reader's time of day, to tell what is overdue.

    Raises:
        StoreError: the database cannot be opened, or another version of govbus wrote it.
    """

    def __init__(
        self,
        url: str,
        services: Mapping[str, Service] | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.url = url
        self._definitions = Catalog.open().services if services is None else services
        self._clock = clock
        self._engine = open_engine(url)
        self._follows = False

    def apply(
        self, receipts: Iterable[PublishReceipt | DeliveryReceipt], undecodable: Iterable[Place] = ()
    ) -> int:
        """Keep receipts in one database transaction and return how many of them were news.

        Args:
            receipts: late, doubled and in any order as they may be.
            undecodable: where the records are that held no receipts; each is counted once.

        Raises:
            StoreError: the database failed, and nothing of the batch was kept.
        """
        batch, places = list(receipts), list(undecodable)
        for attempt in range(1, TRIES + 1):
            try:
                return self._write(batch, places)
            except DBAPIError as error:
                if not _is_conflict(error):
                    raise StoreError.unusable(self.url, error) from error
            sleep(BACKOFF.wait_seconds(attempt))
        raise StoreError.conflict()

    def summary(self) -> SummaryView:
        """Return totals over everything held, and how fresh it is."""
        return self._read(lambda connection: queries.summarize(connection, self._now_us()))

    def transactions(
        self, state: State | None = None, service: str | None = None, limit: int = 50
    ) -> tuple[TransactionView, ...]:
        """Return transactions with hops and waits, newest start first; `late` and `stuck` longest first.

        Args:
            state: None for all but refused ones; "open" means all not completed (late and stuck among
                them), "late" all past the deadline, completed or not. `TransactionView.state` is the
                telling word of each.
            service: only this service's.
            limit: at most this many.
        """
        return self._read(
            lambda connection: queries.find_transactions(
                connection, self._definitions, self._now_us(), state=state, service=service, limit=limit
            )
        )

    def transaction(self, transaction_id: str) -> TransactionView | None:
        """Return one transaction, or None when no receipt names it."""
        return self._read(
            lambda connection: queries.find_transaction(
                connection, self._definitions, transaction_id, self._now_us()
            )
        )

    def services(self) -> tuple[ServiceView, ...]:
        """Return every service of the catalogue in the order of its names, measured."""
        return self._read(lambda connection: measure(connection, self._definitions, self._now_us()))

    def breakdown(self, service: str) -> BreakdownView:
        """Return where the time of one service goes, per milestone and per delivery path.

        Raises:
            StoreError: the catalogue has no such service.
        """
        if service not in self._definitions:
            raise StoreError.unknown_service(service, self._definitions)
        return self._read(lambda connection: queries.break_down(connection, self._definitions[service]))

    def agencies(self) -> tuple[AgencyView, ...]:
        """Return every agency that left a receipt, in the order of their names."""
        return self._read(queries.find_agencies)

    def dead_letters(self, limit: int = 50) -> tuple[DeadLetterView, ...]:
        """Return deliveries given up and records of sources that never became an event, newest first."""
        return self._read(lambda connection: queries.find_dead_letters(connection, limit))

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def dead_letter_reasons(self) -> Mapping[tuple[str, str], int]:
        """Return how many unresolved dead letters there are by agency and reason."""
        return self._read(queries.dead_letters_by_reason)

    def _now_us(self) -> int:
        return microseconds(self._clock())

    def _read(self, query: Callable[[Connection], Answer]) -> Answer:
        try:
            with self._engine.connect() as connection, connection.begin():
                return query(connection)
        except SQLAlchemyError as error:
            raise StoreError.unusable(self.url, error) from error

    def _write(self, batch: list[PublishReceipt | DeliveryReceipt], places: list[Place]) -> int:
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            if not self._follows:
                intake.follow(connection, self._definitions)
            news = intake.apply(connection, self._definitions, batch, places)
        self._follows = True
        return news


def _is_conflict(error: DBAPIError) -> bool:
    # 40001 and 40P01 are SQL's serialization failure and PostgreSQL's deadlock.
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) in ("40001", "40P01")
