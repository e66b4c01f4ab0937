"""One partition's slow handler is its own affair."""

import asyncio
from typing import Any

from bus import Draft, Event
from tests.small_catalog import case
from tests.worlds import World, until


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
