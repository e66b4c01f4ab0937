"""How long a caller waits for the broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bus.errors import BusUnavailableError


@asynccontextmanager
async def in_time(seconds: float, what: str) -> AsyncIterator[None]:
    """End a wait for the broker that lasts too long; what was sent may still arrive.

    Args:
        seconds: how long it may last.
        what: what was waited for, such as "topic `x`".

    Raises:
        BusUnavailableError: it lasted longer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise BusUnavailableError(
            f"Expected an acknowledgement within {seconds:g} s, got none - {what}. What was sent may still "
            "arrive"
        ) from None
