"""A subscription whose place is gone: said once, with how many and since when; nothing begins in silence."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition as KafkaPartition
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from bus import Bus, DeliveryReceipt, Draft, Event
from bus.deliver.cli import Begin, go_on
from bus.record import TopicPartition
from bus.standing import CommittedOffset
from tests.small_catalog import case
from tests.worlds import KafkaWorld, MemoryWorld, World, receipts, until

KEY = "k"
NAME = "office"
Seen = list[int]


def subscribed(world: World, seen: Seen, *, exactly_once: bool = False) -> Bus:
    """Return a bus whose subscription notes the number of each event."""
    bus = world.bus(world.country.south)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name=NAME, exactly_once=exactly_once
    )
    async def handle(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    return bus


async def publish(world: World, *numbers: int) -> int:
    """Publish cases of one key, in order; return their partition."""
    async with world.bus(world.country.north) as bus:
        drafts = [Draft(case(number), key=KEY) for number in numbers]
        places = await bus.publish_many(world.country.opened, drafts, version="1.0")
    return places[0].partition


def group(world: World) -> str:
    """Return the group of the subscription."""
    return f"{world.country.south}.{NAME}"


async def handled(world: World, seen: Seen, *numbers: int, exactly_once: bool = False) -> int:
    """Publish cases and let them be handled and committed; return their partition."""
    partition = await publish(world, *numbers)
    async with subscribed(world, seen, exactly_once=exactly_once):
        await until(lambda: set(numbers) <= set(seen))
        await until(lambda: world.committed(group(world), world.country.topic))
    return partition


async def expire_records(world: World, partition: int, before: int) -> None:
    """Delete the records before an offset, as retention does."""
    place = TopicPartition(world.country.topic, partition)
    if isinstance(world, MemoryWorld):
        world.cluster.delete_before(place, before)
        return
    assert isinstance(world, KafkaWorld)
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_records({KafkaPartition(*place): RecordsToDelete(before)})
    finally:
        await admin.close()


async def expire_offsets(world: World) -> None:
    """Let the offsets of the group expire."""
    if isinstance(world, MemoryWorld):
        world.cluster.forget_offsets(group(world))
        return
    assert isinstance(world, KafkaWorld)
    admin = AdminClient({"bootstrap.servers": world.bootstrap_servers})
    await until(lambda: asyncio.to_thread(_is_deleted, admin, group(world)))


def _is_deleted(admin: AdminClient, name: str) -> bool:
    with suppress(KafkaException):  # its member is just leaving
        admin.delete_consumer_groups([name])[name].result(30)
        return True
    return False


async def said(world: World) -> list[tuple[str, str | None, int, int]]:
    """Return what was said about places: outcome, reason, offset and how many are gone."""
    return [
        (row.outcome, row.reason, row.offset, row.attempt)
        for row in await receipts(world)
        if isinstance(row, DeliveryReceipt) and row.outcome in ("displaced", "halted", "resumed")
    ]


async def test_records_that_are_gone_are_counted_and_said_once(world: World) -> None:
    """Of the first that is missing, and since when nothing was read."""
    seen: Seen = []
    partition = await handled(world, seen, 1, 2)
    await publish(world, 3, 4, 5)
    await expire_records(world, partition, 4)
    for _ in range(2):
        async with subscribed(world, seen):
            await until(lambda: 5 in seen)
    assert seen == [1, 2, 5]
    assert await said(world) == [("displaced", "records-lost", 2, 2)]
    (row,) = [row for row in await receipts(world) if row.outcome == "displaced"]
    assert isinstance(row, DeliveryReceipt)
    assert row.broker_time_us <= row.finished_us
    assert (row.subscription, row.partition) == (NAME, partition)


async def test_records_that_go_while_it_runs_are_counted_too(world: World) -> None:
    """As where a subscription is slower than its topic's retention."""
    seen: Seen = []
    partition = await handled(world, seen, 1, 2)
    bus = subscribed(world, seen)
    async with bus:
        await until(lambda: bus._subscribers[0]._partitions)
        consumer = bus._subscribers[0]._consumer
        consumer.seek(TopicPartition(world.country.topic, partition), 2)
        consumer.pause(TopicPartition(world.country.topic, partition))
        await publish(world, 3, 4, 5)
        await expire_records(world, partition, 4)
        consumer.resume(TopicPartition(world.country.topic, partition))
        await until(lambda: 5 in seen)
        await until(lambda: said(world))
    assert seen[:2] == [1, 2]
    assert [(one[0], one[1]) for one in await said(world)] == [("displaced", "records-lost")]


async def test_expired_offsets_let_nothing_begin_from_the_start(world: World) -> None:
    """At least once goes on at its own mark, and says that the group knows nothing any more."""
    seen: Seen = []
    await handled(world, seen, 1, 2)
    await expire_offsets(world)
    await publish(world, 3)
    async with subscribed(world, seen):
        await until(lambda: 3 in seen)
    assert seen == [1, 2, 3]
    assert await said(world) == [("displaced", "offsets-expired", 2, 0)]


@pytest.mark.parametrize("begin", ["recorded", "start"])
async def test_exactly_once_waits_for_an_operator(world: World, begin: Begin) -> None:
    """Nothing of the partition is handled until one has said where to go on."""
    seen: Seen = []
    await handled(world, seen, 1, 2, exactly_once=True)
    await expire_offsets(world)
    await publish(world, 3)
    async with subscribed(world, seen, exactly_once=True):
        await until(lambda: said(world))
        assert seen == [1, 2]
        bus = world.bus(world.country.south)
        await bus.transport.start()
        try:
            await go_on(
                bus.transport, world.country.south, NAME, begin=begin, by="mae", why="offsets expired"
            )
        finally:
            await bus.transport.stop()
        await until(lambda: 3 in seen)
    assert seen == [1, 2, 3] if begin == "recorded" else [1, 2, 1, 2, 3]
    went_on = 2 if begin == "recorded" else 0
    assert await said(world) == [("halted", "offsets-expired", 2, 0), ("resumed", None, went_on, 0)]


async def move(world: World, partition: int, offset: int) -> None:
    """Commit an offset for the group as Kafka's own tools do, which leave no mark."""
    transport = world.bus(world.country.south).transport
    await transport.start()
    place = TopicPartition(world.country.topic, partition)
    await transport.preset(group(world), {place: CommittedOffset(offset)})
    await transport.stop()


async def test_a_group_that_was_moved_behind_the_end_misses_nothing(world: World) -> None:
    """No such record exists: it goes on where it was, and counts nothing as gone."""
    seen: Seen = []
    partition = await handled(world, seen, 1, 2)
    await move(world, partition, 1_000)
    await publish(world, 3)
    async with subscribed(world, seen):
        await until(lambda: 3 in seen)
    assert seen == [1, 2, 3]
    assert await said(world) == [("displaced", "group-reset", 2, 0)]


async def test_a_group_that_was_moved_by_hand_is_noticed(world: World) -> None:
    """Kafka's own tools leave no mark; the bus obeys at least once, and says so."""
    seen: Seen = []
    partition = await handled(world, seen, 1, 2)
    await move(world, partition, 0)
    async with subscribed(world, seen):
        await until(lambda: len(seen) == 4)
    assert seen == [1, 2, 1, 2]
    assert await said(world) == [("displaced", "group-reset", 2, 0)]
