"""One partition's slow handler is its own affair."""

import asyncio
from typing import Any

from bus import Draft, Event
from tests.small_catalog import case
from tests.worlds import World, until


async def test_a_slow_handler_holds_up_its_own_partition_only(world: World) -> None:
    """While one event takes long, other partitions go on; its own order holds, and all is handled once."""
    release, seen = asyncio.Event(), []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="slow")
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
