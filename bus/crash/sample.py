"""A program for crash runs without `--app`: a health service, with one bus for each guarantee.

One event in 29 fails at first, so that keys are parked meanwhile.
"""

import asyncio
from pathlib import Path
from typing import Any

from bus.bus import Bus
from bus.deliver.retry import RetryPolicy
from bus.event import Event
from bus.settings import Settings
from contracts import REFERENCE

FAILING = 29
HANDLING_SECONDS = 0.002
"""So that offsets that are committed too early reach the broker before the handler returns."""


def _health(guarantee: str) -> Bus:
    bus = Bus("health", settings=Settings(catalog=Path(REFERENCE), registry="off"))
    exactly_once = guarantee == "exactly-once"

    async def open_record(event: Event[Any]) -> None:
        await asyncio.sleep(HANDLING_SECONDS)
        if event.attempt == 1 and event.offset % FAILING == 0:
            raise RuntimeError("fails at first")
        if exactly_once:
            record = {
                "reference": event.data["reference"],
                "record_number": "HR-00000001",
                "practice": "A practice",
                "opened_on": event.data["child"]["birth_date"],
                "vaccination_plan": "standard",
            }
            await event.publish("health.record-opened", record, key=event.key, version="1.0")

    bus.subscribe(
        "civil-registry.birth-registered", version=1, purpose="open-health-record", name=guarantee,
        retry=RetryPolicy((0.3, 0.3, 1.0, 1.0), jitter=0), exactly_once=exactly_once,
    )(open_record)  # fmt: skip
    return bus


at_least_once = _health("at-least-once")
exactly_once = _health("exactly-once")
