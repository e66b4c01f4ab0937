"""The process that publishes at a steady rate, and writes down what the bus acknowledged.

`python -m bus.crash.writer AGENCY SUBJECT JOURNAL RATE`, until SIGTERM. A line of the journal says when the
event was due and when it was acknowledged (seconds since the epoch), partition, offset, key and number.
"""

import asyncio
import signal
import sys
import time

from bus.bus import Bus
from bus.crash.trial import publish_surely
from bus.draft import Draft

KEYS = 5_000
TICK_SECONDS = 0.02
MOST_AT_ONCE = 1_000


async def main(agency: str, subject: str, journal: str, rate: str) -> None:
    """Publish what is due, in order; what an outage held up is due at once when it is over."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    begun, per_second, number = time.time(), int(rate), 0
    with open(journal, "w", encoding="ascii") as file:  # noqa: PTH123, ASYNC230 - a local file, line by line
        async with Bus(agency) as bus:
            while not stopping.is_set():
                due = min(int((time.time() - begun) * per_second), number + MOST_AT_ONCE)
                if due == number:
                    await asyncio.sleep(TICK_SECONDS)
                    continue
                drafts = [
                    Draft({"reference": key, "number": n}, key=key, id=f"case-{n}")
                    for n in range(number, due)
                    if (key := f"key-{n % KEYS}")
                ]
                receipts = await publish_surely(bus, subject, drafts)
                now = time.time()
                file.writelines(
                    f"{begun + n / per_second:.4f} {now:.4f} {at.partition} {at.offset} {draft.key} {n}\n"
                    for n, draft, at in zip(range(number, due), drafts, receipts, strict=True)
                )
                number = due


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
