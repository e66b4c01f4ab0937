"""A cluster in memory, for tests of handlers and connectors without Kafka.

`InMemoryBus` is the real bus, pipeline, receipts and all, over partitions, groups and offsets kept in memory;
it passes the same scenarios as the bus over Kafka (`tests/worlds.py`). It proves nothing about what only a
broker can promise: durability, replication, fencing.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
)
from itertools import count
from time import time_ns
from typing import Any

from uuid_utils import uuid7

from bus.bus import Bus
from bus.errors import (
    AccessDeniedError,
    BusError,
    BusUnavailableError,
    PartitionMissingError,
    TopicLimitError,
    TopicMissingError,
)
from bus.memory.transactional import MemoryTransactional, OpenRecords
from bus.process.loop_thread import LoopThread
from bus.receipts.receipts import DeliveryReceipt, PublishReceipt, decode_receipts
from bus.record import Record, StoredRecord, TopicPartition
from bus.settings import Settings
from bus.standing import CommittedOffset, Standing
from bus.sync_bus import SyncBus
from bus.times.clock import BrokerClock
from bus.times.group_times import GroupTimes
from bus.topics import RECEIPTS_TOPICS, partition_of, topics_of
from bus.transport import Consumer, Offsets, Outgoing, Revoked, Transactional
from contracts import Catalog

__all__ = ["InMemoryBus", "InMemoryCluster", "patched"]

_READERS = count()


class InMemoryCluster:
    """Topics and groups in memory; several buses may share one.

    Args:
        catalog: its topics exist from the start; that of `GOVBUS_CATALOG` or of the project if absent.
    """

    def __init__(self, catalog: Catalog | None = None) -> None:
        self.catalog = catalog or Catalog.open()
        self.available = True
        """Set to False to take the broker away: sends fail, polls and commits too."""
        self.max_message_bytes: dict[str, int] = {}
        """The largest value that a topic takes; whatever its size where the topic is not named."""
        self.closed_topics: set[str] = set()
        """Topics to which nobody may write."""
        self.undated_topics: set[str] = set()
        """Topics that keep the times which publishers give."""
        self._logs: dict[str, list[list[StoredRecord]]] = {}
        self.open_records = OpenRecords()
        self._ids: dict[str, str] = {}
        self._first: dict[TopicPartition, int] = {}
        self._committed: dict[tuple[str, TopicPartition], CommittedOffset] = {}
        self._groups: dict[str, list[_Member]] = defaultdict(list)
        self._watches: list[asyncio.Event] = []
        for spec in topics_of(self.catalog):
            self.create_topic(spec.name, spec.partitions)

    def partitions(self) -> dict[str, int]:
        """Return the number of partitions of every topic."""
        return {name: len(logs) for name, logs in self._logs.items()}

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Create a topic; an existing one stays as it is."""
        self._logs.setdefault(name, [[] for _ in range(partitions)])
        self._ids.setdefault(name, str(uuid7()))

    def delete_topic(self, name: str) -> None:
        """Remove a topic with all its records, and what groups have committed of it."""
        self.open_records.drop(name)
        del self._logs[name], self._ids[name]
        self._first = {place: first for place, first in self._first.items() if place.topic != name}
        self._committed = {at: one for at, one in self._committed.items() if at[1].topic != name}

    def records(self, topic: str) -> list[StoredRecord]:
        """Return every record of a topic, by partition and offset.

        Raises:
            TopicMissingError: there is no such topic.
        """
        found = [record for log in self.log(topic) for record in log]
        return self.open_records.shown(
            [one for one in found if one.offset >= self.first(TopicPartition(topic, one.partition))]
        )

    def receipts(self) -> list[PublishReceipt | DeliveryReceipt]:
        """Return every receipt written so far."""
        topics = filter(RECEIPTS_TOPICS.match, self._logs)
        return [
            receipt
            for topic in topics
            for record in self.records(topic)
            for receipt in decode_receipts(record.value)
        ]

    async def deliveries(self, subscription: str, count: int = 1) -> list[DeliveryReceipt]:
        """Wait until a subscription has delivered so many events, and return its receipts.

        Args:
            subscription: its name; by default that is `<subject>.v<version>`.
            count: how many to wait for.

        Raises:
            TimeoutError: they have not come within 30 s.
        """
        written = asyncio.Event()
        self._watches.append(written)
        try:
            async with asyncio.timeout(30):
                while len(found := self._delivered(subscription)) < count:
                    written.clear()
                    await written.wait()
        finally:
            self._watches.remove(written)
        return found

    def _delivered(self, subscription: str) -> list[DeliveryReceipt]:
        receipts = self.receipts()
        return [
            one for one in receipts if isinstance(one, DeliveryReceipt) and one.subscription == subscription
        ]

    def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        partition: int | None = None,
    ) -> StoredRecord:
        """Write a record as a foreign producer would, unchecked.

        Raises:
            TopicMissingError: there is no such topic.
        """
        logs = self.log(topic)
        if partition is None:
            partition = 0 if key is None else partition_of(key, len(logs))
        if partition >= len(logs):
            raise PartitionMissingError(topic, partition + 1, len(logs))
        log = logs[partition]
        record = StoredRecord(topic, partition, len(log), time_ns() // 1_000_000, key, value, tuple(headers))
        log.append(record)
        for watch in self._watches:
            watch.set()
        for members in self._groups.values():
            for member in members:
                member.arrived.set()
        return record

    def committed(self, group: str) -> dict[TopicPartition, int]:
        """Return the next offset of each partition a group has committed."""
        return {place: at.offset for (name, place), at in self._committed.items() if name == group}

    def delete_before(self, place: TopicPartition, offset: int) -> None:
        """Delete the records before an offset, as retention does."""
        self._first[place] = offset

    def first(self, place: TopicPartition) -> int:
        """Return the offset of the first record that still exists."""
        return self._first.get(place, 0)

    def forget_offsets(self, group: str) -> None:
        """Let the offsets of a group expire."""
        self._committed = {at: one for at, one in self._committed.items() if at[0] != group}

    def topic_id(self, topic: str) -> str | None:
        """Return the id of a topic, which it has until it is deleted; None if there is none."""
        return self._ids.get(topic)

    def standing(self, group: str, place: TopicPartition) -> Standing:
        """Return how a group stands in a partition.

        Raises:
            TopicMissingError: there is no such topic.
        """
        log = self.log(place.topic)[place.partition]
        return Standing(
            self._ids[place.topic], self.first(place), len(log), self._committed.get((group, place))
        )

    @asynccontextmanager
    async def open_consumer(
        self, *, group: str, topics: Sequence[str] | re.Pattern[str]
    ) -> AsyncIterator[Consumer]:
        """Return a started member of a group, closed at the end of the block."""
        consumer = _Member(self, group, topics, None)
        await consumer.start()
        try:
            yield consumer
        finally:
            await consumer.close()

    def offsets(self) -> Offsets:
        """Return what a cluster says of its topics to who may describe them."""
        return _MemoryOffsets(self)

    def log(self, topic: str) -> list[list[StoredRecord]]:
        """Return a topic's partitions.

        Raises:
            TopicMissingError: there is no such topic.
        """
        try:
            return self._logs[topic]
        except KeyError:
            raise TopicMissingError(topic) from None

    async def join(self, member: "_Member") -> None:
        """Add a member to its group and assign the partitions again."""
        await self._rebalance(member.group, [*self._groups[member.group], member])

    async def leave(self, member: "_Member") -> None:
        """Remove a member."""
        rest = [other for other in self._groups[member.group] if other is not member]
        await self._rebalance(member.group, rest)

    def require_member(self, member: "_Member") -> None:
        """Fail where a member has left its group.

        Raises:
            BusUnavailableError: it has.
        """
        if member not in self._groups[member.group]:
            raise BusUnavailableError(f"the group has let this member go - group `{member.group}`")

    async def _rebalance(self, group: str, members: list["_Member"]) -> None:
        for member in self._groups[group]:
            await member.revoke()
        self._groups[group] = members
        for member in members:
            member.topics = self._matching(member.wanted)
            member.arrived.set()
        topics = sorted({topic for member in members for topic in member.topics})
        places = [TopicPartition(topic, n) for topic in topics for n in range(len(self.log(topic)))]
        for index, place in enumerate(places):
            # Over a pattern, one member holds the same partition numbers of all topics.
            turn = place.partition if isinstance(members[0].wanted, re.Pattern) else index
            member = members[turn % len(members)]
            committed = self._committed.get((group, place))
            member.positions[place] = 0 if committed is None else committed.offset
            member.ids[place] = self._ids[place.topic]

    def _matching(self, wanted: Sequence[str] | re.Pattern[str]) -> list[str]:
        return list(filter(wanted.match, self._logs)) if isinstance(wanted, re.Pattern) else list(wanted)

    async def follow(self, member: "_Member") -> None:
        """Assign the partitions of topics that were made after the member had joined."""
        if self._matching(member.wanted) != member.topics:
            await self._rebalance(member.group, self._groups[member.group])

    def commit(self, group: str, positions: Mapping[TopicPartition, int | CommittedOffset]) -> None:
        """Store the committed offsets of a group; plain numbers are those of somebody else than the bus."""
        for place, offset in positions.items():
            at = CommittedOffset(offset) if isinstance(offset, int) else offset
            self._committed[group, place] = at

    def require_taken(self, topic: str, value: bytes | None) -> None:
        """Fail where a topic does not take a record.

        Raises:
            AccessDeniedError: nobody may write to it.
            TopicLimitError: the value is too large for it.
        """
        if topic in self.closed_topics:
            raise AccessDeniedError(f"the cluster grants no access to this topic - topic `{topic}`")
        limit = self.max_message_bytes.get(topic)
        if limit is not None and len(value or b"") > limit:
            why = "the record is larger than the topic's max.message.bytes"
            raise TopicLimitError(f"{why} - topic `{topic}`")

    def require_available(self) -> None:
        """Fail while the broker is away.

        Raises:
            BusUnavailableError: it is.
        """
        if not self.available:
            raise BusUnavailableError("no broker answers - memory")


class _Member:
    """One member of a group; see `bus.transport.Consumer`."""

    def __init__(
        self,
        cluster: InMemoryCluster,
        group: str,
        wanted: Sequence[str] | re.Pattern[str],
        revoked: Revoked | None,
    ) -> None:
        self.group = group
        self.wanted = wanted
        self.topics: list[str] = []
        self.positions: dict[TopicPartition, int] = {}
        self.ids: dict[TopicPartition, str] = {}
        """The id of the topic that each position is of."""
        self.arrived = asyncio.Event()
        self._cluster = cluster
        self._revoked = revoked
        self._paused: set[TopicPartition] = set()

    async def start(self) -> None:
        self._cluster.require_available()
        await self._cluster.join(self)

    async def close(self) -> None:
        await self._cluster.leave(self)

    async def revoke(self) -> None:
        if self._revoked is not None and self.positions:
            await self._revoked(list(self.positions))
        self.positions.clear()
        self._paused.clear()

    async def poll(
        self, timeout_seconds: float, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        self._cluster.require_available()
        await self._cluster.follow(self)
        await asyncio.sleep(0)
        found = self._take(max_records)
        if found:
            return found
        self.arrived.clear()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.arrived.wait()
        except TimeoutError:
            return {}
        return self._take(max_records)

    def _take(self, max_records: int) -> dict[TopicPartition, Sequence[Record]]:
        if not isinstance(self.wanted, re.Pattern):
            return self._take_of(list(self.positions), max_records)
        # Over a pattern, each topic that has records gives the same number of them.
        topics = defaultdict(list)
        for place, position in self.positions.items():
            if position < len(self._cluster.log(place.topic)[place.partition]):
                topics[place.topic].append(place)
        found: dict[TopicPartition, Sequence[Record]] = {}
        for places in topics.values():
            found |= self._take_of(places, max(1, max_records // len(topics)))
        return found

    def _take_of(
        self, places: Sequence[TopicPartition], max_records: int
    ) -> dict[TopicPartition, Sequence[Record]]:
        found: dict[TopicPartition, Sequence[Record]] = {}
        for place in places:
            log = self._cluster.log(place.topic)[place.partition]
            if place in self._paused or max_records <= 0 or not self._is_same(place):
                continue
            position = self.positions[place]
            if position < self._cluster.first(place):
                continue  # see `displaced`
            end = min(self._cluster.open_records.readable(place, log), position + max_records)
            records = self._cluster.open_records.shown(log[position:end])
            self.positions[place] = max(position, end)
            if records:
                found[place] = records
                max_records -= len(records)
        return found

    def _is_same(self, place: TopicPartition) -> bool:
        """Whether the topic is that of the positions; a member without subscription begins anew."""
        now = self._cluster.topic_id(place.topic)
        if now is not None and self._revoked is None and now != self.ids[place]:
            self.ids[place], self.positions[place] = now, 0
        if self._revoked is None:
            self.positions[place] = max(self.positions[place], self._cluster.first(place))
        return now == self.ids[place]

    def displaced(self) -> Collection[TopicPartition]:
        now, first = self._cluster.topic_id, self._cluster.first
        return {
            place
            for place, position in self.positions.items()
            if now(place.topic) not in (None, self.ids[place]) or position < first(place)
        }

    async def standings(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Standing]:
        self._cluster.require_available()
        found = {place: self._cluster.standing(self.group, place) for place in partitions}
        self.ids |= {place: standing.topic_id for place, standing in found.items()}
        return found

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition in self.positions:
            self.positions[partition] = offset

    async def confirm(self) -> None:
        self._cluster.require_available()
        self._cluster.require_member(self)

    def require_name(self) -> None:
        """Members in memory have no names."""

    def pause(self, partition: TopicPartition) -> None:
        self._paused.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        self._paused.discard(partition)

    async def position(self, partition: TopicPartition) -> int:
        if partition not in self.positions:
            raise BusUnavailableError("the partition is not held any more - memory")
        return self.positions[partition]

    def assigned(self) -> Collection[TopicPartition]:
        return set(self.positions)

    async def ends(self) -> Mapping[TopicPartition, int]:
        self._cluster.require_available()
        logs = {topic: self._cluster.log(topic) for topic in self.topics}
        ends = {TopicPartition(topic, n): len(log) for topic in logs for n, log in enumerate(logs[topic])}
        return {place: end for place, end in ends.items() if place in self.positions or not self.positions}

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        self._cluster.require_available()
        gone = self.displaced()
        now_us = time_ns() // 1000
        self._cluster.commit(
            self.group,
            {
                place: CommittedOffset(offset, self.ids[place], now_us)
                for place, offset in positions.items()
                if place not in gone
            },
        )


class _MemoryOffsets:
    """Where topics begin, end and stand at a time; see `bus.transport.Offsets`."""

    def __init__(self, cluster: InMemoryCluster) -> None:
        self._cluster = cluster

    async def partitions(self, topics: Collection[str]) -> Mapping[str, int]:
        self._cluster.require_available()
        return {topic: self._cluster.partitions().get(topic, 0) for topic in topics}

    async def begins(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        self._cluster.require_available()
        return dict.fromkeys(places, 0)

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        self._cluster.require_available()
        return {place: len(self._cluster.log(place.topic)[place.partition]) for place in places}

    async def offsets_at(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        self._cluster.require_available()
        return {place: self._offset_at(place, time) for place, time in times.items()}

    async def are_undated(self, topics: Collection[str]) -> Mapping[str, bool]:
        self._cluster.require_available()
        known = self._cluster.partitions().keys() & set(topics)
        return {topic: topic in self._cluster.undated_topics for topic in known}

    def _offset_at(self, place: TopicPartition, time: int) -> int:
        log = self._cluster.log(place.topic)[place.partition]
        return next((one.offset for one in log if one.timestamp >= time), len(log))


class _MemoryTransport:
    """A cluster in memory; see `bus.transport.Transport`."""

    answer_seconds = 30.0

    def __init__(self, cluster: InMemoryCluster) -> None:
        self.clock = BrokerClock()
        self._cluster = cluster
        self.unacknowledged = 0

    async def start(self, measure: Any = None) -> None:
        del measure
        self._cluster.require_available()

    async def drain(self) -> None:
        await asyncio.sleep(0)  # what was handed over lands in this turn of the loop

    async def stop(self) -> None:
        await self.drain()

    def send(self, outgoing: Outgoing) -> None:
        self.unacknowledged += 1
        asyncio.get_running_loop().call_soon(self._land, outgoing)

    def _land(self, outgoing: Outgoing) -> None:
        self.unacknowledged -= 1
        try:
            record = self._append(outgoing)
        except BusError as error:
            outgoing.failed(error)
            return
        outgoing.acknowledged(record.partition, record.offset, record.timestamp)

    def _append(self, outgoing: Outgoing) -> StoredRecord:
        self._cluster.require_available()
        self._cluster.require_taken(outgoing.topic, outgoing.value)
        return self._cluster.append(
            outgoing.topic, outgoing.value, key=outgoing.key, headers=outgoing.headers,
            partition=outgoing.partition,
        )  # fmt: skip

    def _commit(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        self._cluster.require_available()
        self._cluster.commit(group, positions)

    def transactional(self, identity: str) -> Transactional:
        return MemoryTransactional(identity, self._cluster.open_records, self._append, self._commit)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        revoked: Revoked | None = None,
        times: GroupTimes | None = None,
    ) -> Consumer:
        del times  # a rebalance waits for each member
        return _Member(self._cluster, group, topics, revoked)

    def reader(self, topic: str) -> Consumer:
        return _Member(self._cluster, f"reader {next(_READERS)}", [topic], None)

    async def require_topics(self, topics: Collection[str]) -> None:
        for topic in topics:
            self._cluster.log(topic)

    async def read_all(self, topic: str) -> Sequence[Record]:
        return self._cluster.records(topic)

    async def ends(self, topic: str) -> Mapping[TopicPartition, int]:
        self._cluster.require_available()
        return {TopicPartition(topic, n): len(log) for n, log in enumerate(self._cluster.log(topic))}

    async def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        places = {TopicPartition(topic, n): log for n, log in enumerate(self._cluster.log(topic))}
        return {place: (0, self._cluster.open_records.readable(place, log)) for place, log in places.items()}

    async def read(self, windows: Mapping[TopicPartition, tuple[int, int]]) -> AsyncIterator[Record]:
        self._cluster.require_available()
        for (topic, number), (first, end) in windows.items():
            for record in self._cluster.open_records.shown(self._cluster.log(topic)[number][first:end]):
                yield record

    async def committed(self, group: str, topic: str) -> Mapping[TopicPartition, int]:
        found = self._cluster.committed(group)
        places = [TopicPartition(topic, number) for number in range(len(self._cluster.log(topic)))]
        return {place: found.get(place, 0) for place in places}

    async def offsets_at(self, topic: str, timestamp: int) -> Mapping[TopicPartition, int]:
        places = [TopicPartition(topic, n) for n in range(len(self._cluster.log(topic)))]
        return await self._cluster.offsets().offsets_at(dict.fromkeys(places, timestamp))

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        found = {topic: self._cluster.topic_id(topic) for topic in topics}
        return {topic: topic_id for topic, topic_id in found.items() if topic_id is not None}

    async def preset(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        self._commit(group, positions)

    async def require_whole(self, topic: str) -> None:
        self._cluster.require_available()
        self._cluster.log(topic)

    async def fetch(self, place: TopicPartition, offset: int) -> Record:
        self._cluster.require_available()
        return self._cluster.log(place.topic)[place.partition][offset]


class InMemoryBus(Bus):
    """`Bus` over a cluster in memory: the same surface, the same outcomes.

    Args:
        agency: the agency's name in the catalogue.
        system: the agency's system.
        cluster: the cluster to share with other buses; one of its own if absent.
        settings: limits; the defaults if absent.
        catalog: the contracts; the cluster's if absent.
    """

    def __init__(
        self,
        agency: str,
        *,
        system: str = "main",
        cluster: InMemoryCluster | None = None,
        settings: Settings | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        self.cluster = cluster or InMemoryCluster(catalog)
        super().__init__(
            agency,
            system=system,
            settings=settings,
            catalog=catalog or self.cluster.catalog,
            transport=_MemoryTransport(self.cluster),
        )


class patched(  # noqa: N801 - it is called as a function
    AbstractAsyncContextManager[InMemoryCluster], AbstractContextManager[InMemoryCluster]
):
    """Run the buses of a program in memory, with their own handlers, for the length of the block.

    `async with` runs them in the event loop of the test; `with`, for a program without asyncio, in a thread
    that has one of its own.

    Args:
        buses: the buses, which are not started; afterwards they are as they were.
        cluster: the cluster; one with the first bus's catalogue if absent.

    Raises:
        UsageError: one of them is started already.
    """

    def __init__(self, *buses: Bus | SyncBus, cluster: InMemoryCluster | None = None) -> None:
        self._inside = _patched(buses, cluster or InMemoryCluster(buses[0].catalog))
        self._thread: LoopThread[InMemoryCluster] | None = None

    async def __aenter__(self) -> InMemoryCluster:
        return await self._inside.__aenter__()

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._inside.__aexit__(*error)

    def __enter__(self) -> InMemoryCluster:
        self._thread = LoopThread(self._inside, "govbus-in-memory")
        self._thread.begin()
        return self._thread.entered()

    def __exit__(self, *error: object) -> None:
        if self._thread is not None:
            self._thread.end()


@asynccontextmanager
async def _patched(
    buses: Sequence[Bus | SyncBus], cluster: InMemoryCluster
) -> AsyncIterator[InMemoryCluster]:
    async with AsyncExitStack() as running:
        started: list[Bus] = []
        for bus in buses:
            transport = _MemoryTransport(cluster)
            if isinstance(bus, SyncBus):
                started.append(bus.attach(transport))
                running.callback(bus.stop)
            else:
                started.append(bus)
                running.callback(bus.use, bus.use(transport))
        for one in started:
            await running.enter_async_context(one)
        yield cluster
