"""A topic that is deleted and made again: no place in the one is taken for a place in the other."""

from collections.abc import Collection
from functools import partial
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bus import Bus, Draft, Event, Retry, RetryPolicy, apply_topics
from bus.dead_letters.operations import DeadLetters, Operator
from bus.record import TopicPartition
from bus.standing import CommittedOffset
from bus.topics import topics_of
from bus.transport import Consumer
from tests.small_catalog import case
from tests.worlds import KafkaWorld, MemoryWorld, World, receipts, until

LATER = RetryPolicy((3600.0,), jitter=0)
KEY = "k"
Seen = list[int]


async def make_again(world: World, topic: str) -> None:
    """Delete a topic and make it again, as it was."""
    if isinstance(world, MemoryWorld):
        (spec,) = [spec for spec in topics_of(world.country.catalog) if spec.name == topic]
        world.cluster.delete_topic(topic)
        world.cluster.create_topic(topic, spec.partitions)
        return
    assert isinstance(world, KafkaWorld)
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        settings = world.settings()
        await until(lambda: _is_made(settings, world, topic))
    finally:
        await admin.close()


async def _is_made(settings: Any, world: KafkaWorld, topic: str) -> bool:
    return topic in await apply_topics(settings, world.country.catalog)


def subscribed(world: World, seen: Seen, failing: Seen, *, exactly_once: bool = False) -> Bus:
    """Return a bus whose subscription notes the number of each event, and parks those in `failing`."""
    bus = world.bus(world.country.south)

    @bus.subscribe(
        world.country.opened,
        version=1,
        purpose="close-cases",
        name="office",
        retry=LATER,
        exactly_once=exactly_once,
    )
    async def handle(event: Event[Any]) -> Retry | None:
        seen.append(event.data["number"])
        return Retry() if event.data["number"] in failing else None

    return bus


async def publish(world: World, *numbers: int) -> None:
    """Publish cases of one key, in order."""
    async with world.bus(world.country.north) as bus:
        drafts = [Draft(case(number), key=KEY) for number in numbers]
        await bus.publish_many(world.country.opened, drafts, version="1.0")


async def committed(world: World, count: int) -> bool:
    """Whether the office has committed `count` offsets."""
    return await world.committed(f"{world.country.south}.office", world.country.topic) == count


async def parked(world: World) -> int:
    """Return how many events wait."""
    latest = {row.key: row.value for row in await world.records(f"{world.country.south}.parked")}
    return sum(value is not None for value in latest.values())


async def redrive(world: World, number: int) -> None:
    """Redrive the dead letter of a case."""
    bus = world.bus(world.country.south)
    await bus.transport.start()
    try:
        async with DeadLetters(bus.transport, world.country.south, world.country.catalog) as letters:
            (letter,) = [one for one in await letters.read() if b'"number":%d' % number in (one.value or b"")]
            await letters.redrive(letter, Operator("mae", "it still counts"))
    finally:
        await bus.transport.stop()


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_the_event_at_a_parked_offset_of_the_new_topic_is_handled(
    world: World, exactly_once: bool
) -> None:
    """The one that waited becomes a dead letter; redriven, it is handled for itself."""
    seen: Seen = []
    async with subscribed(world, seen, [1], exactly_once=exactly_once):
        await publish(world, 1, 2)
        await until(lambda: committed(world, 2))
        assert await parked(world) == 2
    await make_again(world, world.country.topic)
    await publish(world, 11, 12)
    async with subscribed(world, seen, [], exactly_once=exactly_once):
        await until(lambda: seen == [1, 11, 12])
        await until(lambda: parked_is(world, 0))
        await redrive(world, 2)
        await until(lambda: seen == [1, 11, 12, 2])
    reasons = [row.reason for row in await receipts(world) if row.outcome == "dead-letter"]
    assert reasons == ["topic-replaced", "topic-replaced"]


def has_seen(seen: Seen, new: Seen) -> bool:
    """Whether new events were handled, in order."""
    return [number for number in seen if number in new] == new


async def parked_is(world: World, count: int) -> bool:
    """Whether that many events wait."""
    return await parked(world) == count


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_a_running_subscription_begins_the_new_topic_at_its_first_event(
    world: World, exactly_once: bool
) -> None:
    """Though it had read further in the former one than the new one goes, or less far."""
    seen: Seen = []
    async with subscribed(world, seen, [], exactly_once=exactly_once):
        await publish(world, 1, 2)
        await until(lambda: committed(world, 2))
        for first in (11, 21) if isinstance(world, MemoryWorld) else (11,):
            await make_again(world, world.country.topic)
            new = list(range(first, first + 4))
            await publish(world, *new)
            await until(partial(has_seen, seen, new))
        assert len(seen) == len(set(seen))


async def test_each_partition_hears_for_itself_that_its_topic_was_made_again(world: World) -> None:
    """Also where another partition of it was taken up before: what one holds says nothing of the others."""
    transport, topic = world.bus(world.country.south).transport, world.country.topic
    group, places = f"{world.country.south}.office", [TopicPartition(topic, number) for number in range(3)]
    await transport.start()
    consumer = transport.consumer(group, [topic], _let_go)
    try:
        await consumer.start()
        await until(lambda: _holds(consumer, places))
        for place, standing in (await consumer.standings(places)).items():
            consumer.seek(place, standing.first)
        await make_again(world, topic)
        await consumer.standings(places[:1])
        await until(lambda: _are_displaced(consumer, places[1:]))
        await consumer.commit(dict.fromkeys(places, 2))
        assert await transport.committed(group, topic) == {places[0]: 2, places[1]: 0, places[2]: 0}
    finally:
        await consumer.close()
        await transport.stop()


async def _let_go(partitions: Collection[TopicPartition]) -> None:
    del partitions


async def _holds(consumer: Consumer, places: Collection[TopicPartition]) -> bool:
    await consumer.poll(0.1, 10)
    return set(consumer.assigned()) == set(places)


async def _are_displaced(consumer: Consumer, places: Collection[TopicPartition]) -> bool:
    await consumer.poll(0.1, 10)
    return set(consumer.displaced()) == set(places)


async def test_an_offset_of_the_former_topic_counts_for_nothing(world: World) -> None:
    """Also where it was committed after the topic was made again, as by a process that had not heard."""
    seen: Seen = []
    async with subscribed(world, seen, []):
        await publish(world, 1, 2)
        await until(lambda: committed(world, 2))
    topic, transport = world.country.topic, world.bus(world.country.south).transport
    await transport.start()
    try:
        former = await transport.topic_ids([topic])
        await make_again(world, topic)
        await publish(world, 11, 12, 13)
        late = CommittedOffset(2, former[topic], 1)
        places = {TopicPartition(topic, number): late for number in range(3)}
        await transport.preset(f"{world.country.south}.office", places)
    finally:
        await transport.stop()
    async with subscribed(world, seen, []):
        await until(lambda: 13 in seen)
    assert seen == [1, 2, 11, 12, 13]
