"""Waiting for publications: one caller, or one call with many events."""

import asyncio
from collections.abc import Awaitable, Callable

from bus.draft import Receipt
from bus.errors import BusError, BusUnavailableError
from bus.publish.publication import Publication


class Waiter:
    """Settles the future of one publication."""

    __slots__ = ("future",)

    def __init__(self, future: asyncio.Future[Receipt]) -> None:
        self.future = future

    def settled(self, publication: Publication, error: BusError | None) -> None:
        """Set the future, unless it was cancelled."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(publication.receipt())
        else:
            self.future.set_exception(error)


class PublishWindow:
    """The unacknowledged events of one `publish_many`: one wake-up for all instead of a future each."""

    def __init__(self, size: int, opened: Callable[[], Awaitable[None]]) -> None:
        self._size = size
        self._opened = opened
        self._receipts: list[Receipt | None] = []
        self._open = 0
        self._error: BusError | None = None
        self._changed = asyncio.Event()

    def next(self) -> int:
        """Return the number of the next event."""
        self._receipts.append(None)
        self._open += 1
        return len(self._receipts) - 1

    def settled(self, publication: Publication, error: BusError | None) -> None:
        """Count one settled event."""
        self._open -= 1
        if error is None:
            self._receipts[publication.index] = publication.receipt()
        else:
            self._error = self._error or error
        if self._open <= self._size // 2:
            self._changed.set()

    def withdraw(self) -> None:
        """Remove the last event: it was refused."""
        self._open -= 1

    async def room(self, timeout_seconds: float) -> None:
        """Wait until another event may be sent.

        Raises:
            BusError: an earlier one was not acknowledged.
        """
        if self._error is not None:
            raise self._error
        if self._open >= self._size:
            await self._wait(self._size // 2, timeout_seconds)

    async def finish(self, timeout_seconds: float) -> list[Receipt]:
        """Wait for all events and return their receipts, in order.

        Raises:
            BusError: one of them was not acknowledged.
        """
        await self._wait(0, timeout_seconds)
        if self._error is not None:
            raise self._error
        return [receipt for receipt in self._receipts if receipt is not None]

    async def _wait(self, limit: int, timeout_seconds: float) -> None:
        if self._open > limit:
            await self._opened()
        try:
            async with asyncio.timeout(timeout_seconds):
                while self._open > limit:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise BusUnavailableError(
                f"Expected acknowledgements within {timeout_seconds} s, got none for {self._open} events. "
                "They may still arrive: repeat them with the same ids"
            ) from None
