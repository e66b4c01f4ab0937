"""The subscriber of the crash trials, a process.

`python -m tests.crash.subscriber AGENCY OPENED CLOSED JOURNAL GUARANTEE FAULT`

Its handler takes 2 ms, so that offsets that are committed too early reach the broker before it returns; 64
keys of each partition are at work at once.
"""

import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from bus import Bus, Event, RetryPolicy
from bus.crash.agencies import journal_handler
from bus.kafka import consumer, transport
from bus.times.clock import BrokerClock

HANDLING_SECONDS = 0.002
CONCURRENCY = 64
"""So many keys of a partition are at work at once when the process is killed."""
SLOW = {"slow-handler": (3.0, 1.0), "slow-rebalance": (12.0, 60.0)}
"""How long one call of each process takes under a fault, and how long it may take."""


STEPS_SECONDS = (0, 45, -45, 3600)
"""Under the fault `clock-steps` the time of day is set so far off, from one second to the next."""
FAILS_EVERY = 40

HELD = range(48, 51)
"""Under the fault `recreation` these events fail for as long as there is a file `hold` beside the journal."""


def off_ns() -> int:
    """Return the time of day of a machine whose clock is set again and again."""
    return time.time_ns() + STEPS_SECONDS[int(time.monotonic()) % len(STEPS_SECONDS)] * 1_000_000_000


async def main(*arguments: str) -> None:
    """Handle cases until this process is killed."""
    agency, opened, closed, journal, guarantee, fault = arguments
    exactly_once = guarantee == "exactly-once"
    publishes = exactly_once or fault == "kill after-publish"
    handle = journal_handler(journal, closed if publishes else None)
    if fault == "growth":
        consumer.METADATA_MS = 1_000  # so that a run need not wait until it reads the new partitions
    if fault == "clock-steps":
        transport.BrokerClock = partial(BrokerClock, time_of_day=off_ns)  # type: ignore[assignment,attr-defined]
    bus, slow = Bus(agency), {"left": fault in SLOW}
    slow_seconds, limit_seconds = SLOW.get(fault, (0.0, 60.0))
    hold = Path(journal).with_name("hold")
    waits = (0.5,) * 100 if fault == "recreation" else (0.3, 0.3, 1.0, 1.0)

    async def handle_in_time(event: Event[Any]) -> None:
        await asyncio.sleep(HANDLING_SECONDS)
        if fault == "clock-steps" and event.attempt == 1 and event.data["number"] % FAILS_EVERY == 0:
            raise RuntimeError  # it waits for its next attempt while the clock is set
        if event.data["number"] in HELD and hold.exists():
            raise RuntimeError  # its key is parked while its topic is made again
        if slow["left"] and event.data["number"] > 100:
            slow["left"] = False
            await asyncio.sleep(slow_seconds)
        await handle(event)

    bus.subscribe(
        opened, version=1, purpose="handle-cases", name="crash", exactly_once=exactly_once,
        retry=RetryPolicy(waits, jitter=0),
        timeout_seconds=limit_seconds, concurrency=CONCURRENCY,
    )(handle_in_time)  # fmt: skip
    await bus.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
