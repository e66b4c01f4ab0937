"""One-off reads: end offsets and single records."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.errors import (
    ConsumerStoppedError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.structs import TopicPartition as KafkaPartition

from bus.errors import BusUnavailableError, TopicMissingError
from bus.kafka.client import begin, connection, end, read_again
from bus.kafka.errors import translate
from bus.kafka.quorum import partitions_at
from bus.record import Record, TopicPartition
from bus.settings import Settings
from bus.transport import Offsets

TIMES = "message.timestamp.type"
"""Whose times a topic keeps: `LogAppendTime` is the broker's, `CreateTime` the publisher's."""
FETCH_BYTES = 4 * 1_048_576


class OneOffReads:
    """Reads with a consumer of its own, in no group, opened at the first call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kafka: Any = None
        self._turn = asyncio.Lock()

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._kafka = self._kafka, None
        if consumer is not None:
            await end(consumer)

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return high watermarks; they include the records of open transactions."""
        if not places:
            return {}
        wanted = [KafkaPartition(*place) for place in places]
        found = await self._ask_about(places, lambda kafka: kafka.end_offsets(wanted))
        return {TopicPartition(*place): int(offset) for place, offset in found.items()}

    async def begins(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offset of each partition's first record."""
        if not places:
            return {}
        wanted = [KafkaPartition(*place) for place in places]
        found = await self._ask_about(places, lambda kafka: kafka.beginning_offsets(wanted))
        return {TopicPartition(*place): int(offset) for place, offset in found.items()}

    async def offsets_at(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Return the offset of each partition's first record at or after a time (ms), else its end."""
        if not times:
            return {}
        wanted = {KafkaPartition(*place): time for place, time in times.items()}
        found = await self._ask_about(list(times), lambda kafka: kafka.offsets_for_times(wanted))
        later = {TopicPartition(*place): int(at.offset) for place, at in found.items() if at is not None}
        return {**later, **await self.ends([place for place in times if place not in later])}

    async def partitions(self, topics: Collection[str]) -> Mapping[str, int]:
        """Return how many partitions each topic has, 0 if it is not there.

        One that this user may not know of is left out. Every broker is asked: the leader of a partition knows
        of it, and another may not yet.
        """
        wanted = sorted(topics)

        async def ask(kafka: Any) -> Sequence[Mapping[str, int]]:
            client = kafka._client  # noqa: SLF001 - `topics` asks about all
            nodes = [broker.nodeId for broker in client.cluster.brokers()]
            found = await asyncio.gather(*(partitions_at(client, node, wanted) for node in nodes))
            answers = [answer for answer in found if answer is not None]
            if not answers:
                raise KafkaConnectionError("no broker answers")
            return answers

        answers = await self._ask(f"{len(wanted)} topics", ask) if wanted else []
        known = {topic for answer in answers for topic in answer}
        return {topic: max(answer.get(topic, 0) for answer in answers) for topic in wanted if topic in known}

    async def places(self, topic: str) -> list[TopicPartition]:
        """Return all partitions of a topic.

        Raises:
            TopicMissingError: there is none.
            AccessDeniedError: this user may not know whether it is there.
        """
        count = (await self.partitions([topic])).get(topic)
        if count is None:
            raise translate(TopicAuthorizationFailedError(), f"topic `{topic}`")
        if not count:
            raise TopicMissingError(topic)
        return [TopicPartition(topic, number) for number in range(count)]

    async def are_undated(self, topics: Collection[str]) -> Mapping[str, bool]:
        """Return whether each topic keeps the times that publishers give, instead of the brokers'.

        A topic that is not there, or whose settings this user may not know, is left out.
        """
        resources = [(ConfigResourceType.TOPIC, topic, [TIMES]) for topic in sorted(topics)]

        async def ask(kafka: Any) -> Any:
            client = kafka._client  # noqa: SLF001 - the admin client would connect anew
            request = DescribeConfigsRequest(resources, include_synonyms=False)
            return await client.send(client.get_random_node(), request)

        answer = await self._ask(f"{len(resources)} topics", ask) if resources else None
        return {
            topic: settings[0][1] == "CreateTime"
            for code, _, _, topic, settings in (() if answer is None else answer.resources)
            if not code and settings
        }

    async def fetch(self, place: TopicPartition, offset: int) -> Record:
        """Return the record at `offset`.

        Raises:
            BusUnavailableError: it could not be read within `publish_timeout_seconds`.
        """
        found = KafkaPartition(*place)

        async def read(kafka: Any) -> Record:
            if kafka.assignment() != {found}:
                kafka.assign([found])
            kafka.seek(found, offset)
            try:
                record: Record = await kafka.getone(found)
            except UnicodeDecodeError:
                read_again(kafka, {found: offset})
                record = await kafka.getone(found)
            return record

        record: Record = await self._ask(place.topic, read)
        if record.offset != offset:
            raise BusUnavailableError(f"the record is not there - {place.topic}/{place.partition}/{offset}")
        return record

    async def _ask_about(
        self, places: Sequence[TopicPartition], question: Callable[[Any], Awaitable[Any]]
    ) -> Any:
        async def ask(kafka: Any) -> Any:
            client = kafka._client  # noqa: SLF001 - by itself it learns of one new topic after the other
            await client.set_topics(client._topics | {place.topic for place in places})  # noqa: SLF001
            return await question(kafka)

        return await self._ask(places[0].topic, ask)

    async def _ask(self, topic: str, question: Callable[[Any], Awaitable[Any]]) -> Any:
        async with self._turn:
            try:
                async with asyncio.timeout(self._settings.publish_timeout_seconds):
                    return await question(await self._opened())
            except (KafkaError, ConsumerStoppedError, AssertionError, TimeoutError) as error:
                await self.close()  # a client whose own tasks have ended would never answer again
                raise translate(error, f"topic `{topic}`") from error

    async def _opened(self) -> Any:
        if self._kafka is None:
            consumer = AIOKafkaConsumer(
                **connection(self._settings),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_uncommitted",
                max_partition_fetch_bytes=FETCH_BYTES,
            )
            await begin(consumer, self._settings, self._settings.bootstrap_servers)
            self._kafka = consumer
        return self._kafka


@asynccontextmanager
async def open_offsets(settings: Settings | None = None) -> AsyncIterator[Offsets]:
    """Answer where topics begin, end, and stand at a time, for who may describe but not read them.

    Args:
        settings: the cluster; from the environment if absent.
    """
    reads = OneOffReads(settings or Settings())
    try:
        yield reads
    finally:
        await reads.close()
