"""The outbox: an agency's own transaction writes business row and event together.

Law of this file: an event that breaks its contract fails its transaction. A committed event is published,
after the relay (`connectors/outbox/`) has read it, under the id that it has from here on.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from time import time_ns
from typing import Any, Unpack

from sqlalchemy import MetaData, insert
from uuid_utils import uuid7

from bus.database.key_order import hold
from bus.database.outbox_rows import TABLE, outbox_table, row_of
from bus.database.shared_transaction import Transactional, make_table, require_shared, share
from bus.draft import Draft, DraftOptions, PublishProgress
from bus.errors import BusError, EnvelopeError, PublishManyError
from bus.event import Event
from bus.publish.stampers import Stampers
from bus.settings import Settings
from bus.stages import pipeline
from bus.stages.stamp import Stamp, Stamper, stamp_of
from bus.telemetry import carried
from bus.times.sunsets import tell_of_published
from contracts import Catalog, ContractError, ContractVersion

SYSTEM = "outbox"
"""A placeholder: the relay's file names the system."""
MAX_ID_CHARACTERS = 255


class Outbox:
    """Keeps the events of one agency in its own database until a relay has published them.

    Args:
        agency: the agency that publishes.
        catalog: the contracts; the one the `GOVBUS_*` settings name if absent.
        table: the name of the outbox's table.
        metadata: where the table is described, so that the program's own `create_all` makes it.
        schema: the table's schema.
    """

    def __init__(
        self,
        agency: str,
        *,
        catalog: Catalog | None = None,
        table: str = TABLE,
        metadata: MetaData | None = None,
        schema: str | None = None,
    ) -> None:
        self.table = outbox_table(table, metadata, schema)
        """The SQLAlchemy table, for `create` and migrations."""
        self._stampers = Stampers(catalog or Catalog.open(Settings().catalog), agency, _tell)

    def create_table(self, session: Transactional) -> None:
        """Make the table, in a migration of Django for example."""
        make_table(session, self.table)

    def add(
        self,
        session: Transactional,
        subject: str,
        data: Any,
        *,
        version: str,
        cause: Event[Any] | None = None,
        **options: Unpack[DraftOptions],
    ) -> str:
        """Write one event with the business rows; it is published after they are committed.

        Args:
            session: the session or connection that writes the business rows, of SQLAlchemy or Django.
            subject: the event's name, such as `health.record-opened`.
            data: what happened: a JSON value, a dataclass or a pydantic model.
            version: the version that the data is written in, such as `1.0`.
            cause: the event that caused this one; its transaction and service go on, and the trace of the
                current span, or without one its own.
            **options: the fields of `Draft`: `key`, `id`, `time`, `service`, `transaction`, `ce_subject`.

        Returns:
            The event's id.

        Raises:
            ContractViolationError: the data breaks the contract; every violation is listed.
            EventTooLargeError: it is larger than the contract allows.
            EnvelopeError: an attribute may not travel.
            ContractError: the catalogue has no such contract or version.
            UsageError: the connection commits each statement by itself.
        """
        draft = Draft.made(data, **options)
        return self._write(session, [self._row(self._stamper(subject, version), draft, cause)])[0]

    def add_many(
        self,
        session: Transactional,
        subject: str,
        items: Iterable[Any],
        *,
        version: str,
        cause: Event[Any] | None = None,
    ) -> list[str]:
        """Write many events of one kind; all are checked before the first is written.

        Args:
            session: as in `add`.
            subject: the events' name.
            items: data, or `Draft`s, one per event.
            version: as in `add`.
            cause: as in `add`.

        Returns:
            The events' ids, in order.

        Raises:
            PublishManyError: one of them is refused; it has the event's index and error.
            ContractError: the catalogue has no such contract or version.
            UsageError: as `add`.
        """
        stamper = self._stamper(subject, version)
        rows = []
        for index, item in enumerate(items):
            try:
                rows.append(self._row(stamper, Draft.of(item), cause))
            except (BusError, ContractError) as error:
                raise PublishManyError(index, error, PublishProgress({})) from error
        return self._write(session, rows)

    def _stamper(self, subject: str, version: str) -> Stamper:
        return self._stampers.get(subject, version, SYSTEM)

    def _row(self, stamper: Stamper, draft: Draft, cause: Event[Any] | None) -> Mapping[str, Any]:
        stamper.require_service(draft.service, cause)
        stamp = _stamp(draft, cause)
        pipeline.require_in_force(stamper, stamp.recorded_us)
        contract = stamper.contract
        content = pipeline.check(contract, draft.data, draft.key)
        stamper.headers(stamp, content[0])  # refuses attributes that may not travel
        pipeline.companions(stamper, stamp, content)  # refuses what an older version cannot say
        return row_of(contract.contract.subject, contract.number, stamp, *content)

    def _write(self, session: Transactional, rows: list[Mapping[str, Any]]) -> list[str]:
        if rows:
            connection = share(session, self.table)
            hold(connection, self.table, {row["partition_key"] for row in rows})
            connection.execute(insert(self.table).inline(), rows)
            require_shared(connection)
        return [row["id"] for row in rows]


def _tell(version: ContractVersion) -> None:
    tell_of_published(version, datetime.now(UTC).date())


def _stamp(draft: Draft, cause: Event[Any] | None) -> Stamp:
    """Return the stamp of an event as of now: publishing the row twice publishes the same event."""
    stamp = stamp_of(draft, cause, time_ns() // 1000, lambda: str(uuid7()))
    if len(stamp.id) > MAX_ID_CHARACTERS:
        raise EnvelopeError(f"Expected at most {MAX_ID_CHARACTERS} characters, got {len(stamp.id)} - at `id`")
    context = None if cause is None else carried()
    return stamp if context is None else stamp._replace(traceparent=context[0], tracestate=context[1])
