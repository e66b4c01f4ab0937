"""How a sink spares its target: how much at once, how much a second, and nothing while it asks for a pause.

Law of this file: events begin in the order in which they ask for their turn. One that would wait for long is
given back, so that its partition rests instead: a handler that waits holds up a stop and a rebalance.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

WAIT_SECONDS = 30.0
"""How long an event waits for its turn before it is given back."""

BUSY_SECONDS = 1.0
"""After how long an event asks again when others took all of that time."""

LONGEST_PAUSE_SECONDS = 3_600.0
"""How long a target may ask for a pause at a time."""


class Target:
    """The turns of the events of one sink.

    Args:
        max_in_flight: How many may be under way at a time.
        rate: How many may begin a second; None for any number.
        clock: Seconds that never go back.
        sleep: Waits for seconds of that clock.
    """

    def __init__(
        self,
        max_in_flight: int = 1,
        rate: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._free = asyncio.Semaphore(max_in_flight)
        self._gap_seconds = 0.0 if rate is None else 1.0 / rate
        self._clock = clock
        self._sleep = sleep
        self._next_at = self._paused_until = clock()

    def pause(self, seconds: float) -> None:
        """Let nothing begin for so long, at most `LONGEST_PAUSE_SECONDS`; a longer pause stays."""
        if seconds > 0:
            until = self._clock() + min(seconds, LONGEST_PAUSE_SECONDS)
            self._paused_until = max(self._paused_until, until)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float | None]:
        """Wait for a turn, and keep it for the length of the block.

        Yields:
            None; or, where the event must not begin now, the seconds after which it may ask again.
        """
        give_back_at = self._clock() + WAIT_SECONDS
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            yield max(self._seconds_left(), BUSY_SECONDS)
            return
        try:
            yield await self._begin(give_back_at)
        finally:
            self._free.release()

    async def _begin(self, give_back_at: float) -> float | None:
        while (seconds := self._seconds_left()) > 0:  # a pause may come meanwhile
            if self._clock() + seconds > give_back_at:
                return seconds
            await self._sleep(seconds)
        self._next_at = self._clock() + self._gap_seconds
        return None

    def _seconds_left(self) -> float:
        return max(self._next_at, self._paused_until) - self._clock()
