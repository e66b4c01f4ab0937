"""Two agencies made for one run: the north publishes cases, the south handles them.

Each is a process of its own and writes a journal, one line for each event:
`python -m bus.crash.agencies publish AGENCY SUBJECT JOURNAL RATE`, until SIGTERM, and
`python -m bus.crash.agencies handle AGENCY OPENED CLOSED JOURNAL GUARANTEE SUBSCRIPTION`.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from bus.bus import Bus
from bus.crash.trial import publish_until_acknowledged
from bus.deliver.retry import RetryPolicy
from bus.draft import Draft
from bus.event import Event
from contracts import Catalog

FAILING = 29
"""Each event whose number is a multiple of this fails at its first attempt, so that its key is parked."""
KEYS = 5_000
TICK_SECONDS = 0.02
MOST_AT_ONCE = 1_000

_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"reference": {"type": "string", "maxLength": 64}, "number": {"type": "integer"}},
    "required": ["reference", "number"],
    "additionalProperties": False,
}


class TwoAgencies:
    """A catalogue of two agencies whose names are new, so that runs can share a broker.

    Args:
        folder: an empty folder for the catalogue.
    """

    def __init__(self, folder: Path) -> None:
        mark = uuid4().hex[:8]
        self.folder = folder
        self.north, self.south = f"north-{mark}", f"south-{mark}"
        self.opened, self.closed = f"{self.north}.case-opened", f"{self.south}.case-closed"
        for subject in (self.opened, self.closed):
            _write_agency(folder, subject)
        _write_grant(folder, self.south, self.opened)
        self.catalog = Catalog.open(folder)

    def handle(self, journal: Path, guarantee: str, subscription: str) -> list[str]:
        """Return the south's program, as arguments of Python."""
        names = [self.south, self.opened, self.closed]
        return ["-m", "bus.crash.agencies", "handle", *names, str(journal), guarantee, subscription]

    def publish(self, journal: Path, rate: int) -> list[str]:
        """Return the north's program, as arguments of Python."""
        return ["-m", "bus.crash.agencies", "publish", self.north, self.opened, str(journal), str(rate)]


def _write_agency(folder: Path, subject: str) -> None:
    agency, event = subject.split(".")
    place = folder / "agencies" / agency / event
    place.mkdir(parents=True)
    schema = json.dumps(_SCHEMA).encode()
    (place / "v1.0.json").write_bytes(schema)
    version = {"number": "1.0", "file": "v1.0.json", "sha256": hashlib.sha256(schema).hexdigest()}
    contract = {
        "subject": subject, "title": subject, "description": "An event of a crash run.", "owner": "An office",
        "contact": "office@example.org", "classification": "internal", "retention": "P1D",
        "compatibility": "BACKWARD", "key": {"kind": "field", "path": "$.reference"}, "versions": [version],
    }  # fmt: skip
    owner = {
        "name": agency, "title": agency, "description": "An agency of a crash run.", "level": "national",
        "contact": "office@example.org", "systems": [{"name": "main", "title": "Main"}],
    }  # fmt: skip
    (place / "contract.yaml").write_text(yaml.safe_dump(contract))
    (place.parent / "agency.yaml").write_text(yaml.safe_dump(owner))


def _write_grant(folder: Path, reader: str, subject: str) -> None:
    grant = {
        "subject": subject, "version": 1, "purpose": "handle-cases", "fields": ["$"],
        "approved_by": "An office", "approved_on": "2026-01-01", "expires": "2999-12-31",
    }  # fmt: skip
    file = folder / "agencies" / reader / "subscriptions" / f"{subject}.yaml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump(grant))


def drafts(numbers: range, keys: int = KEYS) -> list[Draft]:
    """Return the cases of these numbers, over so many keys."""
    return [
        Draft({"reference": key, "number": number}, key=key, id=f"case-{number}")
        for number in numbers
        if (key := f"key-{number % keys}")
    ]


def journal_handler(journal: str, closed: str | None) -> Callable[[Event[Any]], Awaitable[None]]:
    """Return a handler that adds each event to a journal in one write, and publishes `closed` if given."""
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def handle(event: Event[Any]) -> None:
        number = event.data["number"]
        if event.attempt == 1 and number % FAILING == 0:
            raise RuntimeError("parks its key")
        if number % 20 == 0:
            await asyncio.sleep(0.005)
        if closed is not None:
            await event.publish(closed, event.data, key=event.key, version="1.0")
        line = f"{time.time()} {event.partition} {event.offset} {event.key} {number}\n"
        os.write(file, line.encode())

    return handle


async def handle(*arguments: str) -> None:
    """Handle cases until this process is killed."""
    agency, opened, closed, journal, guarantee, name = arguments
    exactly_once = guarantee == "exactly-once"
    bus = Bus(agency)
    bus.subscribe(
        opened, version=1, purpose="handle-cases", name=name, exactly_once=exactly_once,
        retry=RetryPolicy((0.3, 0.3, 1.0, 1.0), jitter=0),
    )(journal_handler(journal, closed if exactly_once else None))  # fmt: skip
    await bus.run()


async def publish(agency: str, subject: str, journal: str, rate: str) -> None:
    """Publish at a steady rate until SIGTERM; after an outage what is overdue is published at once.

    A line of the journal has the times when the event was due and when it was acknowledged (seconds since
    the epoch), partition, offset, key and number.
    """
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
                batch = drafts(range(number, due))
                receipts = await publish_until_acknowledged(bus, subject, batch, "1.0")
                now = time.time()
                file.writelines(
                    f"{begun + n / per_second:.4f} {now:.4f} {at.partition} {at.offset} {draft.key} {n}\n"
                    for n, draft, at in zip(range(number, due), batch, receipts, strict=True)
                )
                number = due


if __name__ == "__main__":
    asyncio.run(publish(*sys.argv[2:]) if sys.argv[1] == "publish" else handle(*sys.argv[2:]))
