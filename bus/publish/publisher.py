"""Publishing: from data to an acknowledged event and its receipt."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from hashlib import sha256
from time import time_ns
from typing import Any, NamedTuple

from uuid_utils import uuid7

from bus import envelope, telemetry
from bus.caused import CausedEvents
from bus.crash_points import crash_point
from bus.dead_letters.record import Intended
from bus.draft import Draft, Receipt
from bus.errors import (
    BusError,
    BusUnavailableError,
    IdReusedError,
    PublishManyError,
    RefusedError,
    UsageError,
)
from bus.event import Event
from bus.outcome import PUBLISHED, REFUSED, SET_ASIDE
from bus.publish.caused_ids import caused_id, likeness
from bus.publish.publication import Publication, PublicationWaiter, Together
from bus.publish.recent_ids import RecentIds
from bus.publish.spreading import Spreading
from bus.publish.stampers import Stampers
from bus.publish.waiting import YIELD_EVERY, Patience, PublishWindow
from bus.receipts.receipts import partition_of_transaction
from bus.receipts.writer import ReceiptLog
from bus.record import Position
from bus.settings import Settings
from bus.stages import pipeline
from bus.stages.encode import encode
from bus.stages.pipeline import Content
from bus.stages.stamp import ReceiptStamp, Stamp, Stamper, stamp_of
from bus.times.clock import BrokerClock
from bus.transport import Sender
from contracts import Catalog, ContractError, ContractVersion, visible

DATA_ALONE = Draft(None)
"""What is said of an event beside its data: nothing."""

WINDOW_EVENTS = 5_000
"""How many unacknowledged events `publish_many` allows."""


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
        spreading: Spreading,
        published: Callable[[ContractVersion], None],
        patience: Patience,
        together: bool = False,
    ) -> None:
        self.patience = patience
        """Ends the waits for single events."""
        self._agency = agency
        self._published = published
        self.transport = transport
        """Sends its events."""
        self._receipts = receipts
        self._telemetry = measure
        self._clock = clock
        self._refusals = refusals
        self._spreading = spreading
        self.wrote: set[str] | None = set() if together else None
        """The subjects of its open transaction; None outside of transactions."""
        self.held = 0
        """Events that wait for a growth to end."""
        self.keeps = False
        """Whether what a handler publishes is kept on its event, and sent by somebody else."""
        self.refused: list[tuple[Publication, RefusedError]] = []
        """What of it the broker has refused; `index` is the offset of its event."""
        self._stampers = Stampers(catalog, agency, published)
        self._recent = RecentIds()

    def adopt(self, catalog: Catalog) -> None:
        """Use a newer catalogue."""
        self._stampers = Stampers(catalog, self._agency, self._published)

    def stamper(self, subject: str, version: str, system: str) -> Stamper:
        """Return the stamper of a contract version; see `Stampers.get`."""
        return self._stampers.get(subject, version, system)

    def send(
        self,
        stamper: Stamper,
        draft: Draft,
        cause: Event[Any] | None,
        waiting: PublicationWaiter,
        index: int = 0,
    ) -> None:
        """Send an event; `waiting` is called once, later.

        Args:
            stamper: stamps the events of its contract version.
            draft: what to publish.
            cause: the event that caused it.
            waiting: called with the result.
            index: a number for the caller, kept on the publication.

        Raises:
            RefusedError: the event is wrong; only a receipt of the refusal is sent.
            ContractError: the data holds no partition key.
        """
        self._dispatch(self.prepare(stamper, draft, cause, waiting, index), cause)

    def _dispatch(self, publication: Publication, cause: Event[Any] | None) -> None:
        if self.keeps:
            self.keep(publication, cause)
            return
        if publication.has_id:
            before = self._known(publication, self._recent.first)
            if before is not None and before is not publication:
                publication.together = None
                publication.follow(before)
                return
        self.emit(publication)

    def keep(self, publication: Publication, cause: Event[Any] | None) -> None:
        """Keep a prepared event on its cause; whoever waits for it waits no longer.

        Raises:
            UsageError: the cause has no handler at work.
        """
        kept = None if cause is None else cause.kept
        if cause is None or not isinstance(kept, list):
            raise UsageError(
                "Expected an event whose handler is at work, got another - at `cause`. What it causes is "
                "part of its transaction: publish by `event.publish`, before the handler returns"
            )
        kept.append(publication)
        publication.wait()
        waiting, publication.waiting = publication.waiting, None
        if waiting is not None:
            waiting.settled(publication, None)
        publication.index = cause.record.offset  # nobody else counts it from now on
        for older in publication.older:
            older.index = publication.index

    def emit(self, publication: Publication) -> None:
        """Send a prepared event in all its versions, now or when its subject does not grow any more."""
        if publication.span is not None:
            publication.begin_span(publication.span)
        self._spreading.send(self, publication)
        for older in publication.older:
            self._spreading.send(self, older)

    def failed(self, publication: Publication, error: BusError) -> None:
        """Note that the broker did not take an event."""
        if publication.partition is not None:  # it was not held until it failed
            self._spreading.landed(publication.stamper.subject)
        if self.keeps and isinstance(error, RefusedError):
            self.refused.append((publication, error))

    def is_open(self, subject: str) -> bool:
        """Return whether events of a subject are sent at once."""
        return self._spreading.may_pass(self, subject)

    async def opened(self, subject: str, timeout_seconds: float) -> None:
        """Wait while a subject grows; see `Spreading.opened`."""
        await self._spreading.opened(self, subject, timeout_seconds)

    async def released(self, timeout_seconds: float) -> None:
        """Wait until none of its events is held; see `Spreading.released`."""
        await self._spreading.released(self, timeout_seconds)

    def ended(self, error: BusError | None = None) -> None:
        """Note the end of its transaction, or of the bus; what is held fails."""
        if self.wrote is not None:
            self.wrote.clear()
        if self.held:
            self._spreading.drop(self, error or BusUnavailableError("the transaction was aborted"))

    def _known(
        self, publication: Publication, find: Callable[[Publication], Publication | None]
    ) -> Publication | None:
        try:
            return find(publication)
        except IdReusedError as error:
            self._refused(publication.stamper, publication.stamp, error)
            raise

    def prepare(
        self,
        stamper: Stamper,
        draft: Draft,
        cause: Event[Any] | None,
        waiting: PublicationWaiter | None = None,
        index: int = 0,
        *,
        content: Content | None = None,
    ) -> Publication:
        """Return an event ready to be sent, in all its versions.

        `content` is its key and data, if they are checked already; other args and errors are those of `send`.
        """
        named = None if cause is None else _named(stamper, draft, cause, content)
        own_id = draft.id if named is None else named.id
        stamp = stamp_of(draft, cause, time_ns() // 1000, _new_id, own_id)
        said = stamp.for_receipt()
        span = self._telemetry.publish_span(stamper, stamp)
        if span is not None:
            stamp = stamp._replace(traceparent=None, tracestate=None)
        try:
            if draft.service is not None:
                stamper.require_service(draft.service, cause)
            if content is None:
                pipeline.require_in_force(stamper, stamp.recorded_us + self._clock.skew_us)
                value = None if named is None else named.value
                content = pipeline.check(stamper.contract, draft.data, draft.key, value)
            headers = stamper.headers(stamp, content[0])
            beside = self._beside(stamper, stamp, content) if stamper.companions else ()
        except RefusedError as error:
            self._refused(stamper, said, error)
            raise
        digest = None if named is None else named.digest
        publication = Publication(
            self, stamper, said, content, headers, digest=digest, waiting=waiting, index=index
        )
        publication.span, publication.has_id = span, own_id is not None
        if named is not None:
            named.caused.take(named.like, named.ordinal, publication)
        if beside:
            publication.older = beside
            together = Together(publication, 1 + len(beside))
            for one in (publication, *beside):
                one.together = together
        return publication

    def _beside(self, stamper: Stamper, stamp: Stamp, content: Content) -> list[Publication]:
        return [
            Publication(self, older, derived.for_receipt(), content, older.headers(derived, content[0]))
            for older, derived, content in pipeline.companions(stamper, stamp, content, self._clock.skew_us)
        ]

    async def send_many(
        self,
        stamper: Stamper,
        items: Iterable[Any] | AsyncIterable[Any],
        cause: Event[Any] | None,
        settings: Settings,
    ) -> list[Receipt]:
        """Publish many events, a limited number of them unacknowledged, and return their receipts in order.

        Raises:
            PublishManyError: one was refused or not acknowledged.
            UsageError: the items are one event, or nothing to iterate over.
        """
        _require_many(items)
        timeout_seconds = settings.publish_timeout_seconds
        opened = partial(self.opened, stamper.contract.contract.subject, timeout_seconds)
        window = PublishWindow(min(WINDOW_EVENTS, settings.max_unacknowledged), timeout_seconds, opened)
        try:
            try:
                await self._send_each(stamper, items, cause, window)
                return await window.finish()
            except (BusError, ContractError) as error:
                failed = window.failed
                index = failed[0] if failed is not None and failed[1] is error else window.current
                await window.settle()
                raise PublishManyError(index, error, window.progress()) from error
            except Exception:  # of the iterable
                await window.settle()
                raise
        except PublishManyError:
            raise
        except BaseException as error:
            # Not an error of another class: `asyncio.timeout` knows CancelledError alone.
            error.progress = window.progress()  # type: ignore[attr-defined] # as PublishManyError has it
            error.add_note(f"publish_many: {window.progress()}")
            raise
        finally:
            window.is_over = True

    async def _send_each(
        self,
        stamper: Stamper,
        items: Iterable[Any] | AsyncIterable[Any],
        cause: Event[Any] | None,
        window: PublishWindow,
    ) -> None:
        if isinstance(items, Collection):
            checked = await self._check_all(stamper, items, cause, window)
            for window.current in range(len(checked)):
                if window.is_due:
                    await window.room()
                one = checked.popleft()
                if not isinstance(one, Publication):
                    one = self.prepare(stamper, DATA_ALONE, cause, window, window.current, content=one)
                self._send_one(one, cause, window)
            return
        async with aclosing(_each(items)) as each:
            async for item in each:
                publication = self.prepare(stamper, Draft.of(item), cause, window, window.current)
                if window.is_due:
                    await window.room()
                self._send_one(publication, cause, window)
                window.current += 1

    def _send_one(self, publication: Publication, cause: Event[Any] | None, window: PublishWindow) -> None:
        window.sending()
        try:
            self._dispatch(publication, cause)
        except BusError:
            window.withdraw()
            raise

    async def _check_all(
        self, stamper: Stamper, items: Collection[Any], cause: Event[Any] | None, window: PublishWindow
    ) -> deque[Publication | Content]:
        """Return all events, checked; none is sent if one is wrong.

        Of data alone, only key and data wait, of which the garbage collector lets go; it is stamped when it
        is sent.
        """
        checked: deque[Publication | Content] = deque()
        ids = RecentIds(len(items) + 1)
        for window.current, item in enumerate(items):
            if window.current % YIELD_EVERY == 0:
                await asyncio.sleep(0)
            if not (isinstance(item, Draft) or stamper.companions):
                checked.append(self._check(stamper, item, cause))
                continue
            publication = self.prepare(stamper, Draft.of(item), cause, window, window.current)
            checked.append(publication)
            publication.wait()
            if publication.has_id:
                self._known(publication, self._recent.known)
                self._known(publication, ids.first)
        return checked

    def _check(self, stamper: Stamper, data: Any, cause: Event[Any] | None) -> Content:
        try:
            pipeline.require_in_force(stamper, time_ns() // 1000 + self._clock.skew_us)
            return pipeline.check(stamper.contract, data, None)
        except RefusedError as error:
            stamp = stamp_of(DATA_ALONE, cause, time_ns() // 1000, _new_id)
            self._refused(stamper, stamp.for_receipt(), error)
            raise

    def acknowledged(
        self, publications: Sequence[Publication], partition: int, offset: int, timestamp: int
    ) -> None:
        """Write the receipts of events that the broker took together; see `Outgoing.all_acknowledged`.

        Where somebody waits for the receipt, the event is settled when the broker has that, else now:
        whatever commits next takes the receipt along.
        """
        groups: dict[tuple[Stamper, int], tuple[list[Any], list[Publication]]] = {}
        answered: list[Publication] = []
        broker_us = timestamp * 1000
        for at, one in enumerate(publications, offset):
            one.partition, one.timestamp, one.offset = partition, timestamp, at if offset >= 0 else -1
            event_id, time_us, recorded_us, transaction, causation, service, started_us = one.stamp
            transaction = transaction or event_id
            row = (
                event_id, service, transaction, causation, PUBLISHED, None, partition, one.offset, broker_us,
                started_us or broker_us, recorded_us, time_us, one.size_bytes, one.digest, None,
            )  # fmt: skip
            of = one.stamper, partition_of_transaction(transaction)
            if (group := groups.get(of)) is None:
                group = groups[of] = [], []
            group[0].append(row)
            (group[1] if one.waits_for_receipt else answered).append(one)
        for (stamper, home), (rows, waiting) in groups.items():
            self._spreading.landed(stamper.subject, len(rows))
            common = (*stamper.shared, self._clock.skew_us)
            self._receipts.add("publish", common, home, rows, waiting, urgent=bool(waiting))
        for one in answered:
            one.settle(None)
        if answered:
            crash_point("after-publish")

    def dead_letter(
        self, place: Position, reason: str, value: bytes, intended: Intended, origin: str
    ) -> None:
        """Add the receipt of a dead letter of something that never became an event.

        Args:
            place: where the dead letter is.
            reason: the reason of the dead letter.
            value: its bytes; the receipt has their size and hash.
            intended: the event that it should have become.
            origin: where the record is; empty if nobody said.
        """
        name = f"{place.topic}/{place.partition}/{place.offset}"
        transaction = _writable(intended.transaction or name)
        broker_us = place.timestamp * 1000
        row = (
            name, intended.service, transaction, None, SET_ASIDE, reason, place.partition, place.offset,
            broker_us, broker_us, broker_us, broker_us, len(value), sha256(value).hexdigest(),
            _writable(origin) or None,
        )  # fmt: skip
        source = envelope.source_of(self._agency, "")
        common = (self._agency, source, intended.type, "", place.topic, self._clock.skew_us)
        self._receipts.add("publish", common, partition_of_transaction(transaction), (row,))

    def _refused(self, stamper: Stamper, stamp: ReceiptStamp, error: RefusedError) -> None:
        self._telemetry.refused(stamper.topic, error.reason)
        # The id itself may be the reason of the refusal; the receipt must be writable anyway.
        event_id, time_us, recorded_us, transaction, causation, service, started_us = stamp
        event_id, transaction = _writable(event_id), _writable(transaction or event_id)
        service = None if service is None else _writable(service)
        cause = None if causation is None else _writable(causation)
        now_us = self._clock.now_us()
        row = (
            event_id, service, transaction, cause, REFUSED, error.reason.value, -1, -1,
            now_us, started_us or now_us, recorded_us, time_us, 0, "", None,
        )  # fmt: skip
        common = (*stamper.shared[:-1], "", self._clock.skew_us)
        self._refusals.add("publish", common, partition_of_transaction(transaction), (row,), urgent=True)


def _require_many(items: object) -> None:
    if isinstance(items, Mapping | str | bytes | Draft) or not isinstance(items, Iterable | AsyncIterable):
        raise UsageError(
            "Expected a list, an iterable or an async iterable of data or drafts, got one "
            f"`{type(items).__name__}` - at `items`. Publish one event by `publish`"
        )


async def _each(items: Iterable[Any] | AsyncIterable[Any]) -> AsyncGenerator[Any, None]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def _new_id() -> str:
    return str(uuid7())


class _Named(NamedTuple):
    """The id of an event that a handler publishes, what it is made of, and where it is noted."""

    id: str
    value: bytes
    digest: str
    like: str
    ordinal: int
    caused: CausedEvents


def _named(stamper: Stamper, draft: Draft, cause: Event[Any], content: Content | None) -> _Named | None:
    """Return the id of an event that a handler publishes; None if it has another, or will be refused."""
    if not hasattr(type(cause), "traceparent"):
        raise UsageError(
            f"Expected the event that caused this one, got `{type(cause).__name__}` - at `cause`. Pass the "
            "event itself, or publish by `event.publish`"
        )
    if draft.id is not None or cause.handled_by is None:
        return None
    try:
        value = encode(stamper.contract, draft.data) if content is None else content[1]
    except RefusedError:
        return None
    digest = sha256(value).hexdigest()
    like = likeness(stamper.contract.type, stamper.source, digest, draft)
    caused = cause.causes()
    ordinal = caused.ordinal(like)
    event_id = caused_id(cause.source, cause.id, cause.handled_by, like, ordinal)
    return _Named(event_id, value, digest, like, ordinal, caused)


def _writable(text: object) -> str:
    return visible(str(text))[: envelope.MAX_ATTRIBUTE_BYTES]
