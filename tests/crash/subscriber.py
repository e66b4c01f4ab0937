"""The subscriber of the crash trials, a process.

`python -m tests.crash.subscriber AGENCY OPENED CLOSED JOURNAL GUARANTEE FAULT`

Its handler takes 2 ms, so that offsets that are committed too early reach the broker before it returns.
"""

import asyncio
import sys
from typing import Any

from bus import Bus, Event, RetryPolicy
from bus.crash.agencies import journal_handler

HANDLING_SECONDS = 0.002
SLOW_SECONDS = 3.0
"""The fault `slow-handler` lets one call take so long, where it may take `LIMIT_SECONDS`."""
LIMIT_SECONDS = 1.0


async def main(*arguments: str) -> None:
    """Handle cases until this process is killed."""
    agency, opened, closed, journal, guarantee, fault = arguments
    exactly_once = guarantee == "exactly-once"
    handle = journal_handler(journal, closed if exactly_once else None)
    bus, slow = Bus(agency), {"left": fault == "slow-handler"}

    async def handle_in_time(event: Event[Any]) -> None:
        await asyncio.sleep(HANDLING_SECONDS)
        if slow["left"] and event.data["number"] > 100:
            slow["left"] = False
            await asyncio.sleep(SLOW_SECONDS)
        await handle(event)

    bus.subscribe(
        opened, version=1, purpose="crash", name="crash", exactly_once=exactly_once,
        retry=RetryPolicy((0.3, 0.3, 1.0, 1.0), jitter=0),
        timeout_seconds=LIMIT_SECONDS if fault == "slow-handler" else 60.0,
    )(handle_in_time)  # fmt: skip
    await bus.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
