"""A Kafka cluster behind the interface of `bus/transport.py`."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition as KafkaPartition

from bus.kafka.client import begin, connection, end, read_again
from bus.kafka.consumer import KafkaConsumer, wire
from bus.kafka.errors import translate
from bus.kafka.one_off_reads import OneOffReads
from bus.kafka.producer import Producer
from bus.kafka.transactional import KafkaTransactional
from bus.record import Record, TopicPartition
from bus.settings import Settings
from bus.standing import CommittedOffset
from bus.times.clock import BrokerClock
from bus.times.group_times import GroupTimes
from bus.transport import Consumer, Measure, Outgoing, Revoked, Transactional


class KafkaTransport:
    """One connection of one process; see `bus.transport.Transport`."""

    def __init__(self, settings: Settings) -> None:
        self.clock = BrokerClock()
        self.answer_seconds = settings.publish_timeout_seconds
        self._settings = settings
        self._producer = Producer(settings, self.clock)
        self._one_off_reads = OneOffReads(settings)

    @property
    def unacknowledged(self) -> int:
        """Records that are neither acknowledged nor failed."""
        return self._producer.unacknowledged

    async def start(self, measure: Measure | None = None) -> None:
        """Connect the producer."""
        self._producer.measure = measure
        await self._producer.start()

    async def drain(self) -> None:
        """Wait until every record is acknowledged or failed."""
        await self._producer.drain()

    async def stop(self) -> None:
        """Disconnect."""
        await self._one_off_reads.close()
        await self._producer.stop()

    def send(self, outgoing: Outgoing) -> None:
        """Take a record to send."""
        self._producer.send(outgoing)

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        revoked: Revoked | None = None,
        times: GroupTimes | None = None,
    ) -> Consumer:
        """Return a member of a group."""
        return KafkaConsumer(self._settings, self.clock, group, topics, revoked=revoked, times=times)

    def reader(self, topic: str) -> Consumer:
        """Return a consumer of a whole topic, in no group."""
        return KafkaConsumer(self._settings, self.clock, None, [topic])

    async def require_topics(self, topics: Collection[str]) -> None:
        """Check that topics exist."""
        await asyncio.gather(*(self._producer.partitions(topic) for topic in topics))

    def transactional(self, identity: str) -> Transactional:
        """Return a transactional producer."""
        return KafkaTransactional(self._settings, self.clock, identity, self._producer)

    async def ends(self, topic: str) -> Mapping[TopicPartition, int]:
        """Return the high watermark of each partition."""
        partitions = await self._producer.partitions(topic)
        return await self._one_off_reads.ends([TopicPartition(topic, number) for number in range(partitions)])

    async def require_whole(self, topic: str) -> None:
        """Check that a topic can be read and written."""
        await self._producer.require_whole(topic)

    async def fetch(self, place: TopicPartition, offset: int) -> Record:
        """Return one record."""
        return await self._one_off_reads.fetch(place, offset)

    async def offsets_at(self, topic: str, timestamp: int) -> Mapping[TopicPartition, int]:
        """Return the offset of each partition at a time."""
        partitions = await self._producer.partitions(topic)
        places = [TopicPartition(topic, number) for number in range(partitions)]
        return await self._one_off_reads.offsets_at(dict.fromkeys(places, timestamp))

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        """Return the id of each topic that exists."""
        return await self._producer.topic_ids(topics)

    async def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        """Return the first offset of each partition, and the last stable one."""
        places = await self._places(topic)
        async with self._reading(f"topic `{topic}`") as consumer:
            firsts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        return {TopicPartition(*place): (firsts[place], ends[place]) for place in places}

    async def read(self, windows: Mapping[TopicPartition, tuple[int, int]]) -> AsyncIterator[Record]:
        """Yield the committed records of windows, one partition after the other."""
        windows = {place: window for place, window in windows.items() if window[0] < window[1]}
        if not windows:
            return
        async with self._reading("the topics to read") as consumer:
            for place, (first, end) in windows.items():
                found = KafkaPartition(*place)
                consumer.assign([found])
                consumer.seek(found, first)
                # Positions, not counts: control records and compaction leave gaps.
                while (at := await consumer.position(found)) < end:
                    try:
                        batch = await consumer.getmany(found, timeout_ms=200)
                    except UnicodeDecodeError:
                        read_again(consumer, {found: at})
                        continue
                    for record in batch.get(found, ()):
                        if record.offset < end:
                            yield record

    async def committed(self, group: str, topic: str) -> Mapping[TopicPartition, int]:
        """Return the offsets of a group."""
        places = await self._places(topic)
        async with self._reading(f"group `{group}`", group) as consumer:
            return {TopicPartition(*place): await consumer.committed(place) or 0 for place in places}

    async def preset(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit the first offsets of a new group."""
        async with self._reading(f"group `{group}`", group) as consumer:
            consumer.assign([KafkaPartition(*place) for place in positions])
            await consumer.commit({KafkaPartition(*place): wire(at) for place, at in positions.items()})

    async def read_all(self, topic: str) -> Sequence[Record]:
        """Return every record a topic holds now."""
        return [record async for record in self.read(await self.bounds(topic))]

    async def _places(self, topic: str) -> list[KafkaPartition]:
        return [KafkaPartition(topic, number) for number in range(await self._producer.partitions(topic))]

    @asynccontextmanager
    async def _reading(self, what: str, group: str | None = None) -> AsyncIterator[Any]:
        """Open a consumer of committed records that joins no group."""
        consumer: Any = AIOKafkaConsumer(
            **connection(self._settings), group_id=group, enable_auto_commit=False,
            auto_offset_reset="earliest", isolation_level="read_committed",
        )  # fmt: skip
        await begin(consumer, self._settings, what)
        try:
            yield consumer
        except KafkaError as error:
            raise translate(error, what) from error
        finally:
            await end(consumer)
