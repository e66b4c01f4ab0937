"""The way out: from data to an acknowledged event and its receipt."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from time import time_ns
from typing import Any, NamedTuple

from uuid_utils import uuid7

from bus import envelope, pipeline, telemetry
from bus.clock import BrokerClock
from bus.errors import BusError, IdReusedError, RefusedError
from bus.event import Event
from bus.publish.recent_ids import Recent
from bus.publish.stampers import Stampers
from bus.publish.waiting import Settled, Together, Window
from bus.receipts.receipts import partition_of_transaction
from bus.receipts.writer import ReceiptLog
from bus.record import Position
from bus.settings import Settings
from bus.stages.stamp import Stamp, Stamper
from bus.transport import Outgoing, Sender
from contracts import Catalog, ContractError

WINDOW_EVENTS = 5_000
"""How many events `publish_many` keeps on their way at once."""
YIELD_EVERY = 200


class Receipt(NamedTuple):
    """Proof that the broker holds an event: where, since when, in which transaction."""

    id: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    """Broker time in milliseconds since the epoch."""
    transaction: str

    @property
    def broker_time(self) -> datetime:
        """When the broker took the event."""
        return envelope.moment_of(self.timestamp * 1000)


class Draft(NamedTuple):
    """An event to publish: its data and whatever the defaults don't say.

    Args:
        data: what happened; checked against the contract.
        key: partition key, opaque, never a person's identifier; made by the contract's key rule if absent.
        id: unique within the source; give a deterministic one where a source may read the same fact again.
        time: when the fact occurred (aware); now if absent.
        service: the service whose transaction this event begins.
        transaction: the transaction to continue; that of the causing event, or a new one, if absent.
        subject: CloudEvents `subject`: opaque, never a person's identifier.
    """

    data: Any
    key: str | None = None
    id: str | None = None
    time: datetime | None = None
    service: str | None = None
    transaction: str | None = None
    subject: str | None = None


class Publication(Outgoing):
    """An event between its stamp and its receipt."""

    __slots__ = (
        "digest", "error", "followers", "index", "offset", "publisher", "settled", "size_bytes", "span",
        "stamp", "stamper", "timestamp", "together", "waiting",
    )  # fmt: skip

    def __init__(
        self, publisher: "Publisher", stamper: Stamper, stamp: Stamp, prepared: pipeline.Prepared
    ) -> None:
        super().__init__(stamper.topic, prepared.key, prepared.value, prepared.headers)
        self.publisher = publisher
        self.stamper = stamper
        self.stamp = stamp
        self.size_bytes = len(prepared.value)
        self.digest = sha256(prepared.value).hexdigest()
        self.waiting: Settled | None = None
        self.together: Together | None = None
        """Its older versions, which end the caller's wait with it."""
        self.index = 0
        self.span: telemetry.PublishSpan | None = None
        self.offset = -1
        self.timestamp = 0
        self.settled = False
        self.error: BusError | None = None
        self.followers: list[Publication] = []
        """The same event, published again meanwhile."""

    @property
    def lost(self) -> bool:
        """Whether it was not acknowledged, as far as is known."""
        return self.error is not None

    def follow(self, first: "Publication") -> None:
        """Have the place of the same event that was published before, now or once it has one."""
        if not first.settled:
            first.followers.append(self)
            return
        self.partition, self.offset, self.timestamp = first.partition, first.offset, first.timestamp
        asyncio.get_running_loop().call_soon(self.settle, first.error)

    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:
        """Write the receipt; the caller hears of the event once the broker has that too."""
        self.partition, self.offset, self.timestamp = partition, offset, timestamp
        self.publisher.write_receipt(self)

    def failed(self, error: BusError) -> None:
        """Tell the caller."""
        self.settle(error)

    def settle(self, error: BusError | None) -> None:
        """Take the end of its own way."""
        if self.span is not None:
            self.span.end(self.partition, self.offset, error)
        if self.together is None:
            self.end(error)
        else:
            self.together.settled(error)

    def end(self, error: BusError | None) -> None:
        """End the caller's wait."""
        self.settled, self.error = True, error
        followers, self.followers = self.followers, []
        for one in followers:
            one.follow(self)
        if self.waiting is not None:
            self.waiting.settled(self, error)

    def receipt(self) -> Receipt:
        """Return the proof, once acknowledged."""
        stamp = self.stamp
        transaction = stamp.transaction or stamp.id
        return Receipt(stamp.id, self.topic, self.partition or 0, self.offset, self.timestamp, transaction)


class Publisher:
    """Publishes the events of one agency over one transport."""

    def __init__(
        self,
        catalog: Catalog,
        agency: str,
        transport: Sender,
        receipts: ReceiptLog,
        measure: telemetry.Telemetry,
        *,
        clock: BrokerClock,
        refusals: ReceiptLog,
    ) -> None:
        self._agency = agency
        self._transport = transport
        self._receipts = receipts
        self._telemetry = measure
        self._clock = clock
        self._refusals = refusals
        self._stampers = Stampers(catalog, agency)
        self._recent = Recent()

    def adopt(self, catalog: Catalog) -> None:
        """Publish from now on by a newer catalogue."""
        self._stampers = Stampers(catalog, self._agency)

    def stamper(self, subject: str, version: str | int | None, system: str) -> Stamper:
        """Return what stamps events of a contract version; see `Stampers.get`."""
        return self._stampers.get(subject, version, system)

    def send(
        self, stamper: Stamper, draft: Draft, cause: Event[Any] | None, waiting: Settled, index: int = 0
    ) -> None:
        """Hand an event to the transport; `waiting` is told once, later.

        Args:
            stamper: stamps the events of its contract version.
            draft: what to publish.
            cause: the event that caused it.
            waiting: whom to tell.
            index: a number of the caller's, kept on the publication.

        Raises:
            RefusedError: the event is wrong; a receipt says so, nothing was sent.
            ContractError: the data holds no partition key.
        """
        publications = self.prepare(stamper, draft, cause, waiting, index)
        if draft.id is not None:
            before = self._first(publications[0])
            if before is not publications[0]:
                publications[0].together = None
                publications[0].follow(before)
                return
        for publication in publications:
            self._transport.send(publication)

    def _first(self, publication: Publication) -> Publication:
        try:
            return self._recent.first(publication)
        except IdReusedError as error:
            self._refused(publication.stamper, publication.stamp, error)
            if publication.span is not None:
                publication.span.end(None, -1, error)
            raise

    def prepare(
        self,
        stamper: Stamper,
        draft: Draft,
        cause: Event[Any] | None,
        waiting: Settled | None = None,
        index: int = 0,
    ) -> list[Publication]:
        """Return an event ready to be sent, and after it the same in each older version still published.

        Args and errors are those of `send`.
        """
        stamp = self._stamp(draft, cause, time_ns() // 1000)
        span = self._telemetry.start_publish(stamper, stamp)
        if span is not None:
            stamp = span.carry(stamp)
        try:
            prepared = pipeline.prepare(stamper, stamp, draft.data, draft.key)
            beside = pipeline.companions(stamper, stamp, prepared) if stamper.companions else ()
        except RefusedError as error:
            self._refused(stamper, stamp, error)
            if span is not None:
                span.end(None, -1, error)
            raise
        publication = Publication(self, stamper, stamp, prepared)
        publication.span, publication.waiting, publication.index = span, waiting, index
        others = [Publication(self, *older) for older in beside]
        if others:
            together = Together(publication, 1 + len(others))
            for one in (publication, *others):
                one.together = together
        return [publication, *others]

    async def send_many(
        self, stamper: Stamper, items: Iterable[Any], cause: Event[Any] | None, settings: Settings
    ) -> list[Receipt]:
        """Publish many events, at most a window of them on their way, and return their receipts in order.

        Raises:
            BusError: the first event that was refused or not acknowledged; those before it are published.
        """
        timeout_seconds = settings.publish_timeout_seconds
        window = Window(min(WINDOW_EVENTS, settings.max_unacknowledged))
        for count, item in enumerate(items, 1):
            if count % YIELD_EVERY == 0:
                await asyncio.sleep(0)  # let what is ready go while more is prepared
            await window.room(timeout_seconds)
            draft = item if isinstance(item, Draft) else Draft(item)
            try:
                self.send(stamper, draft, cause, window, window.next())
            except (BusError, ContractError):
                window.withdraw()
                await window.finish(timeout_seconds)
                raise
        return await window.finish(timeout_seconds)

    def _stamp(self, draft: Draft, cause: Event[Any] | None, now_us: int) -> Stamp:
        event_id = draft.id or str(uuid7())
        transaction, service = draft.transaction, draft.service
        started_us = causation = traceparent = tracestate = None
        if cause is not None:
            transaction = transaction or cause.transaction or cause.id
            service = service or cause.service
            causation = cause.id
            started_us = envelope.moment_us(cause.started_at)
            traceparent, tracestate = cause.traceparent, cause.tracestate
        elif service is not None and transaction is None:
            transaction = str(uuid7())
        time_us = now_us if draft.time is None else envelope.moment_us(draft.time)
        return Stamp(
            event_id, time_us, now_us, transaction, causation, service, started_us, draft.subject,
            traceparent, tracestate,
        )  # fmt: skip

    def write_receipt(self, publication: Publication) -> None:
        """Add the receipt of an acknowledged event; the publication is settled once it has landed."""
        stamp = publication.stamp
        broker_us = publication.timestamp * 1000
        transaction = stamp.transaction or stamp.id
        row = (
            stamp.id, stamp.service, transaction, stamp.causation, "published", None, publication.partition,
            publication.offset, broker_us, stamp.started_us or broker_us, stamp.recorded_us, stamp.time_us,
            publication.size_bytes, publication.digest,
        )  # fmt: skip
        self._add(publication.stamper.shared, transaction, row, publication)

    def dead_letter(self, place: Position, reason: str, value: bytes) -> None:
        """Add the receipt of something that never became an event and was set aside.

        Args:
            place: where the dead letter lies.
            reason: why it was set aside.
            value: its bytes, of which the receipt holds size and hash.
        """
        name = f"{place.topic}/{place.partition}/{place.offset}"
        broker_us = place.timestamp * 1000
        row = (
            name, None, name, None, "dead-letter", reason, place.partition, place.offset, broker_us,
            broker_us, broker_us, broker_us, len(value), sha256(value).hexdigest(),
        )  # fmt: skip
        self._add((self._agency, envelope.source_of(self._agency, ""), "", "", place.topic), name, row)

    def _refused(self, stamper: Stamper, stamp: Stamp, error: RefusedError) -> None:
        self._telemetry.refused(stamper.topic, error.reason)
        # What was refused may be the id itself; the receipt must be writable all the same.
        event_id = _writable(stamp.id)
        transaction = _writable(stamp.transaction or stamp.id)
        service = None if stamp.service is None else _writable(stamp.service)
        now_us = stamp.recorded_us + self._clock.offset_us
        row = (
            event_id, service, transaction, stamp.causation, "refused", error.reason.value, -1, -1,
            now_us, stamp.started_us or now_us, stamp.recorded_us, stamp.time_us, 0, "",
        )  # fmt: skip
        common = (*stamper.shared[:-1], "", self._clock.offset_us)
        self._refusals.add("publish", common, partition_of_transaction(transaction), (row,))

    def _add(
        self, shared: tuple[str, ...], transaction: str, row: tuple[Any, ...], *waiting: Publication
    ) -> None:
        common = (*shared, self._clock.offset_us)
        self._receipts.add("publish", common, partition_of_transaction(transaction), (row,), waiting)


def _writable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()[: envelope.MAX_ATTRIBUTE_BYTES]
