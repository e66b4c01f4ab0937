"""Members come and go while handlers work: what is in hand finishes or moves, and the group settles."""

import asyncio
from collections import Counter
from collections.abc import Collection
from contextlib import AsyncExitStack
from typing import Any

import pytest

from bus import Draft, Event, TopicPartition
from bus.kafka.consumer import KafkaConsumer
from bus.times.clock import BrokerClock
from tests.small_catalog import case
from tests.worlds import KafkaWorld, until

EVENTS = 9


@pytest.mark.sampled(1)
@pytest.mark.parametrize("exactly_once", [False, True])
async def test_a_handler_in_hand_ends_before_its_partition_leaves(
    kafka_world: KafkaWorld, *, exactly_once: bool
) -> None:
    """It has its own time, however little a stop would leave it, and is not called again elsewhere."""
    world = kafka_world
    handled, asked = Counter[int](), asyncio.Event()
    first = world.bus(world.country.south, stop_timeout_seconds=0.0)
    second = world.bus(world.country.south)

    def is_asked_to_leave() -> bool:
        if any(one.leaving for one in first._subscribers[0]._partitions.values()):
            asked.set()
        return asked.is_set()

    async def handle(event: Event[Any]) -> None:
        handled[event.data["number"]] += 1

    async def handle_slowly(event: Event[Any]) -> None:
        handled[event.data["number"]] += 1
        await until(is_asked_to_leave)

    for bus, handler in (first, handle_slowly), (second, handle):
        bus.subscribe(
            world.country.opened, version=1, purpose="close-cases", name="slow", exactly_once=exactly_once
        )(handler)
    async with world.bus(world.country.north) as publisher:
        drafts = [Draft(case(number), key=f"k{number}") for number in range(EVENTS)]
        await publisher.publish_many(world.country.opened, drafts, version="1.0")
    async with AsyncExitStack() as members:
        await members.enter_async_context(first)
        await until(lambda: handled)
        await members.enter_async_context(second)
        await until(lambda: _all_committed(world))
    assert handled == Counter(range(EVENTS))


async def _all_committed(world: KafkaWorld) -> bool:
    return await world.committed(f"{world.country.south}.slow", world.country.topic) == EVENTS


async def test_a_member_holds_nothing_between_two_assignments(kafka_world: KafkaWorld) -> None:
    """Else it would open again what it gave back, and keep that whatever the next assignment says."""
    gave_back = asyncio.Event()

    async def give_back(_: Collection[TopicPartition]) -> None:
        gave_back.set()

    def member() -> KafkaConsumer:
        group, topics = f"{kafka_world.country.south}.two", [kafka_world.country.topic]
        return KafkaConsumer(kafka_world.settings(), BrokerClock(), group, topics, revoked=give_back)

    one, another = member(), member()
    try:
        await one.start()
        everything = await until(one.assigned)
        joining = asyncio.create_task(another.start())
        await gave_back.wait()
        assert set(one.assigned()) == set()
        await joining
        await until(lambda: one.assigned() and {*one.assigned(), *another.assigned()} == everything)
    finally:
        await one.close()
        await another.close()
