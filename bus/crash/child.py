"""The process that is killed: a subscriber that writes down each event it has handled, by one write.

`python -m bus.crash.child AGENCY OPENED CLOSED JOURNAL GUARANTEE FAULT [SUBSCRIPTION]`
"""

import asyncio
import os
import sys
import time
from typing import Any

from bus.bus import Bus
from bus.deliver.retry import RetryPolicy
from bus.event import Event

FAILING = 29
"""Each event with a number that this divides fails at its first attempt, so that its key is parked."""
SLOW_SECONDS = 3.0
LIMIT_SECONDS = 1.0


async def main(*arguments: str) -> None:
    """Handle cases until told to stop."""
    agency, opened, closed, journal, guarantee, fault, *named = arguments
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    bus = Bus(agency)
    slow = {"left": fault == "slow-handler"}

    async def take(event: Event[Any]) -> None:
        number = event.data["number"]
        if event.attempt == 1 and number % FAILING == 0:
            raise RuntimeError("parks its key")
        if slow["left"] and number > 100:
            slow["left"] = False
            await asyncio.sleep(SLOW_SECONDS)
        if number % 20 == 0:
            await asyncio.sleep(0.005)
        if guarantee == "exactly-once":
            await event.publish(closed, event.data, key=event.key)
        line = f"{time.time()} {event.partition} {event.offset} {event.key} {number}\n"
        os.write(file, line.encode())

    bus.subscribe(
        opened, version=1, purpose="crash", name="".join(named) or "crash",
        retry=RetryPolicy((0.3, 0.3, 1.0, 1.0), jitter=0),
        timeout_seconds=LIMIT_SECONDS if fault == "slow-handler" else 60.0,
        exactly_once=guarantee == "exactly-once",
    )(take)  # fmt: skip
    await bus.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
