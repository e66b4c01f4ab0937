"""Long work on the event loop, in turns: heartbeats, health and a stop do not wait for the end of a batch."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import monotonic
from typing import TypeVar

TURN_SECONDS = 0.01
"""How long a connector works before it lets others run."""

Item = TypeVar("Item")


async def in_turns(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield each item; once a turn is over, let whatever else is ready on the loop run first."""
    over_at = monotonic() + TURN_SECONDS
    for item in items:
        if monotonic() >= over_at:
            await asyncio.sleep(0)
            over_at = monotonic() + TURN_SECONDS
        yield item
