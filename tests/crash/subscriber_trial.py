"""One run of the project's own subscriber, judged by its journal and by a reader of what it published."""

import asyncio
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bus import Bus, apply_topics, open_consumer
from bus.crash import processes
from bus.crash.agencies import TwoAgencies, drafts
from bus.crash.faults import FAULTS, PROCESS_FAULTS, kill_at
from bus.crash.processes import Processes, ProcessFault
from bus.crash.trial import Trial, differences_of, publish_until_acknowledged
from bus.crash.verdict import Accepted, CrashVerdict, Handling, judge
from bus.deliver.cli import go_on
from bus.kafka.transport import KafkaTransport
from bus.process.serving import LEFT_ALONE

KEYS = 240
"""More than are at work at once, and several events of each."""
QUIET_POLLS = 4
AFTER_PUBLISH = "kill after-publish"
SUBSCRIBER = ("-m", "tests.crash.subscriber")


async def slow_handler(subscriber: Processes) -> None:
    """Let one call of the handler take three times as long as it may."""
    subscriber.start("one")
    await subscriber.has_handled(1 / 3)


async def clock_steps(subscriber: Processes) -> None:
    """Set the time of day of the subscriber again and again, while some events wait for another attempt."""
    subscriber.start("one")
    await subscriber.has_handled(1 / 2)


async def expired_offsets(subscriber: Processes) -> None:
    """Stop a subscriber, delete the offsets of its group, and start it again; an operator says where."""
    assert isinstance(subscriber, SubscriberTrial)
    subscriber.start("one")
    await subscriber.has_handled(1 / 3)
    subscriber.running["one"].send_signal(signal.SIGTERM)
    await subscriber.ends("one", 0)
    agency, name = subscriber.agencies.south, "crash"
    admin = AdminClient({"bootstrap.servers": subscriber.settings.bootstrap_servers})
    while not await asyncio.to_thread(_is_deleted, admin, f"{agency}.{name}"):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.5)  # its member counts as there until the session ends
    subscriber.restarted_at = time.time()
    subscriber.start("one")
    if subscriber.guarantee == "exactly-once":
        transport = KafkaTransport(subscriber.settings)
        await transport.start()
        try:
            await go_on(transport, agency, name, begin="recorded", by="mae", why="offsets expired")
        finally:
            await transport.stop()
    await subscriber.has_handled(2 / 3)


def _is_deleted(admin: AdminClient, group: str) -> bool:
    with suppress(KafkaException):
        admin.delete_consumer_groups([group])[group].result(30)
        return True
    return False


async def slow_rebalance(subscriber: Processes) -> None:
    """Start a second subscriber while a handler of the first is at work for longer than a session lasts."""
    subscriber.start("one")
    await subscriber.has_handled(1 / 8)
    subscriber.start("two")
    await subscriber.has_handled(1 / 2)


async def twin_instances(subscriber: Processes) -> None:
    """Start a second subscriber under the name of the first, which must end and say why by its code."""
    subscriber.start("one")
    await subscriber.has_handled(subscriber.chance.uniform(1 / 24, 1 / 3))
    subscriber.start("twin", instance="one")
    await subscriber.ends("one", LEFT_ALONE)


OWN_FAULTS: Mapping[str, ProcessFault] = {
    AFTER_PUBLISH: kill_at("after-publish"),
    "clock-steps": clock_steps,
    "expired-offsets": expired_offsets,
    "slow-handler": slow_handler,
    "slow-rebalance": slow_rebalance,
    "twin-instances": twin_instances,
}
SHARED_BROKER_FAULTS = {**PROCESS_FAULTS, **OWN_FAULTS}
SUBSCRIBER_FAULTS = (*FAULTS, *OWN_FAULTS)


@dataclass(slots=True)
class SubscriberTrial(Trial):
    """A run under one guarantee, `at-least-once` or `exactly-once`."""

    guarantee: str = field(kw_only=True)
    program: Sequence[str] = SUBSCRIBER
    """The subscriber, as arguments of Python."""
    agencies: TwoAgencies = field(init=False)
    accepted: list[Accepted] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        """Where the subscriber notes what it has handled."""
        return self.folder / "journal"

    def command(self) -> list[str]:
        """Run the subscriber."""
        agencies = self.agencies
        names = [agencies.south, agencies.opened, agencies.closed]
        return [*self.program, *names, str(self.journal), self.guarantee, self.fault]

    def environment(self) -> dict[str, str]:
        """Name the catalogue."""
        return {"GOVBUS_CATALOG": str(self.agencies.folder)}

    def count_handled(self) -> int:
        """Count the lines of the journal."""
        return len(self.handlings())

    def owed(self) -> Sequence[Accepted]:
        """Return the events that must be handled."""
        return self.accepted

    def has_settled(self) -> bool:
        """Whether each event that must be handled is in the journal."""
        return {one.position for one in self.owed()} <= {one.position for one in self.handlings()}

    def handlings(self) -> list[Handling]:
        """Return what the journal says."""
        if not self.journal.exists():
            return []
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return [
            Handling(float(at), (int(partition), int(offset)), key, int(number))
            for at, partition, offset, key, number in (line for line in lines if len(line) == 5)
        ]

    async def publish(self) -> None:
        """Publish in bursts."""
        agencies = self.agencies
        async with Bus(agencies.north, settings=self.settings, catalog=agencies.catalog) as bus:
            async for numbers in self.bursts(self.events):
                batch = drafts(numbers, KEYS)
                receipts = await publish_until_acknowledged(bus, agencies.opened, batch, "1.0")
                self.accepted += [
                    Accepted((receipt.partition, receipt.offset), draft.key or "", draft.data["number"])
                    for receipt, draft in zip(receipts, batch, strict=True)
                ]

    async def prepare(self) -> None:
        """Make the topics."""
        await apply_topics(self.settings, self.agencies.catalog)

    async def verdict(self, fault: ProcessFault) -> CrashVerdict:
        """Publish while a fault happens, wait until everything is handled, and judge."""
        with tempfile.TemporaryDirectory(prefix="govbus-crash-") as folder:
            self.folder = Path(folder)
            self.agencies = TwoAgencies(self.folder / "catalog")
            await self.prepare()
            try:
                await self.run(fault)
                publishes = self.guarantee == "exactly-once" or self.fault == AFTER_PUBLISH
                published = await self._published() if publishes else None
            finally:
                await self.end()
            verdict = self.judged(published)
            differences = await differences_of(self.settings, self.agencies.catalog)
            verdict = replace(verdict, struck=self.struck, ended=self.ended, differences=differences)
            return replace(verdict, logs=self.keep_logs()) if verdict.broken else verdict

    def judged(self, published: Iterable[int] | None) -> CrashVerdict:
        """Judge what was handled, and what a reader sees of it; see `judge_with_reader`."""
        return judge_with_reader(self.accepted, self.handlings(), published, self.restarted_at)

    async def _published(self) -> list[int]:
        """Return the numbers that a reader of committed records sees, once no more come.

        At least once, a copy under the same id is the same event, which every subscriber drops.
        """
        found: list[int] = []
        known: set[bytes | None] = set()
        topic, group = f"{self.agencies.closed}.v1", f"{self.agencies.south}.count"
        async with open_consumer(self.settings, group=group, topics=[topic]) as consumer:
            quiet, deadline = 0, time.monotonic() + processes.PATIENCE_SECONDS
            while time.monotonic() < deadline and (
                not {one.number for one in self.owed()} <= set(found) or quiet < QUIET_POLLS
            ):
                batches = await consumer.poll(0.25, 10_000)
                quiet = 0 if batches else quiet + 1
                for record in (record for records in batches.values() for record in records):
                    event_id = dict(record.headers)["ce_id"]
                    if self.guarantee == "exactly-once" or event_id not in known:
                        found.append(orjson.loads(record.value or b"{}")["number"])
                    known.add(event_id)
        return found


def judge_with_reader(
    accepted: Sequence[Accepted],
    handlings: Sequence[Handling],
    published: Iterable[int] | None = None,
    restarted_at: float | None = None,
) -> CrashVerdict:
    """Compare what was accepted with what was handled, and with what a reader of the results sees.

    Args:
        accepted: what the bus acknowledged.
        handlings: the calls of the handler, in the order of the journal.
        published: the numbers of the events that the reader sees; None where the handler publishes nothing.
        restarted_at: local time of a restart.
    """
    verdict = judge(accepted, handlings, restarted_at=restarted_at)
    if published is None:
        return verdict
    seen, handled = Counter(published), {one.position for one in handlings}
    lost = {one.number for one in accepted if one.position not in handled or one.number not in seen}
    return replace(verdict, lost=len(lost), twice=sum(count - 1 for count in seen.values()))
