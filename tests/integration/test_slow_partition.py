"""One partition's slow handler is its own affair."""

import asyncio
from typing import Any

from aiokafka.protocol.fetch import FetchRequest

from bus import Draft, Event
from bus.kafka.consumer import KafkaConsumer
from bus.record import TopicPartition
from bus.times.clock import BrokerClock
from tests.small_catalog import case
from tests.worlds import KafkaWorld, World, until


async def test_a_slow_handler_holds_up_its_own_partition_only(world: World) -> None:
    """One event at a time: while one takes long, other partitions go on; order holds, all is handled once."""
    release, seen = asyncio.Event(), []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="slow", concurrency=1)
    async def handle(event: Event[Any]) -> None:
        if event.key == "slow" and event.data["number"] == 0:
            await release.wait()
        seen.append((event.partition, event.key, event.data["number"]))

    publisher = world.bus(world.country.north)
    async with publisher, bus:
        receipt = await publisher.publish(world.country.opened, case(0), key="slow", version="1.0")
        drafts = [Draft(case(number), key=f"k{number % 20}") for number in range(1, 400)]
        others = await publisher.publish_many(world.country.opened, drafts, version="1.0")
        last = await publisher.publish(world.country.opened, case(400), key="slow", version="1.0")
        elsewhere = sum(found.partition != receipt.partition for found in others)
        await until(lambda: len(seen) == elsewhere)
        assert all(partition != receipt.partition for partition, _, _ in seen)
        release.set()
        await until(lambda: len(seen) == 401)
    slow = [number for _, key, number in seen if key == "slow"]
    assert slow == [0, 400]
    assert last.partition == receipt.partition
    assert await world.committed(f"{world.country.south}.slow", world.country.topic) == 401


async def test_a_slow_handler_holds_up_its_own_key_only(world: World) -> None:
    """While one event takes long, other keys of its partition go on; no offset behind it is committed."""
    release, seen = asyncio.Event(), []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="slow")
    async def handle(event: Event[Any]) -> None:
        if event.key == "slow" and event.data["number"] == 0:
            await release.wait()
        seen.append((event.key, event.data["number"]))

    publisher = world.bus(world.country.north)
    async with publisher, bus:
        drafts = [Draft(case(number), key=f"k{number % 20}") for number in range(1, 400)]
        drafts = [Draft(case(0), key="slow"), *drafts, Draft(case(400), key="slow")]
        receipts = await publisher.publish_many(world.country.opened, drafts, version="1.0")
        await until(lambda: len(seen) == 399)
        assert all(key != "slow" for key, _ in seen)
        elsewhere = sum(one.partition != receipts[0].partition for one in receipts)
        await until(lambda: _committed(world, elsewhere))
        release.set()
        await until(lambda: len(seen) == 401)
    for key in {key for key, _ in seen}:
        numbers = [number for one, number in seen if one == key]
        assert numbers == sorted(numbers)
    assert await _committed(world, 401)


async def _committed(world: World, count: int) -> bool:
    return await world.committed(f"{world.country.south}.slow", world.country.topic) == count


async def test_what_was_fetched_of_a_partition_is_kept_while_it_is_held_back(kafka_world: KafkaWorld) -> None:
    """By itself aiokafka throws it away, and fetches each record several times where handlers wait."""
    async with kafka_world.bus(kafka_world.country.north) as bus:
        drafts = [Draft(case(number), key="k") for number in range(3)]
        receipts = await bus.publish_many(kafka_world.country.opened, drafts, version="1.0")
    place = TopicPartition(kafka_world.country.topic, receipts[0].partition)
    group = f"{kafka_world.country.south}.held"
    consumer = KafkaConsumer(kafka_world.settings(), BrokerClock(), group, [kafka_world.country.topic])
    await consumer.start()
    try:
        (first,) = (await until(lambda: consumer.poll(1.0, 1)))[place]
        asked = _asked(consumer)
        consumer.pause(place)
        assert await consumer.poll(0.3, 10) == {}
        consumer.resume(place)
        rest = (await consumer.poll(10.0, 10))[place]
    finally:
        await consumer.close()
    assert [record.offset for record in (first, *rest)] == [0, 1, 2]
    assert (place, 1) not in asked


def _asked(consumer: KafkaConsumer) -> list[tuple[TopicPartition, int]]:
    """Return what a consumer asks the broker for from now on: a partition, and the first offset."""
    asked: list[tuple[TopicPartition, int]] = []
    client = consumer._kafka._client
    send = client.send

    async def noting(node: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, FetchRequest):
            asked.extend(
                (TopicPartition(topic, one[0]), one[1]) for topic, places in request.topics for one in places
            )
        return await send(node, request, **options)

    client.send = noting
    return asked
