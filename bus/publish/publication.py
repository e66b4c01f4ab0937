"""An event on its way to the broker: from its stamp to its receipt."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from itertools import groupby
from operator import attrgetter
from typing import Protocol, Self

from bus.draft import Receipt
from bus.errors import BusError
from bus.record import Headers
from bus.stages.pipeline import Content
from bus.stages.stamp import ReceiptStamp, Stamper, traced
from bus.telemetry import PublishSpan
from bus.transport import Outgoing


class PublicationWaiter(Protocol):
    """Something that waits for a publication."""

    @property
    def for_receipt(self) -> bool:
        """Whether it waits for the receipt, too, and not for the broker to have the event alone."""

    def has_given_up(self, publication: "Publication") -> bool:
        """Whether it has ended without hearing of a publication."""

    def settled(self, publication: "Publication", error: BusError | None) -> bool:
        """Called at the end of the wait; without an error the broker has the event.

        Returns:
            Whether it still waited.
        """


class ReceiptMaker(Protocol):
    """Writes the receipts of acknowledged publications, and settles them."""

    def acknowledged(
        self, publications: "Sequence[Publication]", partition: int, offset: int, timestamp: int
    ) -> None:
        """Write the receipts of publications that the broker took; see `Outgoing.all_acknowledged`."""

    def failed(self, publication: "Publication", error: BusError) -> None:
        """Note that the broker did not take one."""


class Publication(Outgoing):
    """An event between its stamp and its receipt."""

    __slots__ = (
        "digest", "error", "followers", "has_id", "index", "offset", "older", "receipts", "settled",
        "size_bytes", "span", "stamp", "stamper", "timestamp", "together", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        receipts: ReceiptMaker,
        stamper: Stamper,
        stamp: ReceiptStamp,
        content: Content,
        headers: Headers,
        *,
        digest: str | None = None,
        waiting: PublicationWaiter | None = None,
        index: int = 0,
    ) -> None:
        key, value = content
        # What `Outgoing.__init__` sets, without the call: this runs for each event.
        self.topic, self.partition = stamper.topic, None
        self.key, self.value, self.headers = key, value, headers
        self.receipts = receipts
        self.stamper = stamper
        self.stamp = stamp
        self.size_bytes = len(value)
        self.digest = digest or sha256(value).hexdigest()
        self.waiting = waiting
        self.index = index
        self.has_id = False
        """Whether it has the same id when it is published again."""
        self.older: Sequence[Publication] = ()
        """The event in each older version that is still published."""
        self.together: Together | None = None
        """The event in all its versions, which end the caller's wait together."""
        self.span: PublishSpan | None = None
        self.offset = -1
        self.timestamp = 0
        self.settled = False
        self.error: BusError | None = None
        self.followers: Sequence[Publication] = ()
        """The same event, published again meanwhile."""

    @property
    def causation(self) -> str | None:
        """The id of the event that caused it."""
        return self.stamp[4]

    @property
    def lost(self) -> bool:
        """Whether it failed."""
        return self.error is not None

    @property
    def waits_for_receipt(self) -> bool:
        """Whether somebody waits until the broker has its receipt, too."""
        waiting = self.waiting if self.together is None else self.together.publication.waiting
        return waiting is not None and waiting.for_receipt

    @property
    def has_failed(self) -> bool:
        """Whether it failed, or the caller has given it up."""
        return self.lost or (self.waiting is not None and self.waiting.has_given_up(self))

    def wait(self) -> None:
        """Prepare to wait for long before it is sent: the garbage collector lets go of tuples of bytes."""
        self.headers = tuple(self.headers)

    def follow(self, first: "Publication") -> None:
        """Copy partition and offset from the first publication of the same event, now or when it has them."""
        if not first.settled:
            first.followers = (*first.followers, self)
            return
        self.partition, self.offset, self.timestamp = first.partition, first.offset, first.timestamp
        asyncio.get_running_loop().call_soon(self.settle, first.error)

    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:
        """Write the receipt; the caller's wait ends now, or when the broker has that too."""
        self.all_acknowledged((self,), partition, offset, timestamp)

    @classmethod
    def all_acknowledged(cls, records: Sequence[Self], partition: int, offset: int, timestamp: int) -> None:
        """Write the receipts of a batch, as `acknowledged` does."""
        for receipts, some in groupby(records, attrgetter("receipts")):
            taken = list(some)
            receipts.acknowledged(taken, partition, offset, timestamp)
            offset = offset + len(taken) if offset >= 0 else -1

    def failed(self, error: BusError) -> None:
        """End the caller's wait with the error."""
        self.receipts.failed(self, error)
        self.settle(error)

    def begin_span(self, span: PublishSpan) -> None:
        """Open the span of the event, whose trace context travels with it in every version."""
        context = span.begin()
        if context is not None:
            for one in (self, *self.older):
                one.headers = [*one.headers, *traced(*context)]

    def settle(self, error: BusError | None) -> None:
        """Settle this version of the event."""
        if self.span is not None:
            self.span.end(self.partition, self.offset, error)
        if self.together is None:
            self.end(error)
        else:
            self.together.settled(error)

    def end(self, error: BusError | None) -> None:
        """End the caller's wait."""
        self.settled, self.error = True, error
        if self.followers:
            followers, self.followers = self.followers, ()
            for one in followers:
                one.follow(self)
        if self.waiting is not None and self.waiting.settled(self, error):
            self.waiting = None  # whoever remembers this event keeps nothing that waited for it

    def receipt(self) -> Receipt:
        """Return the receipt; before the acknowledgement it has -1 as partition and offset."""
        event_id, _, _, transaction, *_ = self.stamp
        partition = -1 if self.partition is None else self.partition
        return Receipt(event_id, self.topic, partition, self.offset, self.timestamp, transaction or event_id)


class Together:
    """Ends a publication when the broker has the event in every version."""

    __slots__ = ("_error", "_open", "publication")

    def __init__(self, publication: "Publication", count: int) -> None:
        self.publication = publication
        self._open = count
        self._error: BusError | None = None

    def settled(self, error: BusError | None) -> None:
        """Count one settled version; the caller gets the receipt of the event's own version."""
        self._open -= 1
        self._error = self._error or error
        if self._open == 0:
            self.publication.end(self._error)
