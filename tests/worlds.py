"""The same small country over memory and over Kafka, so that the same scenarios run against both."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import TopicPartition as KafkaPartition

from bus import (
    Bus,
    BusUnavailableError,
    DeliveryReceipt,
    PublishReceipt,
    Record,
    Settings,
    TopicPartition,
    decode_receipts,
    receipts_topic,
)
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry

ReceiptRow = PublishReceipt | DeliveryReceipt
PATIENCE_SECONDS = 120.0
"""How long a test waits for what must come; on a machine with other work, too."""


class World(Protocol):
    """What a scenario needs of a cluster."""

    country: SmallCountry

    def bus(self, agency: str, **limits: Any) -> Bus:
        """Return a bus of an agency, not yet started."""

    async def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Write a record as a foreign producer would."""

    async def records(self, topic: str, *, committed: bool = False) -> Sequence[Record]:
        """Return all records of a topic, or those alone whose transaction was committed."""

    async def committed(self, group: str, topic: str) -> int:
        """Return how many records of a topic a group has committed, over all partitions."""


class MemoryWorld:
    """A world in memory."""

    def __init__(self, country: SmallCountry) -> None:
        self.country = country
        self.cluster = InMemoryCluster(country.catalog)

    def bus(self, agency: str, **limits: Any) -> Bus:
        return InMemoryBus(agency, cluster=self.cluster, settings=Settings(**limits))

    async def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        self.cluster.append(topic, value, key=key, headers=headers)

    async def records(self, topic: str, *, committed: bool = False) -> Sequence[Record]:
        return self.cluster.records(topic)

    async def committed(self, group: str, topic: str) -> int:
        return sum(n for place, n in self.cluster.committed(group).items() if place.topic == topic)


class KafkaWorld:
    """A world on a real broker."""

    def __init__(self, country: SmallCountry, bootstrap_servers: str) -> None:
        self.country = country
        self.bootstrap_servers = bootstrap_servers

    def settings(self, **limits: Any) -> Settings:
        return Settings(bootstrap_servers=self.bootstrap_servers, **limits)

    def bus(self, agency: str, **limits: Any) -> Bus:
        return Bus(agency, settings=self.settings(**limits), catalog=self.country.catalog)

    async def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap_servers)
        try:
            await producer.start()
            await producer.send_and_wait(topic, value, key or b"foreign", headers=list(headers))
        finally:
            await producer.stop()

    async def records(self, topic: str, *, committed: bool = False) -> Sequence[Record]:
        return await records_of(self.bootstrap_servers, topic, committed=committed)

    async def committed(self, group: str, topic: str) -> int:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers, group_id=group, enable_auto_commit=False
        )
        try:
            await consumer.start()
            numbers = consumer.partitions_for_topic(topic) or await _find(consumer, topic)
            offsets = [await consumer.committed(KafkaPartition(topic, number)) for number in numbers]
            return sum(offset or 0 for offset in offsets)
        finally:
            await consumer.stop()


async def records_of(bootstrap_servers: str, topic: str, *, committed: bool = False) -> Sequence[Record]:
    """Return all that a topic holds now, or what of it is committed, in the order of its partitions.

    Kafka marks a transaction in each partition only after it has told of its end: those marks are awaited.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest",
        isolation_level="read_committed" if committed else "read_uncommitted",
    )  # fmt: skip
    try:
        await consumer.start()
        places = [
            KafkaPartition(topic, n)
            for n in consumer.partitions_for_topic(topic) or await _find(consumer, topic)
        ]
        consumer.assign(places)
        ends = await (_ends(bootstrap_servers, places) if committed else consumer.end_offsets(places))
        found: list[Record] = []
        for place in places:
            while await consumer.position(place) < ends[place]:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        await consumer.stop()


async def _ends(bootstrap_servers: str, places: Sequence[Any]) -> Mapping[Any, int]:
    """Return the ends of partitions, behind what is not committed yet."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    try:
        await consumer.start()
        ends: Mapping[Any, int] = await consumer.end_offsets(places)
        return ends
    finally:
        await consumer.stop()


async def _find(consumer: Any, topic: str) -> set[int]:
    await consumer._client.add_topic(topic)
    return set(consumer.partitions_for_topic(topic) or ())


async def receipts(world: World) -> list[ReceiptRow]:
    """Return the receipts of this world's agencies."""
    return [row for record in await receipt_records(world) for row in decode_receipts(record.value)]


async def receipt_records(world: World, *, committed: bool = False) -> list[Record]:
    """Return the records of receipts of this world's agencies."""
    agencies = (world.country.north, world.country.south)
    found = [await world.records(receipts_topic(agency), committed=committed) for agency in agencies]
    return [record for records in found for record in records]


async def until(check: Callable[[], Awaitable[Any] | Any]) -> Any:
    """Wait until `check` holds and return what it returned; fail after `PATIENCE_SECONDS`."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = check()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.02)


async def running(*buses: Bus) -> AsyncExitStack:
    """Start buses, again where a busy broker needs longer than they wait; the returned context stops them."""
    stack = AsyncExitStack()
    for bus in buses:
        await until(partial(_has_started, bus))
        stack.push_async_exit(bus)
    return stack


async def _has_started(bus: Bus) -> bool:
    with suppress(BusUnavailableError):
        await bus.start()
        return True
    return False


__all__ = [
    "KafkaWorld",
    "MemoryWorld",
    "TopicPartition",
    "World",
    "receipt_records",
    "receipts",
    "records_of",
    "running",
    "until",
]
