"""An event on its way to the broker: from its stamp to its receipt."""

import asyncio
from hashlib import sha256
from typing import Protocol

from bus.draft import Receipt
from bus.errors import BusError
from bus.stages.pipeline import Prepared
from bus.stages.stamp import Stamp, Stamper
from bus.telemetry import PublishSpan
from bus.transport import Outgoing


class PublicationWaiter(Protocol):
    """Something that waits for a publication."""

    def settled(self, publication: "Publication", error: BusError | None) -> None:
        """Called at the end of the wait; without an error the publication has its receipt."""


class ReceiptMaker(Protocol):
    """Writes the receipt of an acknowledged publication, and settles it when the broker has that."""

    def write_receipt(self, publication: "Publication") -> None:
        """Write its receipt."""

    def landed(self, publication: "Publication") -> None:
        """Note that the broker took it, or that it failed."""


class Publication(Outgoing):
    """An event between its stamp and its receipt."""

    __slots__ = (
        "digest", "error", "followers", "index", "offset", "receipts", "settled", "size_bytes",
        "span", "stamp", "stamper", "timestamp", "together", "waiting",
    )  # fmt: skip

    def __init__(self, receipts: ReceiptMaker, stamper: Stamper, stamp: Stamp, prepared: Prepared) -> None:
        super().__init__(stamper.topic, prepared.key, prepared.value, prepared.headers)
        self.receipts = receipts
        self.stamper = stamper
        self.stamp = stamp
        self.size_bytes = len(prepared.value)
        self.digest = sha256(prepared.value).hexdigest()
        self.waiting: PublicationWaiter | None = None
        self.together: Together | None = None
        """The event in all its versions, which end the caller's wait together."""
        self.index = 0
        self.span: PublishSpan | None = None
        self.offset = -1
        self.timestamp = 0
        self.settled = False
        self.error: BusError | None = None
        self.followers: list[Publication] = []
        """The same event, published again meanwhile."""

    @property
    def subject(self) -> str:
        """The event's subject."""
        return self.stamper.contract.contract.subject

    @property
    def lost(self) -> bool:
        """Whether it failed."""
        return self.error is not None

    def follow(self, first: "Publication") -> None:
        """Copy partition and offset from the first publication of the same event, now or when it has them."""
        if not first.settled:
            first.followers.append(self)
            return
        self.partition, self.offset, self.timestamp = first.partition, first.offset, first.timestamp
        asyncio.get_running_loop().call_soon(self.settle, first.error)

    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:
        """Write the receipt; the caller's wait ends when the broker has that too."""
        self.partition, self.offset, self.timestamp = partition, offset, timestamp
        self.receipts.landed(self)
        self.receipts.write_receipt(self)

    def failed(self, error: BusError) -> None:
        """End the caller's wait with the error."""
        self.receipts.landed(self)
        self.settle(error)

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
        followers, self.followers = self.followers, []
        for one in followers:
            one.follow(self)
        if self.waiting is not None:
            self.waiting.settled(self, error)

    def receipt(self) -> Receipt:
        """Return the receipt; before the acknowledgement it has -1 as partition and offset."""
        stamp = self.stamp
        transaction = stamp.transaction or stamp.id
        partition = -1 if self.partition is None else self.partition
        return Receipt(stamp.id, self.topic, partition, self.offset, self.timestamp, transaction)


class Together:
    """Ends a publication when the broker has the event in every version."""

    __slots__ = ("_error", "_open", "_publication")

    def __init__(self, publication: "Publication", count: int) -> None:
        self._publication = publication
        self._open = count
        self._error: BusError | None = None

    def settled(self, error: BusError | None) -> None:
        """Count one settled version; the caller gets the receipt of the event's own version."""
        self._open -= 1
        self._error = self._error or error
        if self._open == 0:
            self._publication.end(self._error)
