"""The subscriber of `bus.crash.agencies`, one of whose calls takes three times as long as it may."""

import asyncio
import sys
from typing import Any

from bus import Bus, Event, RetryPolicy
from bus.crash.agencies import journal_handler

SLOW_SECONDS = 3.0
LIMIT_SECONDS = 1.0


async def main(*arguments: str) -> None:
    """Handle cases until this process is killed."""
    agency, opened, closed, journal, guarantee, name = arguments
    exactly_once = guarantee == "exactly-once"
    handle = journal_handler(journal, closed if exactly_once else None)
    bus, slow = Bus(agency), [True]

    async def handle_slowly(event: Event[Any]) -> None:
        if slow and event.data["number"] > 100:
            slow.clear()
            await asyncio.sleep(SLOW_SECONDS)
        await handle(event)

    bus.subscribe(
        opened, version=1, purpose="crash", name=name, exactly_once=exactly_once,
        retry=RetryPolicy((0.3, 0.3, 1.0, 1.0), jitter=0), timeout_seconds=LIMIT_SECONDS,
    )(handle_slowly)  # fmt: skip
    await bus.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
