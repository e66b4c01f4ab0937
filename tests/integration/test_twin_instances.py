"""Two processes under one `GOVBUS_INSTANCE`: the newer one goes on, the older one ends and says why."""

import asyncio
from collections import Counter
from itertools import count, islice
from typing import Any

import pytest

from bus import Bus, Draft, Event, InstanceTakenError
from bus.kafka import consumer
from bus.topics import partition_of, topics_of
from tests.small_catalog import case
from tests.worlds import KafkaWorld, until

NAME, EVENTS = "south-1", 30


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_the_newer_of_two_twins_goes_on_alone(kafka_world: KafkaWorld, *, exactly_once: bool) -> None:
    """The older one is fenced, and does not join again; what it had committed is not handled twice."""
    world = kafka_world
    handled = {"older": Counter[int](), "newer": Counter[int]()}

    def twin(name: str) -> Bus:
        bus = world.bus(world.country.south, instance=NAME)

        @bus.subscribe(
            world.country.opened, version=1, purpose="close-cases", name="twin", exactly_once=exactly_once
        )
        async def handle(event: Event[Any]) -> None:
            handled[name][event.data["number"]] += 1

        return bus

    async def publish(start: int) -> None:
        async with world.bus(world.country.north) as publisher:
            drafts = [Draft(case(number), key=f"k{number}") for number in range(start, start + EVENTS)]
            await publisher.publish_many(world.country.opened, drafts, version="1.0")

    async def committed(count: int) -> bool:
        return await world.committed(f"{world.country.south}.twin", world.country.topic) == count

    await publish(0)
    older, newer = twin("older"), twin("newer")
    async with older:
        await until(lambda: committed(EVENTS))
        async with newer:
            with pytest.raises(InstanceTakenError, match=rf"`{NAME}`.*`{world.country.south}\.twin`"):
                await older.wait()
            await publish(EVENTS)
            await until(lambda: committed(2 * EVENTS))
            assert newer.serving
            assert not older.serving
    assert handled["older"] == Counter(range(EVENTS))
    assert handled["newer"] == Counter(range(EVENTS, 2 * EVENTS))


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_a_fenced_twin_leaves_the_newer_one_alone(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch, *, exactly_once: bool
) -> None:
    """What it has in hand comes again, once: it fences nobody, and ends though it has no room to read on."""
    world, handled = kafka_world, {"older": Counter[int](), "newer": Counter[int]()}
    gates = {"older": asyncio.Event(), "newer": asyncio.Event()}
    partitions = next(
        spec.partitions for spec in topics_of(world.country.catalog) if spec.name == world.country.topic
    )
    keys = (f"k{n}" for n in count())
    first, second = islice((key for key in keys if not partition_of(key.encode(), partitions)), 2)
    monkeypatch.setattr(consumer, "HEARTBEAT_SECONDS", 9.0)  # so that the older one hears by its commit

    def twin(name: str) -> Bus:
        bus = world.bus(world.country.south, instance=NAME, max_uncommitted=1)

        @bus.subscribe(
            world.country.opened, version=1, purpose="close-cases", name="twin", exactly_once=exactly_once
        )
        async def handle(event: Event[Any]) -> None:
            handled[name][event.data["number"]] += 1
            if event.data["number"] == 1 or name == "newer":
                await gates[name].wait()

        return bus

    async def publish(number: int, key: str) -> None:
        async with world.bus(world.country.north) as publisher:
            await publisher.publish(world.country.opened, case(number), version="1.0", key=key)

    older, newer = twin("older"), twin("newer")
    await publish(1, first)
    async with older:
        await until(lambda: handled["older"])
        async with newer:
            await until(lambda: handled["newer"])
            gates["older"].set()
            with pytest.raises(InstanceTakenError):
                await older.wait()
            await publish(2, second)
            gates["newer"].set()
            await until(lambda: handled["newer"][2])
            group = f"{world.country.south}.twin"
            await until(lambda: _has_committed(world, group, 2))
            assert newer.serving
    assert handled == {"older": Counter([1]), "newer": Counter([1, 2])}


async def _has_committed(world: KafkaWorld, group: str, count: int) -> bool:
    return await world.committed(group, world.country.topic) >= count


async def test_a_process_that_comes_back_under_its_name_goes_on(kafka_world: KafkaWorld) -> None:
    """Its own earlier life is no twin."""
    world = kafka_world
    seen = asyncio.Queue[int]()
    for number in (1, 2):
        bus = world.bus(world.country.south, instance=NAME)

        @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="twin")
        async def handle(event: Event[Any]) -> None:
            await seen.put(event.data["number"])

        async with bus, world.bus(world.country.north) as publisher:
            await publisher.publish(world.country.opened, case(number), version="1.0")
            assert await asyncio.wait_for(seen.get(), 60) == number
