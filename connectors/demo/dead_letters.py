"""The dead letters of a run, each traced back to its case.

A source names the file and line, or the table and position, of a record, and the books know the case of that
place. An event that was rejected further on has the reference of its case in its data.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from bus import BusError, Record, Settings, open_consumer
from connectors.demo.check import Rejection

__all__ = ["DeadLetterReader", "read_dead_letters", "rejection_of"]

PREFIX = "govbus-dead-letter-"
REFUSED = frozenset({"contract-violation", "too-large", "not-json", "malformed-envelope"})
"""Reasons for which a publisher refuses an event before it is sent."""
POLL_SECONDS = 0.5


def rejection_of(letter: Record, places: Mapping[tuple[str, str, str], str]) -> Rejection:
    """Return what a dead letter says. Pure.

    Args:
        letter: A record of `<agency>.dead-letters`.
        places: The case of each file and line, and of each table and row, of an agency's books.
    """
    agency = letter.topic.removesuffix(".dead-letters")
    facts = {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in letter.headers
        if name.startswith(PREFIX)
    }
    place = (facts.get("file") or facts.get("table") or "", facts.get("line") or facts.get("position") or "")
    reason = facts.get("reason", "unknown")
    from_source = bool(place[0])
    return Rejection(
        kind="refused" if from_source and reason in REFUSED else "dead-lettered",
        agency=agency,
        reason=reason,
        stage=facts.get("stage", "unknown"),
        where=":".join(place) if from_source else f"{letter.topic}:{letter.offset}",
        reference=places.get((agency, *place)) or _reference_in(letter.value),
    )


def _reference_in(value: bytes | None) -> str | None:
    try:
        data = json.loads(value or b"null")
    except ValueError:
        return None
    found = data.get("reference") if isinstance(data, dict) else None
    return found if isinstance(found, str) else None


class DeadLetterReader:
    """Collects the dead letters of a run; made by `read_dead_letters`."""

    def __init__(
        self, poll: Callable[[], Awaitable[Sequence[Record]]], ends: Callable[[], Awaitable[object]]
    ) -> None:
        self._poll = poll
        self._ends = ends
        self._letters: dict[tuple[str, int, int], Record] = {}

    async def read(self) -> None:
        """Wait up to half a second for new dead letters.

        Raises:
            BusError: The cluster refuses to be read.
        """
        for record in await self._poll():
            self._letters[record.topic, record.partition, record.offset] = record

    async def kafka_fault(self) -> None:
        """Ask Kafka where the dead letters end now; raise what it answers instead."""
        await self._ends()

    def rejections(self, places: Mapping[tuple[str, str, str], str]) -> tuple[Rejection, ...]:
        """Return what was rejected so far, traced to its case where the books have its place."""
        return tuple(rejection_of(letter, places) for letter in self._letters.values())


@asynccontextmanager
async def read_dead_letters(
    settings: Settings, run: str, agencies: Collection[str], *, skip_earlier: bool
) -> AsyncIterator[DeadLetterReader]:
    """Open the dead letters of a run.

    Args:
        settings: The cluster.
        run: The name of the run.
        agencies: Whose dead letters count.
        skip_earlier: Whether the cluster may have some of earlier runs, which do not count.
    """
    topics = [f"{agency}.dead-letters" for agency in sorted(agencies)]
    async with open_consumer(settings, group=f"govbus.demo.{run}", topics=topics) as consumer:

        async def poll() -> list[Record]:
            try:
                found = await consumer.poll(timeout_seconds=POLL_SECONDS, max_records=500)
            except BusError as error:
                if not error.retriable:
                    raise
                await asyncio.sleep(POLL_SECONDS)
                return []
            return [record for records in found.values() for record in records]

        while skip_earlier and (await poll() or not consumer.assigned()):
            pass
        yield DeadLetterReader(poll, consumer.ends)
