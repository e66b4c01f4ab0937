"""A run in which the topic of the published event is deleted and made again, while some keys are parked.

Law of this file: an event is known by its topic, partition and offset, and the journal names no topic. But
every event has a number of its own: what the new topic holds at the place of a journal line tells whether the
line is of it, or of the topic that is gone.
"""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from bus import apply_topics
from bus.crash.processes import Processes
from bus.crash.trial import BURST_SECONDS, BURSTS
from bus.crash.verdict import Accepted, CrashVerdict, Handling, RecordPosition, judge
from bus.kafka.cluster import Cluster
from bus.kafka.transport import KafkaTransport
from tests.crash.subscriber import HELD
from tests.crash.subscriber_trial import SubscriberTrial

RECREATION = "recreation"
FORMER, NEW = 0, 1
"""The first part of a position: which topic of the name it is in."""
MEANWHILE = ("reading", "paused", "killed")
"""What the subscriber does while the topic is made again."""
FEW = 2
MOST_SECONDS = 2.0


@dataclass(slots=True)
class RecreationTrial(SubscriberTrial):
    """A run whose topic is made again."""

    made_again: bool = False
    first_new: int | None = None
    """The first event that was published when the new topic was there."""
    held: dict[RecordPosition, int] = field(default_factory=dict)
    """The events of the former topic that were parked, by their places."""
    new: dict[RecordPosition, tuple[str, int]] = field(default_factory=dict)
    """Key and number of the events of the new topic."""

    async def bursts(self, count: int) -> AsyncIterator[range]:
        """Yield which events to publish next: few while there is no topic, most when it was made again."""
        start = 0
        while start < count:
            if start >= count // 2:
                await self.until(lambda: self.made_again)
            if self.made_again and self.first_new is None:
                self.first_new = start
            size = count // BURSTS if self.made_again or start < count // 4 else FEW
            if start + size >= count:
                await self.over.wait()
            yield range(start, min(start + size, count))
            start += size
            await self.until(self.count_handled)
            await asyncio.sleep(BURST_SECONDS)

    async def publish(self) -> None:
        """Publish, and read at last what the new topic holds."""
        (self.folder / "hold").touch()
        await SubscriberTrial.publish(self)
        transport = KafkaTransport(self.settings)
        await transport.start()
        try:
            for record in await transport.read_all(f"{self.agencies.opened}.v1"):
                place, number = (record.partition, record.offset), orjson.loads(record.value or b"")["number"]
                self.new[place] = (record.key or b"").decode(), number
        finally:
            await transport.stop()
        self.struck = self.struck and any(
            self.new.get(place, ("", number))[1] != number for place, number in self.held.items()
        )

    async def make_again(self) -> None:
        """Delete the topic and make it again."""
        topic = f"{self.agencies.opened}.v1"
        async with Cluster.open(self.settings) as cluster:
            await cluster.delete_topic(topic)
        while topic not in await apply_topics(self.settings, self.agencies.catalog):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        self.made_again = True

    def parked(self) -> dict[RecordPosition, int]:
        """Return where the events are that fail."""
        return {one.position: one.number for one in self.accepted if one.number in HELD}

    def is_longer(self) -> bool:
        """Whether the new topic has offsets that the former one did not have."""
        ends: dict[tuple[bool, str | int], int] = {}
        for one in self.accepted:
            partition, offset = one.position
            place = self.first_new is not None and one.number >= self.first_new, partition
            ends[place] = max(int(offset), ends.get(place, -1))
        return any(
            is_new and end > ends.get((False, partition), -1) for (is_new, partition), end in ends.items()
        )

    def owed(self) -> Sequence[Accepted]:
        """Return the events of the new topic, and those that it should hold and does not."""
        known = {number for _, number in self.new.values()}
        first = self.events if self.first_new is None else self.first_new
        return [
            *(Accepted((NEW, *place), *event) for place, event in self.new.items()),
            *(
                replace_topic(one, NEW)
                for one in self.accepted
                if one.number >= first and one.number not in known
            ),
        ]

    def handlings(self) -> list[Handling]:
        """Return what the journal says, each place with its topic."""
        return [
            one._replace(position=(NEW if self._is_new(one) else FORMER, *one.position))
            for one in SubscriberTrial.handlings(self)
        ]

    def _is_new(self, one: Handling | Accepted) -> bool:
        return self.new.get(one.position, ("", -1))[1] == one.number

    def judged(self, published: Iterable[int] | None) -> CrashVerdict:
        """Judge the topics apart."""
        former = [replace_topic(one, FORMER) for one in self.accepted if not self._is_new(one)]
        owed = self.owed()
        due = {one.number for one in owed}
        former = [one for one in former if one.number not in due]
        return judge_recreation(former, owed, self.handlings(), published, self.restarted_at)


def replace_topic(one: Accepted, topic: int) -> Accepted:
    """Return an event with the topic in its position."""
    return one._replace(position=(topic, *one.position))


def judge_recreation(
    former: Sequence[Accepted],
    owed: Sequence[Accepted],
    handlings: Sequence[Handling],
    published: Iterable[int] | None = None,
    restarted_at: float | None = None,
) -> CrashVerdict:
    """Compare what was accepted with what was handled. Pure.

    An event of the former topic that is handled after one of the new topic, in the same partition, is out of
    order: it is stale, and takes the place of another.

    Args:
        former: what the bus acknowledged, and went with the topic.
        owed: what the new topic holds.
        handlings: the calls of the handler, in the order of the journal.
        published: the numbers of the events that a reader of the results sees; None where there are none.
        restarted_at: local time of a restart.
    """
    of = {topic: [one for one in handlings if one.position[0] == topic] for topic in (FORMER, NEW)}
    before, after = judge(former, of[FORMER]), judge(owed, of[NEW], restarted_at=restarted_at)
    lost, twice = after.lost, 0
    if published is not None:
        seen, calls = Counter(published), {one.position: one.number for one in handlings}
        may_be_seen: Mapping[int, int] = Counter(calls.values())
        lost = len({one.number for one in owed if one.position not in calls or one.number not in seen})
        twice = sum(max(0, count - max(1, may_be_seen.get(number, 0))) for number, count in seen.items())
    return replace(
        after,
        accepted=len(former) + len(owed),
        lost=lost,
        twice=twice,
        again=before.again + after.again,
        gone=before.lost,
        out_of_order=before.out_of_order + after.out_of_order + _stale(handlings),
    )


def _stale(handlings: Iterable[Handling]) -> int:
    begun: set[str | int] = set()
    count = 0
    for topic, partition, _ in (one.position for one in handlings):
        if topic == NEW:
            begun.add(partition)
        else:
            count += partition in begun
    return count


async def recreation(trial: Processes) -> None:
    """Make the topic again while the subscriber reads, is paused or is down, and some keys are parked."""
    assert isinstance(trial, RecreationTrial)
    meanwhile = MEANWHILE[trial.seed % len(MEANWHILE)]
    process = trial.start("one")
    await trial.has_handled(1 / 6)
    trial.held = trial.parked()
    if meanwhile == "killed":
        process.kill()
        await trial.killed("one")
    elif meanwhile == "paused":
        process.send_signal(signal.SIGSTOP)
    await trial.make_again()
    if meanwhile != "reading":
        await trial.until(trial.is_longer)
        trial.struck = trial.is_longer()
    trial.restarted_at = time.time()
    if meanwhile == "killed":
        trial.start("one")
    elif meanwhile == "paused":
        process.send_signal(signal.SIGCONT)
    await asyncio.sleep(trial.chance.random() * MOST_SECONDS)
    (trial.folder / "hold").unlink()
