"""Which partition of its topic an event goes to, and that the events of a subject wait while it grows.

Law: the partition is that of the key over the count in force: the registry's, else that of the catalogue in
hand. What a broker shows decides nothing. Nothing is sent by a new count before everything that was sent by
the old one is acknowledged or failed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Protocol

from bus.errors import BusError, BusUnavailableError
from bus.publish.publication import Publication
from bus.topics import partition_of
from bus.transport import Sender
from contracts import Catalog, Growth

MOST_PAUSED_SECONDS = 60.0
"""Longer than any pause of a growth lasts: its time is not counted against `publish_timeout_seconds`."""


class Lane(Protocol):
    """One publisher's way to the broker."""

    wrote: set[str] | None
    """The subjects of its open transaction; None outside of transactions."""
    held: int
    """How many of its events wait."""

    @property
    def transport(self) -> Sender:
        """What sends its events to their partitions."""


class Spreading:
    """The partitions of the events of one bus.

    Args:
        catalog: the contracts.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._growths: dict[str, Growth] = {}
        self._under_way: Counter[str] = Counter()
        self._draining: set[str] = set()
        self._held: dict[str, list[tuple[Lane, Publication]]] = {}
        self._changed = asyncio.Event()
        self.is_fresh: Callable[[], bool] = lambda: True
        """Whether the news of growths are known up to now."""

    def partitions(self, subject: str) -> int | None:
        """Return the count in force; None if nothing says it."""
        if (growth := self._growths.get(subject)) is not None:
            return growth.partitions
        contract = self._catalog.contracts.get(subject)
        return None if contract is None else contract.partitions

    def adopt(self, catalog: Catalog) -> None:
        """Use a newer catalogue."""
        before = {subject: self.partitions(subject) for subject in self._under_way}
        self._catalog = catalog
        for subject, partitions in before.items():
            self._settle(subject, partitions)

    def grow(self, growths: Iterable[Growth]) -> None:
        """Take news of growths: pause, switch or go on. Without any, the registry was looked at."""
        for growth in growths:
            before = self.partitions(growth.subject)
            self._growths[growth.subject] = growth
            self._settle(growth.subject, before)
        for subject in tuple(self._held):
            self._release(subject)
        self._tell()

    def _settle(self, subject: str, before: int | None) -> None:
        if self.partitions(subject) != before and self._under_way[subject]:
            self._draining.add(subject)
        self._release(subject)

    def is_open(self, subject: str) -> bool:
        """Whether events of a subject are sent at once."""
        growth = self._growths.get(subject)
        paused = growth is not None and growth.is_paused
        return not paused and subject not in self._draining and self.is_fresh()

    def may_pass(self, lane: Lane, subject: str) -> bool:
        """Whether a lane's events of a subject are sent at once."""
        return self.is_open(subject) or (lane.wrote is not None and subject in lane.wrote)

    def send(self, lane: Lane, publication: Publication) -> None:
        """Send an event, now or when its subject is open.

        A transaction that has written events of the subject goes on: no growth ends before it does, and it
        would never end if it waited for the growth.
        """
        subject = publication.stamper.subject
        if self.may_pass(lane, subject):
            self._pass(lane, publication, subject)
        else:
            lane.held += 1
            self._held.setdefault(subject, []).append((lane, publication))

    def _pass(self, lane: Lane, publication: Publication, subject: str) -> None:
        partitions = self.partitions(subject) or publication.stamper.contract.contract.partitions
        publication.partition = partition_of(publication.key or b"", partitions)
        self._under_way[subject] += 1
        if lane.wrote is not None:
            lane.wrote.add(subject)
        lane.transport.send(publication)

    def landed(self, subject: str, count: int = 1) -> None:
        """Note that `count` events which were sent are acknowledged or failed."""
        self._under_way[subject] -= count
        if not self._under_way[subject]:
            del self._under_way[subject]
            self._draining.discard(subject)
            self._release(subject)

    def _release(self, subject: str) -> None:
        if not self.is_open(subject):
            return
        for lane, publication in self._held.pop(subject, ()):
            lane.held -= 1
            self._pass(lane, publication, subject)
        self._tell()

    def drop(self, lane: Lane, error: BusError) -> None:
        """Fail what a lane holds: its transaction, or the bus, ended."""
        held, self._held = self._held, {}
        for subject, waiting in held.items():
            if rest := [one for one in waiting if one[0] is not lane]:
                self._held[subject] = rest
            for owner, publication in waiting:
                if owner is lane:
                    lane.held -= 1
                    publication.failed(error)
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def opened(self, lane: Lane, subject: str, timeout_seconds: float) -> None:
        """Wait until a lane's events of a subject are sent at once.

        Raises:
            BusUnavailableError: it is not after `timeout_seconds` and the longest pause.
        """
        if self.may_pass(lane, subject):
            return
        try:
            async with asyncio.timeout(timeout_seconds + MOST_PAUSED_SECONDS):
                while not self.may_pass(lane, subject):
                    await self._changed.wait()
        except TimeoutError:
            raise _paused_too_long(subject) from None

    async def released(self, lane: Lane, timeout_seconds: float) -> None:
        """Wait until nothing of a lane is held.

        Raises:
            BusUnavailableError: something is after `timeout_seconds` and the longest pause.
        """
        if not lane.held:
            return
        try:
            async with asyncio.timeout(timeout_seconds + MOST_PAUSED_SECONDS):
                while lane.held:
                    await self._changed.wait()
        except TimeoutError:
            raise _paused_too_long(", ".join(sorted(self._held))) from None


def _paused_too_long(subject: str) -> BusUnavailableError:
    return BusUnavailableError(
        f"Expected the growth of its partitions to end within {MOST_PAUSED_SECONDS:.0f} s, it did not - "
        f"{subject}. The event may still arrive: repeat it with the same `id`"
    )
