"""A Kafka cluster behind the interface of `bus/transport.py`."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition as KafkaPartition

from bus.clock import BrokerClock
from bus.group_times import GroupTimes
from bus.kafka.client import begin, connection, end
from bus.kafka.consumer import KafkaConsumer, wire
from bus.kafka.errors import translate
from bus.kafka.one_off_reads import OneOffReads
from bus.kafka.producer import Producer
from bus.kafka.transactional import KafkaTransactional
from bus.record import Record, TopicPartition
from bus.settings import Settings
from bus.standing import CommittedOffset
from bus.transport import Consumer, Measure, Outgoing, Revoked, Transactional


class KafkaTransport:
    """One connection of one process; see `bus.transport.Transport`."""

    def __init__(self, settings: Settings) -> None:
        self.clock = BrokerClock()
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

    async def preset(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit the first offsets of a new group."""
        places = [KafkaPartition(*place) for place in positions]
        consumer: Any = AIOKafkaConsumer(
            **connection(self._settings), group_id=group, enable_auto_commit=False
        )
        await begin(consumer, self._settings, f"group `{group}`")
        try:
            consumer.assign(places)
            await consumer.commit({KafkaPartition(*place): wire(at) for place, at in positions.items()})
        except KafkaError as error:
            raise translate(error, f"group `{group}`") from error
        finally:
            await end(consumer)

    async def read_all(self, topic: str) -> Sequence[Record]:
        """Return every record a topic holds now."""
        partitions = await self._producer.partitions(topic)
        places = [KafkaPartition(topic, number) for number in range(partitions)]
        consumer: Any = AIOKafkaConsumer(
            **connection(self._settings), enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed",
        )  # fmt: skip
        await begin(consumer, self._settings, f"topic `{topic}`")
        try:
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            found: list[Record] = []
            for place in places:
                # Positions, not counts: control records and compaction leave gaps.
                while await consumer.position(place) < ends[place]:
                    batches = await consumer.getmany(timeout_ms=200)
                    found += [record for records in batches.values() for record in records]
            return found
        except KafkaError as error:
            raise translate(error, f"topic `{topic}`") from error
        finally:
            await end(consumer)
