"""One short run: events are published before, during and after a fault, and the program handles them all."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bus.crash.processes import Processes, ProcessFault
from bus.draft import Draft, Receipt
from bus.errors import BusError
from bus.kafka.transport import KafkaTransport
from bus.publish.surface import Publishing
from bus.reconcile.account import account
from bus.reconcile.evidence import EvidenceReader
from bus.settings import Settings
from contracts import Catalog

BURSTS = 12
BURST_SECONDS = 0.15
TRICKLE = 16
"""While a fault lasts, one part in so many of what is left is published at once."""


@dataclass(slots=True)
class Trial(Processes):
    """The processes of a subscriber, and the events that are published for it."""

    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether the fault has happened, and every process was started again."""

    @abstractmethod
    async def publish(self) -> None:
        """Publish, and note what the bus acknowledges."""

    @abstractmethod
    def count_handled(self) -> int:
        """Return how many events are handled so far."""

    @abstractmethod
    def has_settled(self) -> bool:
        """Whether nothing more is expected of any event that was published."""

    async def has_handled(self, share: float) -> None:
        """Wait until that share of the events is handled."""
        await self.until(lambda: self.count_handled() >= share * self.events)

    async def bursts(self, count: int) -> AsyncIterator[range]:
        """Yield which of `count` events to publish next, so that there are some before, during and after.

        Once the subscriber works, half of them come in bursts, then fewer and fewer as long as the fault
        lasts, and the last burst when it is over.
        """
        burst, start = max(1, count // BURSTS), 0
        while start < count:
            size, left = burst, count - start
            if start >= count // 2 and not self.over.is_set():
                if left <= burst:
                    await self.over.wait()
                size = min(burst, max(1, (left - burst) // TRICKLE))
            yield range(start, min(start + size, count))
            start += size
            await self.until(self.count_handled)
            await asyncio.sleep(BURST_SECONDS)

    async def run(self, fault: ProcessFault) -> None:
        """Publish while the fault happens, and wait until everything is handled.

        Raises:
            BusError: an event is refused.
        """
        tasks = [asyncio.create_task(self._inject(fault)), asyncio.create_task(self.publish())]
        try:
            await asyncio.gather(*tasks)
            await self.until(self.has_settled)
        finally:
            for task in tasks:
                task.cancel()

    async def _inject(self, fault: ProcessFault) -> None:
        await fault(self)
        self.over.set()


async def differences_of(
    settings: Settings,
    catalog: Catalog,
    subjects: Collection[str] | None = None,
    earliest: datetime | None = None,
) -> tuple[str, ...]:
    """Return what does not add up after a run, each with its place.

    Args:
        settings: the cluster.
        catalog: the contracts.
        subjects: these events; every event of the catalogue if absent.
        earliest: what was published since then; what was since yesterday if absent.
    """
    today, transport = datetime.now(UTC).date(), KafkaTransport(settings)
    days = (today - timedelta(days=1), today + timedelta(days=1))
    found: list[str] = []
    await transport.start()
    try:
        for subject in catalog.contracts if subjects is None else subjects:
            evidence = await EvidenceReader(transport, catalog, subject, days, earliest=earliest).read()
            found += map(str, account(evidence).differences)
    finally:
        await transport.stop()
    return tuple(found)


async def publish_until_acknowledged(
    bus: Publishing, subject: str, drafts: list[Draft], version: str
) -> list[Receipt]:
    """Publish; what is not acknowledged is published again under its id.

    Raises:
        BusError: an event is wrong, so publishing it again is useless.
    """
    while True:
        try:
            return await bus.publish_many(subject, drafts, version=version)
        except BusError as error:
            if not error.retriable:
                raise
            await asyncio.sleep(0.5)
