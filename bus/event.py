"""An event, as a handler gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar, Unpack

from bus import envelope
from bus.caused import CausedEvents
from bus.draft import DraftOptions, Receipt
from bus.errors import UsageError
from bus.record import Headers, Record
from bus.trace_context import context_of
from contracts import ContractVersion

T_co = TypeVar("T_co", covariant=True)


class Republisher(Protocol):
    """What an event needs of its bus to publish another one."""

    @property
    def publish(self) -> Callable[..., Coroutine[Any, Any, Receipt]]:
        """Publish as `Bus.publish` does."""

    @property
    def submit_caused(self) -> Callable[..., Awaitable[None]]:
        """Publish without an answer; the result waits for room."""

    async def landed(self, event: Event[Any]) -> None:
        """Wait until the broker has what the handler of an event has published.

        Raises:
            BusError: it has not, and the handler was not told.
        """


class Event(Generic[T_co]):
    """One delivered event: its data, its attributes, and its place in the topic.

    `data` is the JSON value, checked against its contract, or the typed model the handler asked for.
    `attempt` counts from 1. Attributes are parsed from the headers on access. In `contracts` the word
    subject means the event's name; the CloudEvents attribute of that name is `Event.subject`.
    """

    __slots__ = (
        "attempt", "attributes", "bus", "causation", "caused", "contract", "data", "handled_by", "id", "kept",
        "origin", "record", "replay", "service", "source", "transaction",
    )  # fmt: skip

    def __init__(
        self,
        record: Record,
        attributes: Mapping[str, bytes],
        identity: envelope.Identity,
        data: T_co,
        contract: ContractVersion,
    ) -> None:
        self.record = record
        self.attributes = attributes
        self.id, self.source, self.transaction, self.service, self.causation = identity
        """CloudEvents `id` and `source`; the transaction (`correlationid`), the service it belongs to, and
        the id of the event that caused this one, if it is given."""
        self.data = data
        self.contract = contract
        self.origin: ContractVersion | None = None
        """The version it was converted from, where that is another than `contract`."""
        self.attempt = 1
        self.replay: str | None = None
        """The id of the replay that it is read again for; None where it comes for the first time."""
        self.bus: Republisher | None = None
        """The bus that delivered it."""
        self.handled_by: str | None = None
        """The subscription whose handler has it now; in a replay, the one whose events are read again."""
        self.caused: CausedEvents | None = None
        """What its handler has published, if anything."""
        self.kept: Sequence[Any] | None = None
        """The same, where it is sent with a transaction: a list while its handler has it; else None."""

    def __repr__(self) -> str:
        place = f"{self.record.topic}/{self.record.partition}/{self.record.offset}"
        return f"<Event {self.type} {self.id} at {place}>"

    def _text(self, name: str) -> str | None:
        return _decoded(self.attributes.get(name))

    def _moment(self, name: str) -> datetime | None:
        return envelope.moment(self._text(name) or "")

    @property
    def agency(self) -> str:
        """The agency that published it."""
        return envelope.agency_of(self.source)

    @property
    def type(self) -> str:
        """CloudEvents `type`, such as `health.record-opened.v1`."""
        return self.attributes[envelope.TYPE].decode()

    @property
    def version(self) -> str:
        """The version of the contract that `data` keeps, such as `1.1`."""
        return self.contract.number

    @property
    def written_version(self) -> str:
        """The version it was published in, as its `dataschema` says; the catalogue may not know it yet."""
        written = self._text(envelope.DATASCHEMA)
        return (self.origin or self.contract).number if written is None else written.rpartition(":")[2]

    def converted(self, data: Any, contract: ContractVersion) -> None:
        """Replace the data by its form in another version."""
        self.origin = self.origin or self.contract
        self.data, self.contract = data, contract

    @property
    def subject(self) -> str | None:
        """CloudEvents `subject`: opaque, or absent."""
        return self._text(envelope.SUBJECT)

    @property
    def time(self) -> datetime | None:
        """When the fact occurred, as its source says."""
        return self._moment(envelope.TIME)

    @property
    def recorded_time(self) -> datetime | None:
        """When the publisher made the event, on the publisher's clock."""
        return self._moment(envelope.RECORDED_TIME)

    @property
    def broker_time(self) -> datetime:
        """When the broker took it."""
        return envelope.moment_of(self.record.timestamp * 1000)

    @property
    def started_at(self) -> datetime:
        """Broker time of the transaction's first event; this one's own where it is the first."""
        return envelope.moment_of(self.started_us)

    @property
    def started_us(self) -> int:
        """The same, in microseconds since the epoch."""
        written = self.attributes.get(envelope.STARTED_AT)
        known = None if written is None else envelope.time_us(written.decode())
        return self.record.timestamp * 1000 if known is None else known

    @property
    def traceparent(self) -> str | None:
        """W3C trace context of its publisher; None where there is none, or none that is well-formed."""
        context = context_of(self.attributes)
        return None if context is None else context.parent

    @property
    def tracestate(self) -> str | None:
        """W3C `tracestate`, beside `traceparent`."""
        context = context_of(self.attributes)
        return None if context is None else context.state

    @property
    def key(self) -> str | None:
        """The partition key."""
        key = self.record.key
        return None if key is None else key.decode(errors="replace")

    @property
    def headers(self) -> Headers:
        """Every header as it came, null and binary ones too."""
        return self.record.headers

    @property
    def topic(self) -> str:
        """The topic it was read from."""
        return self.record.topic

    @property
    def partition(self) -> int:
        """The partition it was read from."""
        return self.record.partition

    @property
    def offset(self) -> int:
        """Its offset in the partition."""
        return self.record.offset

    def publish(
        self,
        subject: str,
        data: Any,
        *,
        version: str,
        system: str | None = None,
        **options: Unpack[DraftOptions],
    ) -> Coroutine[Any, Any, Receipt]:
        """Publish an event that this one caused, in the same transaction and service.

        A handler that is repeated publishes the same event again, under the same id: see
        `bus/publish/caused_ids.py`.

        Args:
            subject: the event's name, such as `health.record-opened`.
            data: what happened; checked against the contract.
            version: as in `Bus.publish`.
            system: as in `Bus.publish`.
            **options: as in `Bus.publish`.

        Returns:
            The receipt, once it is awaited and the broker has the event. What the receipts topic holds of it
            is there before the offset of this event is committed. Without `await` nothing is published, and
            this event becomes a dead letter that says so.

        Raises:
            BusError: as `Bus.publish`.
        """
        bus = self._require_bus("event.publish")
        return bus.publish(subject, data, version=version, system=system, cause=self, **options)

    def submit(
        self,
        subject: str,
        data: Any,
        *,
        version: str,
        system: str | None = None,
        **options: Unpack[DraftOptions],
    ) -> Awaitable[None]:
        """Publish an event that this one caused, without an answer.

        It is sent at once. The handling of this event ends when the broker has it; if it fails, the handling
        fails, as it would if `publish` raised the error.

        Args:
            subject: as in `publish`.
            data: as in `publish`.
            version: as in `publish`.
            system: as in `publish`.
            **options: as in `publish`.

        Returns:
            Something to await before more is submitted in a long loop: it is done when there is room.

        Raises:
            RefusedError: the event is wrong; nothing was sent.
            BufferFullError: as `Bus.submit`.
            UsageError: no handler has this event now, or it is a plain function, which runs in a thread.
        """
        bus = self._require_bus("event.submit")
        return bus.submit_caused(subject, data, version=version, system=system, cause=self, **options)

    def causes(self) -> CausedEvents:
        """Return what its handler has published so far, to add to it."""
        if (caused := self.caused) is None:
            caused = self.caused = CausedEvents()
        return caused

    def _require_bus(self, place: str) -> Republisher:
        if self.bus is None:
            raise UsageError(f"Expected an event a bus has delivered, got one made by hand - at `{place}`")
        return self.bus


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
