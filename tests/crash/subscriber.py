"""The subscriber of the crash trials, a process.

`python -m tests.crash.subscriber AGENCY OPENED CLOSED JOURNAL GUARANTEE FAULT`

Its handler takes 2 ms, so that offsets that are committed too early reach the broker before it returns.
"""

import asyncio
import sys
from typing import Any

from bus import Bus, Event, RetryPolicy
from bus.crash.agencies import journal_handler
from bus.kafka import consumer

HANDLING_SECONDS = 0.002
SLOW = {"slow-handler": (3.0, 1.0), "slow-rebalance": (12.0, 60.0)}
"""How long one call of each process takes under a fault, and how long it may take."""


async def main(*arguments: str) -> None:
    """Handle cases until this process is killed."""
    agency, opened, closed, journal, guarantee, fault = arguments
    exactly_once = guarantee == "exactly-once"
    handle = journal_handler(journal, closed if exactly_once else None)
    if fault == "growth":
        consumer.METADATA_MS = 1_000  # so that a run need not wait until it reads the new partitions
    bus, slow = Bus(agency), {"left": fault in SLOW}
    slow_seconds, limit_seconds = SLOW.get(fault, (0.0, 60.0))

    async def handle_in_time(event: Event[Any]) -> None:
        await asyncio.sleep(HANDLING_SECONDS)
        if slow["left"] and event.data["number"] > 100:
            slow["left"] = False
            await asyncio.sleep(slow_seconds)
        await handle(event)

    bus.subscribe(
        opened, version=1, purpose="crash", name="crash", exactly_once=exactly_once,
        retry=RetryPolicy((0.3, 0.3, 1.0, 1.0), jitter=0),
        timeout_seconds=limit_seconds,
    )(handle_in_time)  # fmt: skip
    await bus.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
