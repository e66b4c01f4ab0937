"""Trials of an agency's own program: the kit publishes for it, a fault happens, its receipts are judged."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from uuid import uuid4

from bus.bus import Bus
from bus.cluster.topics import apply_topics
from bus.crash.faults import FAULTS, fault_on_own_broker, guarantees_of, missing
from bus.crash.processes import ProcessFault
from bus.crash.progress import Progress
from bus.crash.report import CrashRun
from bus.crash.samples import Samples, read_events, samples_for
from bus.crash.trial import Trial, differences_of, publish_until_acknowledged
from bus.crash.verdict import Accepted, CrashVerdict, RecordPosition, judge_receipts
from bus.deliver.subscription import Subscription
from bus.draft import Draft
from bus.errors import BusError, UsageError
from bus.kafka.consumer import open_consumer
from bus.kafka.transport import KafkaTransport
from bus.parking.rows import read_row
from bus.receipts.receipts import DeliveryReceipt, decode_receipts
from bus.record import Record
from bus.run.programs import load_named_bus
from bus.topics import parked_topic, receipts_topic
from contracts import Catalog

AGAIN_SECONDS = 0.5


class AgencyApp:
    """An agency's program, ready for trials.

    Args:
        name: its bus, as `MODULE:BUS`.
        events: a file of events to publish; the examples of the contracts if absent.
        count: how many events of each topic a run publishes.

    Raises:
        UsageError: there is no such bus, it has no subscriptions, or there is nothing to publish.
    """

    def __init__(self, name: str, *, events: Path | None = None, count: int = 600) -> None:
        self.name = name
        self.count = count
        self.bus = load_named_bus(name)
        self.subscriptions: list[Subscription] = list(
            self.bus._subscriptions.values()  # noqa: SLF001 - the room's own, not offered to others
        )
        if not self.subscriptions:
            raise UsageError("Expected a bus with subscriptions, got one with none - at `--app`")
        given = read_events(events) if events is not None else {}
        self.samples: dict[str, Samples] = {}
        for one in self.subscriptions:
            subject, _, major = one.topic.rpartition(".v")
            contract = self.bus.catalog.contract(subject)
            self.samples[one.topic] = samples_for(contract, int(major), self.bus.catalog_folder, given)

    def catalog(self) -> Catalog:
        """Return the part of its catalogue that a run needs: the topics it reads, and the agency's own."""
        agency, catalog = self.bus.agency, self.bus.catalog
        read = {topic.rpartition(".v")[0] for topic in self.samples}
        contracts = {
            subject: contract
            for subject, contract in catalog.contracts.items()
            if subject in read or contract.agency == agency
        }
        owners = {agency, *(contract.agency for contract in contracts.values())}
        agencies = {name: found for name, found in catalog.agencies.items() if name in owners}
        return replace(catalog, agencies=MappingProxyType(agencies), contracts=MappingProxyType(contracts))

    def why_not(self, fault: str) -> str:
        """Return why a fault cannot happen to this program on this machine; empty if it can."""
        if fault not in FAULTS:
            return f"known are {', '.join(FAULTS)}"
        promised = {_guarantee(one) for one in self.subscriptions}
        if not promised & set(guarantees_of(fault)):
            return f"no subscription is {' or '.join(guarantees_of(fault))}"
        return missing(fault)

    def runs(
        self, faults: Sequence[str], seeds: Sequence[int], on_skipped: Callable[[str, str], None]
    ) -> Iterator[CrashRun]:
        """Run every fault with every seed; yield the result of each subscription.

        Args:
            faults: their names.
            seeds: one run for each.
            on_skipped: called with the name of a fault that cannot happen, and why.
        """
        for fault in faults:
            if why := self.why_not(fault):
                on_skipped(fault, why)
                continue
            for seed in seeds:
                yield from asyncio.run(self.run(fault, seed))

    async def run(self, fault: str, seed: int) -> list[CrashRun]:
        """Run it once on a broker of its own; return the result of each subscription."""
        async with fault_on_own_broker(fault) as (settings, inject):
            found = await AppTrial(settings, fault, seed, self.count * len(self.samples), app=self).verdicts(
                inject
            )
        return [
            CrashRun(fault, _guarantee(one), seed, found[one.name], one.name) for one in self.subscriptions
        ]


def _guarantee(one: Subscription) -> str:
    return "exactly-once" if one.exactly_once else "at-least-once"


@dataclass(slots=True)
class AppTrial(Trial):
    """One run of an agency's program, which receives events of each topic that it reads."""

    app: AgencyApp = field(kw_only=True)
    mark: str = field(default_factory=lambda: uuid4().hex[:8])
    accepted: list[Accepted] = field(default_factory=list)
    progress: Progress = field(default_factory=Progress)

    def command(self) -> list[str]:
        """Run the agency's bus."""
        return ["-m", "bus.crash.program", self.app.name]

    def environment(self) -> dict[str, str]:
        """Import the same modules as this process, and follow no registry."""
        path = os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)
        return {"PYTHONPATH": path, "GOVBUS_REGISTRY": "off"}

    def count_handled(self) -> int:
        """Count the deliveries that have a receipt."""
        return len(self.progress.seen)

    def has_settled(self) -> bool:
        """Whether each accepted event is final for each subscription, or parked and not due soon."""
        expected = [
            (one.name, each.position)
            for one in self.app.subscriptions
            for each in self.accepted
            if each.position[0] in one.expected
        ]
        return self.progress.is_settled(expected, time.monotonic())

    async def publish(self) -> None:
        """Publish events of every topic in bursts."""
        async with AsyncExitStack() as stack:
            topics = self.app.samples.values()
            catalog = self.app.bus.catalog
            buses = {
                name: await stack.enter_async_context(Bus(name, settings=self.settings, catalog=catalog))
                for name in sorted({samples.version.contract.agency for samples in topics})
            }
            async for numbers in self.bursts(self.events // len(topics)):
                for samples in topics:
                    await self._publish(buses[samples.version.contract.agency], samples, numbers)

    async def _publish(self, bus: Bus, samples: Samples, numbers: range) -> None:
        version = samples.version
        chosen = [samples.sample(number) for number in numbers]
        drafts = [
            # One transaction for each key, so that its receipts are in one partition, in order.
            Draft(one.data, one.key, f"{version.type}-{self.mark}-{n}", transaction=f"{self.mark}-{one.key}")
            for n, one in zip(numbers, chosen, strict=True)
        ]
        receipts = await publish_until_acknowledged(bus, version.contract.subject, drafts, version.number)
        self.accepted += [
            Accepted((receipt.topic, receipt.partition, receipt.offset), f"{receipt.topic} {one.key}", number)
            for number, one, receipt in zip(numbers, chosen, receipts, strict=True)
        ]

    async def verdicts(self, fault: ProcessFault) -> dict[str, CrashVerdict]:
        """Publish while a fault happens, wait until everything is handled, and judge each subscription."""
        with tempfile.TemporaryDirectory(prefix="govbus-crash-") as folder:
            self.folder = Path(folder)
            await apply_topics(self.settings, self.app.catalog())
            following = asyncio.create_task(self._follow())
            try:
                await self.run(fault)
            finally:
                await self.end()
                following.cancel()
                await asyncio.wait([following])
            differences = await differences_of(self.settings, self.app.catalog())
            found = {
                name: replace(one, differences=differences) for name, one in (await self._judge()).items()
            }
            if any(one.broken for one in found.values()):
                logs = self.keep_logs()
                found = {name: replace(one, logs=logs) for name, one in found.items()}
            return found

    async def _follow(self) -> None:
        """Read receipts as they come, through every outage of the broker."""
        while True:
            try:
                agency = self.app.bus.agency
                group, topics = f"{agency}.crash.{self.mark}", [receipts_topic(agency)]
                async with open_consumer(self.settings, group=group, topics=topics) as consumer:
                    while True:
                        for records in (await consumer.poll(0.25, 1_000)).values():
                            for record in records:
                                self.progress.take(self._own(record), time.monotonic())
            except BusError:
                await asyncio.sleep(AGAIN_SECONDS)

    def _own(self, record: Record) -> list[DeliveryReceipt]:
        rows = decode_receipts(record.value)
        return [row for row in rows if isinstance(row, DeliveryReceipt) and row.agency == self.app.bus.agency]

    async def _judge(self) -> dict[str, CrashVerdict]:
        """Return a verdict for each subscription, from all receipts and parked rows."""
        transport = KafkaTransport(self.settings)
        await transport.start()
        try:
            topic = receipts_topic(self.app.bus.agency)
            rows = [row for record in await transport.read_all(topic) for row in self._own(record)]
            parked: dict[tuple[str, RecordPosition], bool] = {}
            for record in await transport.read_all(parked_topic(self.app.bus.agency)):
                if (row := read_row(record)) is not None:
                    parked[row.home.subscription, (*row.home.partition, row.offset)] = row.event is not None
        finally:
            await transport.stop()
        waiting = {delivery for delivery, waits in parked.items() if waits}
        return {one.name: self._judge_one(one, rows, waiting) for one in self.app.subscriptions}

    def _judge_one(
        self,
        one: Subscription,
        rows: Collection[DeliveryReceipt],
        waiting: Collection[tuple[str, RecordPosition]],
    ) -> CrashVerdict:
        verdict = judge_receipts(
            [each for each in self.accepted if each.position[0] in one.expected],
            [row for row in rows if row.subscription == one.name],
            {position for name, position in waiting if name == one.name},
            exactly_once=one.exactly_once,
            restarted_at=self.restarted_at,
        )
        return replace(verdict, struck=self.struck, ended=self.ended)
