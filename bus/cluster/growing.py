"""The growth of one event's partitions, by the operator who applies it.

Law: the new count is put in force only when, in one pause, every subscriber has passed what was published by
the old count and holds none of it parked. So no key is in two partitions at once: none of its events
overtakes another.

1. Publishers go on until subscribers are nearly there, and nothing has been parked for long.
2. A signed entry of the registry pauses the publishers. It holds for `LEASE_MS` and is renewed, so that they
   go on by themselves if this process dies.
3. Once nothing has been added for `SETTLE_SECONDS`, and nobody holds anything, the switch is written.
4. A pause that lasts too long is ended, and tried again later. When `seconds` are over, it is given up.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

from bus.errors import BusError, BusUnavailableError
from contracts import LEASE_MS, RegistryEntry, paused_growth, settled_growth, switched_growth

GROW_SECONDS = 600.0
PAUSE_SECONDS = 20.0
"""How long publishers wait at most; less than they may wait for a broker."""
SETTLE_SECONDS = 3.0
"""How long after the pause began nothing may have been added: what was on its way has landed by then."""
ROUND_SECONDS = 1.0
REST = 2.0
"""A pause that was in vain is followed by so many times as long without one."""
PASSING_SECONDS = 10.0
"""Parked events that are gone within this time are waited for in the pause; less than it may last."""
NEARLY_EVENTS = 1_000
"""Subscribers that are no further behind catch up within a pause."""


@dataclass(frozen=True, slots=True)
class Holders:
    """Who holds a growth up.

    Attributes:
        ends: What was published so far; it changes when something is added.
        behind: How many events the last subscriber is behind.
        parked: The rows of the parked events.
        named: Each subscriber that is behind, or holds parked events, in a sentence.
    """

    ends: tuple[int, ...]
    behind: int
    parked: frozenset[bytes]
    named: tuple[str, ...]


class Growing:
    """One growth.

    Args:
        subject: the event.
        before: the partitions in force.
        after: those wanted; its topics have them already.
        write: writes an entry to the registry; returns when the broker took it, in milliseconds.
        holders: returns who holds the growth up.
        tell: called with a line for the operator.
    """

    def __init__(
        self,
        subject: str,
        before: int,
        after: int,
        *,
        write: Callable[[RegistryEntry], Awaitable[int]],
        holders: Callable[[], Awaitable[Holders]],
        tell: Callable[[str], None],
    ) -> None:
        self._subject = subject
        self._before = before
        self._after = after
        self._write = write
        self._holders = holders
        self._tell = tell
        self._turn = 0
        self._deciding = False

    async def run(self, seconds: float) -> None:
        """Grow.

        Raises:
            BusUnavailableError: it was given up after `seconds`; the message names who holds it up.
            BusError: it is not known whether the new count is in force: repeat it.
        """
        first = monotonic()
        end = first + seconds
        since: dict[bytes, float] = {}
        while True:
            begun = monotonic()
            found = await self._holders()
            since = {row: since.get(row, begun) for row in found.parked}
            # A key that waits for days must stop nobody; that some keys wait for seconds may never end.
            oldest = min(since.values(), default=begun)
            passing = not since or (begun - first >= PASSING_SECONDS and begun - oldest < PASSING_SECONDS)
            named, rest = found.named, ROUND_SECONDS
            if passing and found.behind <= NEARLY_EVENTS:
                named = await self._pause(min(end, begun + PAUSE_SECONDS))
                if not named:
                    return
                rest = (monotonic() - begun) * REST
            if monotonic() + rest > end:
                raise BusUnavailableError(
                    f"Expected that all subscribers of `{self._subject}` catch up and hold nothing parked "
                    f"within {seconds:.0f} s, got: {'; '.join(named)}. Publishers go on with {self._before} "
                    "partitions: repeat `apply --grow` when that is over"
                )
            for line in named:
                self._tell(line)
            await asyncio.sleep(rest)

    async def _pause(self, end: float) -> tuple[str, ...]:
        """Pause the publishers and switch; return who held it up, if that failed."""
        try:
            named = await self._switch(end)
        except BaseException:
            # Whether a switch on its way counts is for the broker to say.
            if not self._deciding:
                await self._settle()
            raise
        if named:
            await self._settle()
        return named

    async def _settle(self) -> None:
        try:
            await self._write(settled_growth(self._subject, self._before))
        except BusError as error:
            self._tell(f"the pause of `{self._subject}` ends by itself within {LEASE_MS // 1000} s: {error}")

    async def _switch(self, end: float) -> tuple[str, ...]:
        paused_at, renewed_ms = monotonic(), 0
        ends: tuple[int, ...] | None = None
        while True:
            begun, before_ms = monotonic(), renewed_ms
            self._turn += 1
            renewed_ms = await self._write(
                paused_growth(self._subject, self._before, self._after, self._turn)
            )
            found = await self._holders()
            # Publishers went on if the lease had run out, or if they had not heard of the pause.
            if renewed_ms > before_ms + LEASE_MS or found.ends != ends:
                paused_at, ends = begun, found.ends
            if not found.named and monotonic() - paused_at >= SETTLE_SECONDS:
                self._deciding = True
                switch = switched_growth(self._subject, self._before, self._after, renewed_ms)
                counts = await self._write(switch) <= renewed_ms + LEASE_MS
                self._deciding = False
                if counts:
                    return ()
            elif monotonic() > end:
                return found.named or (f"`{self._subject}` is published to in spite of the pause",)
            await asyncio.sleep(max(0.0, begun + ROUND_SECONDS - monotonic()))
