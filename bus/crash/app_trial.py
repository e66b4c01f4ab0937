"""One run of an agency's own program: it is fed by the kit, struck, and judged by its receipts alone."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from bus.bus import Bus
from bus.crash.account import account
from bus.crash.app import part_of
from bus.crash.heard import Heard
from bus.crash.samples import Samples
from bus.crash.trial import Fault, Trial, publish_surely, strike_while_publishing
from bus.crash.verdict import Accepted, Place, Verdict
from bus.deliver.subscription import Subscription
from bus.draft import Draft
from bus.errors import BusError
from bus.kafka.admin import apply_topics
from bus.kafka.consumer import open_consumer
from bus.kafka.transport import KafkaTransport
from bus.parking.rows import read_row
from bus.receipts.receipts import RECEIPTS_TOPIC, DeliveryReceipt, decode_receipts
from bus.record import Record
from bus.topics import parked_topic
from contracts import Catalog

AGAIN_SECONDS = 0.5


@dataclass(slots=True)
class AppTrial(Trial):
    """A run of `app`, whose subscriptions are given events of each of `samples`, by topic."""

    app: str = field(kw_only=True)
    agency: str = field(kw_only=True)
    catalog: Catalog = field(kw_only=True)
    subscriptions: list[Subscription] = field(kw_only=True)
    samples: Mapping[str, Samples] = field(kw_only=True)
    mark: str = field(default_factory=lambda: uuid4().hex[:8])
    accepted: list[Accepted] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)

    def command(self) -> list[str]:
        """Run the agency's bus."""
        return ["-m", "bus.crash.app", self.app]

    def environment(self) -> dict[str, str]:
        """Let it import what this process can; nobody else's news reach it."""
        path = os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)
        return {"PYTHONPATH": path, "GOVBUS_REGISTRY": "off"}

    def count_handled(self) -> int:
        """Count the deliveries that have a receipt."""
        return len(self.heard.seen)

    def has_settled(self) -> bool:
        """Whether each accepted event is done with everywhere, or waits and is in no hurry."""
        owed = [
            (one.name, each.place)
            for one in self.subscriptions
            for each in self.accepted
            if each.place[0] in one.expected
        ]
        return self.heard.is_settled(owed, time.monotonic())

    async def publish(self) -> None:
        """Publish events of every topic in bursts."""
        async with AsyncExitStack() as stack:
            owners = {samples.version.contract.agency for samples in self.samples.values()}
            buses = {
                name: await stack.enter_async_context(Bus(name, settings=self.settings, catalog=self.catalog))
                for name in sorted(owners)
            }
            async for numbers in self.bursts(self.events // len(self.samples)):
                for samples in self.samples.values():
                    bus = buses[samples.version.contract.agency]
                    await self._publish(bus, samples, numbers)

    async def _publish(self, bus: Bus, samples: Samples, numbers: range) -> None:
        version = samples.version
        chosen = [samples.sample(number) for number in numbers]
        drafts = [
            # One transaction for each key, so that its receipts stand in one order.
            Draft(one.data, one.key, f"{version.type}-{self.mark}-{n}", transaction=f"{self.mark}-{one.key}")
            for n, one in zip(numbers, chosen, strict=True)
        ]
        receipts = await publish_surely(bus, version.contract.subject, drafts, version.number)
        self.accepted += [
            Accepted((receipt.topic, receipt.partition, receipt.offset), f"{receipt.topic} {one.key}", number)
            for number, one, receipt in zip(numbers, chosen, receipts, strict=True)
        ]

    async def follow(self) -> None:
        """Read the receipts as they come, whatever becomes of the broker meanwhile."""
        while True:
            try:
                group = f"{self.agency}.crash.{self.mark}"
                async with open_consumer(self.settings, group=group, topics=[RECEIPTS_TOPIC]) as consumer:
                    while True:
                        for records in (await consumer.poll(0.25, 1_000)).values():
                            for record in records:
                                self.heard.take(self._own(record), time.monotonic())
            except BusError:
                await asyncio.sleep(AGAIN_SECONDS)

    def _own(self, record: Record) -> list[DeliveryReceipt]:
        rows = decode_receipts(record.value)
        return [row for row in rows if isinstance(row, DeliveryReceipt) and row.agency == self.agency]

    async def judge(self) -> dict[str, Verdict]:
        """Return a verdict for each subscription, from all receipts and what is parked."""
        transport = KafkaTransport(self.settings)
        await transport.start()
        try:
            rows = [row for record in await transport.read_all(RECEIPTS_TOPIC) for row in self._own(record)]
            parked: dict[tuple[str, Place], bool] = {}
            for record in await transport.read_all(parked_topic(self.agency)):
                if (row := read_row(record)) is not None:
                    parked[row.home.subscription, (*row.home.partition, row.offset)] = row.event is not None
        finally:
            await transport.stop()
        waiting = {delivery for delivery, waits in parked.items() if waits}
        return {one.name: self._account(one, rows, waiting) for one in self.subscriptions}

    def _account(
        self, one: Subscription, rows: list[DeliveryReceipt], waiting: set[tuple[str, Place]]
    ) -> Verdict:
        verdict = account(
            [each for each in self.accepted if each.place[0] in one.expected],
            [row for row in rows if row.subscription == one.name],
            {place for name, place in waiting if name == one.name},
            exactly_once=one.exactly_once,
            restarted_at=self.restarted_at,
        )
        return replace(verdict, struck=self.struck, ended=self.ended)


async def run(trial: AppTrial, strike: Fault) -> dict[str, Verdict]:
    """Publish while a fault strikes, let everybody finish, and judge each subscription."""
    with tempfile.TemporaryDirectory(prefix="govbus-crash-") as folder:
        trial.folder = Path(folder)
        await apply_topics(trial.settings, part_of(trial.catalog, trial.agency, trial.samples))
        following = asyncio.create_task(trial.follow())
        try:
            await strike_while_publishing(trial, strike)
        finally:
            await trial.end()
            following.cancel()
            await asyncio.wait([following])
        found = await trial.judge()
        if any(one.broken for one in found.values()):
            kept = trial.keep()
            found = {name: one.with_logs(kept) for name, one in found.items()}
        return found
