"""Waiting for publications: one caller, or one call with many events."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from bus.caused import CausedEvents
from bus.draft import PublishProgress, Receipt
from bus.errors import BusError, BusUnavailableError
from bus.publish.publication import Publication, PublicationWaiter

YIELD_EVERY = 200
"""After so many events other tasks run."""
LOOK_SECONDS = 0.05
"""How much longer than said a wait may last: those of this time end together."""


class Patience:
    """Ends waits that last too long, by one timer for all of them.

    Args:
        seconds: how long a wait may last.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waits: dict[asyncio.Future[Receipt], tuple[float, str]] = {}
        """The end of each wait, in loop time, the earliest first, and the subject of its event."""
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, future: "asyncio.Future[Receipt]", subject: str) -> None:
        """Give a future until `seconds` from now; after that it has an error."""
        loop = future.get_loop()
        self._waits[future] = loop.time() + self._seconds, subject
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look, loop)

    def end(self, future: "asyncio.Future[Receipt]") -> None:
        """Watch a future no longer."""
        self._waits.pop(future, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now, over = loop.time(), []
        for future, (until, subject) in self._waits.items():
            if until > now:
                self._timer = loop.call_at(until + LOOK_SECONDS, self._look, loop)
                break
            over.append(future)
            if not future.done():
                error = BusUnavailableError(
                    f"Expected an acknowledgement within {self._seconds} s, got none - {subject}. The "
                    "event may still arrive: repeat it with the same `id`"
                )
                _fail(future, error)
        for future in over:
            del self._waits[future]


def _fail(future: "asyncio.Future[Receipt]", error: BusError) -> None:
    """Set the error; of an outage the log tells once, not again for each future that nobody awaits."""
    future.set_exception(error)
    if isinstance(error, BusUnavailableError):
        future.exception()


class EventWaiter(PublicationWaiter, Protocol):
    """Something that waits for one event."""

    def begin(self) -> None:
        """Note that the event is about to be sent."""

    def withdraw(self) -> None:
        """Note that it was not sent."""


class Waiter:
    """Settles the future of one publication."""

    __slots__ = ("future", "patience")
    for_receipt = True

    def __init__(self, future: asyncio.Future[Receipt]) -> None:
        self.future = future
        self.patience: Patience | None = None
        """Ends the wait, where nobody else does."""

    def begin(self) -> None:
        """Note that its event is about to be sent."""

    def withdraw(self) -> None:
        """Note that its event was not sent."""

    def settled(self, publication: Publication, error: BusError | None) -> bool:
        """Set the future, unless it was cancelled."""
        if self.patience is not None:
            self.patience.end(self.future)
        if self.future.done():
            return False
        if error is None:
            self.future.set_result(publication.receipt())
        else:
            _fail(self.future, error)
        return True

    def has_given_up(self, publication: Publication) -> bool:
        """Whether the wait was cancelled, or ended for its time."""
        del publication
        return self.future.cancelled() or (self.future.done() and self.future.exception() is not None)


class CountedWaiter(Waiter):
    """Settles the future of one publication in a handler, whose handling ends after it.

    Args:
        caused: what the handler has published.
        future: of the publication.
    """

    __slots__ = ("_caused",)

    def __init__(self, caused: CausedEvents, future: asyncio.Future[Receipt]) -> None:
        super().__init__(future)
        self._caused = caused

    def begin(self) -> None:
        """Count the event."""
        self._caused.begin()

    def withdraw(self) -> None:
        """Count it no longer."""
        self._caused.land()

    def settled(self, publication: Publication, error: BusError | None) -> bool:
        """Set the future, and let the handling end."""
        # Once the handler has returned, nobody may see the error of a task that it has left behind.
        self._caused.land(error if self._caused.is_awaited else None)
        return super().settled(publication, error)


class PublishWindow:
    """The unacknowledged events of one `publish_many`: one wake-up for all instead of a future each.

    Args:
        size: how many may be unacknowledged.
        timeout_seconds: how long acknowledgements may take.
        opened: waits while the events may not be sent.
    """

    for_receipt = True

    def __init__(self, size: int, timeout_seconds: float, opened: Callable[[], Awaitable[None]]) -> None:
        self._size = size
        self._timeout_seconds = timeout_seconds
        self._opened = opened
        self._receipts: list[Receipt | None] = []
        self._open = 0
        self._changed = asyncio.Event()
        self.current = 0
        """Index of the event at hand."""
        self.is_over = False
        """Whether the call has ended."""
        self._has_waited = False
        """Whether a wait has lasted `timeout_seconds`."""
        self.failed: tuple[int, BusError] | None = None
        """Index and error of the first event that was not acknowledged."""

    def sending(self) -> None:
        """Count the next event."""
        self._receipts.append(None)
        self._open += 1

    def settled(self, publication: Publication, error: BusError | None) -> bool:
        """Count one settled event."""
        self._open -= 1
        if error is None:
            self._receipts[publication.index] = publication.receipt()
        else:
            self.failed = self.failed or (publication.index, error)
        if self._open <= self._size // 2:
            self._changed.set()
        return True

    def has_given_up(self, publication: Publication) -> bool:
        """Whether the call has ended before it heard of an event."""
        return self.is_over and not publication.settled

    def withdraw(self) -> None:
        """Remove the last event: it was refused."""
        self._receipts.pop()
        self._open -= 1

    @property
    def is_due(self) -> bool:
        """Whether `room` has something to do before the event at hand is sent."""
        return self._open >= self._size or self.failed is not None or self.current % YIELD_EVERY == 0

    async def room(self) -> None:
        """Let other tasks run, and wait until another event may be sent.

        Raises:
            BusError: an earlier one was not acknowledged.
        """
        await asyncio.sleep(0)
        if self.failed is not None:
            raise self.failed[1]
        if self._open >= self._size:
            await self._wait(self._size // 2)

    async def finish(self) -> list[Receipt]:
        """Wait for all events and return their receipts, in order.

        Raises:
            BusError: one of them was not acknowledged.
        """
        await self._wait(0)
        if self.failed is not None:
            raise self.failed[1]
        return [receipt for receipt in self._receipts if receipt is not None]

    async def settle(self) -> None:
        """Wait until it is known what became of the events that were sent, or not in time."""
        if not self._has_waited:
            with contextlib.suppress(BusError):
                await self._wait(0)

    def progress(self) -> PublishProgress:
        """Return how far the call came."""
        receipts = {index: receipt for index, receipt in enumerate(self._receipts) if receipt is not None}
        unknown = tuple(index for index in range(len(self._receipts)) if index not in receipts)
        return PublishProgress(receipts, unknown)

    async def _wait(self, limit: int) -> None:
        if self._open > limit:
            await self._opened()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while self._open > limit:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._has_waited = True
            error = BusUnavailableError(
                f"Expected acknowledgements within {self._timeout_seconds} s, got none for {self._open} "
                "events. They may still arrive: repeat them with the same ids"
            )
            self.failed = self.failed or (self._receipts.index(None), error)
            raise self.failed[1] from None
