"""The consumer groups of a cluster, seen by an operator: how far each is, and what it has not read."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition as KafkaPartition

from bus.kafka.client import begin, connection, end
from bus.kafka.errors import translate
from bus.record import TopicPartition
from bus.settings import Settings

GROUPS_AT_ONCE = 50
GAP_RECORDS = 1_000
"""A group that is further behind is behind; of one that is nearer it is looked what lies between."""
GAP_SECONDS = 5.0


class Groups:
    """The groups of one cluster."""

    def __init__(self, settings: Settings) -> None:
        self._admin: Any = AIOKafkaAdminClient(**connection(settings))
        self._consumer: Any = AIOKafkaConsumer(
            **connection(settings), enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed",
        )  # fmt: skip

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        """Connect, and disconnect at the end of the block.

        Raises:
            BusError: the cluster cannot be reached, or does not let this user look at its groups.
        """
        groups = cls(settings)
        await begin(groups._admin, settings, settings.bootstrap_servers)
        try:
            await begin(groups._consumer, settings, settings.bootstrap_servers)
            try:
                yield groups
            finally:
                await end(groups._consumer)
        except KafkaError as error:
            raise translate(error, "the groups of the cluster") from error
        finally:
            await end(groups._admin)

    async def positions(self, topics: Collection[str]) -> dict[str, dict[TopicPartition, int]]:
        """Return what each group has committed in some topics; nothing of a group that committed nothing."""
        groups = [name for name, *_ in await self._admin.list_consumer_groups()]
        found: dict[str, dict[TopicPartition, int]] = {}
        for start in range(0, len(groups), GROUPS_AT_ONCE):
            some = groups[start : start + GROUPS_AT_ONCE]
            offsets = await asyncio.gather(*map(self._admin.list_consumer_group_offsets, some))
            for group, committed in zip(some, offsets, strict=True):
                found[group] = {
                    TopicPartition(place.topic, place.partition): at.offset
                    for place, at in committed.items()
                    if place.topic in topics and at.offset >= 0
                }
        return found

    async def unread(self, gaps: Mapping[TopicPartition, tuple[int, int]]) -> int:
        """Return how many records lie between two offsets of each partition.

        Marks of transactions and aborted records are none; those of an open transaction are some.
        """
        apart = {place: end - start for place, (start, end) in gaps.items() if end > start}
        if sum(apart.values()) > GAP_RECORDS:
            return sum(apart.values())
        return sum([await self._unread(place, *gaps[place]) for place in apart])

    async def _unread(self, place: TopicPartition, start: int, stop: int) -> int:
        there = KafkaPartition(*place)
        self._consumer.assign([there])
        self._consumer.seek(there, start)
        try:
            async with asyncio.timeout(GAP_SECONDS):
                while await self._consumer.position(there) < stop:
                    if any((await self._consumer.getmany(timeout_ms=200)).values()):
                        return stop - start
        except TimeoutError:
            return stop - start  # a transaction is open
        except UnicodeDecodeError:
            return stop - start  # a record with a header that aiokafka cannot parse
        return 0
