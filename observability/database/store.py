"""The monitor's database: receipts in, views out.

Law of this file: applying the same receipts again, in any order, changes nothing. A read shows the moment of
the read; what needs a sample takes it from a bounded window, never from all rows.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from time import sleep
from typing import Self, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from bus import Backoff, PublishReceipt, TopicPartition
from contracts import Catalog, Service
from observability.database import beliefs, dating, gone, intake, queries, reading, retention
from observability.database.intake import Place
from observability.database.schema import open_engine
from observability.errors import StoreError
from observability.evidence.dating import Dating
from observability.evidence.silence import SILENT_AFTER_SECONDS, Addressee
from observability.evidence.trust import Fault, Refusal, Word
from observability.identity import AnyReceipt, PublishKey, publish_key, stored_text
from observability.transaction_view import microseconds, moment_or_none
from observability.transaction_view import moment as moment_of
from observability.views import (
    AgencyView,
    BreakdownView,
    DeadLetterView,
    GonePlaceView,
    RefusalView,
    ServiceView,
    State,
    SubscriptionView,
    SummaryView,
    TransactionView,
)

Answer = TypeVar("Answer")

ATTEMPTS = 8
"""Attempts to write a batch while it conflicts with another writer."""

BACKOFF = Backoff(first_seconds=0.01)
"""Pauses between the attempts."""


class Store:
    """Receipts and transactions in a database that SQLAlchemy supports; SQLite and PostgreSQL are tested.

    Threads may share a store, and a reading and a writing process may share a SQLite file. Close it, or use
    it as a context manager.

    Args:
        url: SQLAlchemy database URL, for example `sqlite:////var/lib/govbus/monitor.db`.
        services: the service definitions by name; those of the project's catalogue if None.
        grants: which agency may receive which events; all that cases wait for if None.
        silent_after_seconds: how long an agency may receive nothing of what waits for it.
        keep: how long `prune` leaves the receipts of what has ended; for ever if None.
        clock: the current time on the broker's clock, which decides what is overdue; as the database has it
            from a monitor if absent.

    Raises:
        StoreError: the database cannot be opened, or another version of govbus created it.
    """

    def __init__(
        self,
        url: str,
        services: Mapping[str, Service] | None = None,
        *,
        grants: Collection[Addressee] | None = None,
        silent_after_seconds: float = SILENT_AFTER_SECONDS,
        keep: timedelta | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.url = url
        self._grants = grants
        self._silent_after_us = round(silent_after_seconds * 1_000_000)
        self._keep = keep
        self._definitions = Catalog.open().services if services is None else services
        self._clock = clock
        self._engine = open_engine(url)
        self._is_current = False

    def apply(
        self,
        receipts: Iterable[AnyReceipt],
        undecodable: Iterable[Place] = (),
        *,
        refused: Iterable[Refusal] = (),
        unchecked: Iterable[Word] = (),
        undated: Iterable[Word] = (),
    ) -> int:
        """Write receipts in one database transaction and return how many are new.

        Args:
            receipts: in any order; duplicates and late ones are allowed.
            undecodable: the places of records that held no receipts; each is counted once.
            refused: receipts that are not believed; each place is counted once.
            unchecked: which of the receipts their topics could not be asked about.
            undated: which of them are of topics that keep the times of publishers.

        Raises:
            StoreError: the database failed, and nothing of the batch was written.
        """
        batch, places = list(receipts), list(undecodable)
        faults, open_ones, undated_ones = list(refused), list(unchecked), list(undated)
        doubts = (*open_ones, *undated_ones)

        def write(connection: Connection) -> int:
            new = intake.apply(
                connection,
                self._definitions,
                batch,
                places,
                faults,
                doubted=[publish_key(w.receipt) for w in doubts if isinstance(w.receipt, PublishReceipt)],
                now_us=self._now_us(connection),
                grants=self._grants,
            )
            beliefs.remember(connection, open_ones, undated=False)
            beliefs.remember(connection, undated_ones, undated=True)
            return new

        return self._write(write)

    def unchecked(self, limit: int) -> list[Word]:
        """Return publishes that are believed unchecked and may be dated yet, by agencies in turn."""
        return self._read(lambda connection: beliefs.find_unchecked(connection, limit))

    def settle(
        self,
        confirmed: Iterable[PublishKey],
        refuted: Mapping[PublishKey, Fault],
        undated: Iterable[PublishKey] = (),
    ) -> None:
        """Write what the topics said of unchecked publishes.

        Args:
            confirmed: those that stay, and are asked about no more.
            refuted: those that are not believed any more, and why.
            undated: those whose topics keep the times of publishers.

        Raises:
            StoreError: the database failed, and nothing of it was written.
        """
        stay, without_time = list(confirmed), list(undated)

        def write(connection: Connection) -> int:
            beliefs.leave_undated(connection, without_time)
            beliefs.forget(connection, [*stay, *refuted])
            now_us = self._now_us(connection)
            intake.settle(connection, self._definitions, stay, refuted, now_us=now_us, grants=self._grants)
            return len(stay) + len(refuted)

        self._write(write)

    def dating(self) -> Dating:
        """Return which topics kept the times of their publishers, and since when they do not."""
        return self._read(dating.read_dating)

    def keep_dating(self, seen: Dating, dropped: Collection[TopicPartition] = ()) -> Dating:
        """Keep what a monitor saw of that, and return all that is known; what another saw first counts.

        Args:
            seen: what it saw.
            dropped: places that have the broker's time no more.

        Raises:
            StoreError: the database failed, and nothing of it was written.
        """
        return self._write(lambda connection: dating.keep_dating(connection, seen, dropped))

    def _write(self, write: Callable[[Connection], Answer]) -> Answer:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._in_one_transaction(write)
            except DBAPIError as error:
                if not _is_conflict(error):
                    raise StoreError.unusable(self.url, error) from None
            sleep(BACKOFF.wait_seconds(attempt))
        raise StoreError.conflict()

    def prune(self) -> int:
        """Delete some receipts of what ended longer ago than `keep`, and return of how many transactions.

        All counts stay. Call it again until it returns 0.

        Raises:
            StoreError: the database failed, and nothing was deleted.
        """
        if self._keep is None:
            return 0
        try:
            with self._writing() as connection:
                before_us = self._now_us(connection) - self._keep // timedelta(microseconds=1)
                return retention.prune(connection, before_us)
        except SQLAlchemyError as error:
            raise StoreError.unusable(self.url, error) from None

    def summary(self) -> SummaryView:
        """Return totals over all receipts, and the time of the newest one."""
        return self._read(lambda connection: queries.summarize(connection, self._moment(connection)))

    def transactions(
        self, state: State | None = None, service: str | None = None, limit: int = 50
    ) -> tuple[TransactionView, ...]:
        """Return transactions with their hops and waits, newest first; `late` and `stuck` oldest first.

        Args:
            state: None for all but refused ones; "open" for all not completed, late and stuck ones included;
                "late" for all past the deadline, completed or not.
            service: only of this service.
            limit: at most this many.
        """
        return self._read(
            lambda connection: queries.find_transactions(
                connection,
                self._definitions,
                self._moment(connection),
                state=state,
                service=service,
                limit=limit,
            )
        )

    def transaction(self, transaction_id: str) -> TransactionView | None:
        """Return one transaction, None if no receipt names it."""
        return self._read(
            lambda connection: queries.find_transaction(
                connection, self._definitions, stored_text(transaction_id), self._moment(connection)
            )
        )

    def transaction_ids(self, start: str, limit: int = 10) -> tuple[str, ...]:
        """Return ids of transactions that begin so, the newest first; that id alone if it is one."""
        stored = stored_text(start)
        found = self._read(lambda connection: queries.find_ids(connection, stored, limit))
        return (stored,) if stored in found else found

    def services(self) -> tuple[ServiceView, ...]:
        """Return every service of the catalogue with its measurements, sorted by name."""
        return self._read(
            lambda connection: queries.find_services(connection, self._definitions, self._moment(connection))
        )

    def breakdown(self, service: str) -> BreakdownView:
        """Return how long each milestone and each delivery path of a service takes.

        Raises:
            StoreError: the catalogue has no such service.
        """
        if service not in self._definitions:
            raise StoreError.unknown_service(service, self._definitions)
        return self._read(lambda connection: queries.break_down(connection, self._definitions[service]))

    def agencies(self) -> tuple[AgencyView, ...]:
        """Return every agency with receipts, sorted by name."""
        return self._read(lambda connection: queries.find_agencies(connection, self._moment(connection)))

    def subscriptions(self) -> tuple[SubscriptionView, ...]:
        """Return how far every subscription is behind, by agency, name and topic."""
        return self._read(lambda connection: queries.find_subscriptions(connection, self._moment(connection)))

    def dead_letters(self, limit: int = 50) -> tuple[DeadLetterView, ...]:
        """Return dead letters, of deliveries and of source records that became no event, newest first."""
        return self._read(lambda connection: queries.find_dead_letters(connection, limit))

    def gone_places(self, limit: int = 50) -> tuple[GonePlaceView, ...]:
        """Return places of subscriptions that were gone; those that wait for an operator first."""
        return self._read(lambda connection: gone.find_gone_places(connection, limit))

    def gone_counts(self) -> tuple[gone.GoneCount, ...]:
        """Return how often places were gone, by agency, topic and reason."""
        return self._read(gone.count_gone_places)

    def refusals(self) -> tuple[RefusalView, ...]:
        """Return how many receipts of each agency are not believed, why, and whom the latest is about."""
        return self._read(queries.find_refusals)

    def not_checked(self) -> tuple[RefusalView, ...]:
        """Return how many publishes of each agency count although no topic has confirmed them."""
        return self._read(beliefs.count_unchecked)

    def read_until(self) -> datetime | None:
        """Return up to when everything that was written is in the database; None if no monitor has said so.

        It is on the broker's clock, as a monitor knows it. It also answers whether the database can be read.
        """
        return moment_or_none(self._read(reading.read_until_us))

    def now(self) -> datetime:
        """Return the broker's time, as a monitor knows it; that of the database until one has told it."""
        return self._clock() if self._clock is not None else moment_of(self._read(reading.now_us))

    def _now_us(self, connection: Connection) -> int:
        return reading.now_us(connection) if self._clock is None else microseconds(self._clock())

    def note_read_until(self, moment: datetime) -> None:
        """Note up to when everything that was written is in the database.

        Raises:
            StoreError: the database failed.
        """
        try:
            with self._writing() as connection:
                now_us = None if self._clock is None else microseconds(self._clock())
                reading.note_read_until(connection, microseconds(moment), now_us)
        except SQLAlchemyError as error:
            raise StoreError.unusable(self.url, error) from error

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def dead_letter_reasons(self) -> Mapping[tuple[str, str], int]:
        """Return the number of unresolved dead letters by agency and reason."""
        return self._read(queries.dead_letters_by_reason)

    def _moment(self, connection: Connection) -> queries.Moment:
        now_us = self._now_us(connection)
        read_us = min(now_us, reading.read_until_us(connection) or now_us)
        return queries.Moment(now_us, read_us, read_us - self._silent_after_us, self._grants)

    def _read(self, query: Callable[[Connection], Answer]) -> Answer:
        try:
            with self._engine.connect() as connection, connection.begin():
                return query(connection)
        except SQLAlchemyError as error:
            raise StoreError.unusable(self.url, error) from None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def _in_one_transaction(self, write: Callable[[Connection], Answer]) -> Answer:
        with self._writing() as connection:
            if not self._is_current:
                intake.follow(connection, self._definitions, self._grants)
            new = write(connection)
        self._is_current = True
        return new


def _is_conflict(error: DBAPIError) -> bool:
    # 40001 and 40P01 are SQL's serialization failure and PostgreSQL's deadlock.
    return isinstance(error, IntegrityError) or getattr(error.orig, "sqlstate", None) in ("40001", "40P01")
