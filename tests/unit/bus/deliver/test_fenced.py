"""A process whose partitions may be another's by now fences nobody, until the group has confirmed it."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bus import Bus, Event
from bus.deliver import subscriber
from bus.testing import InMemoryCluster
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld, until

NAME = "relay"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryWorld:
    """Return a small country in memory, in which a subscriber that waits looks again soon."""
    monkeypatch.setattr(subscriber, "AGAIN_SECONDS", 0.01)
    return MemoryWorld(SmallCountry(tmp_path))


def relaying(world: MemoryWorld, handled: Counter[int], gate: asyncio.Event) -> Bus:
    """Return a bus with an exactly-once subscription, whose handler waits."""
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name=NAME, exactly_once=True)
    async def relay(event: Event[Any]) -> None:
        handled[event.data["number"]] += 1
        await gate.wait()

    return bus


async def publish(world: MemoryWorld) -> str:
    """Publish an event; return the transactional id of its partition."""
    async with world.bus(world.country.north) as bus:
        receipt = await bus.publish(world.country.opened, case(1), version="1.0")
    return f"{world.country.south}.{NAME}.{world.country.topic}.{receipt.partition}"


class LetGo:
    """A group that has let its members go, as after a long sleep, until it takes them back."""

    def __init__(self, cluster: InMemoryCluster, group: str) -> None:
        self._group, self._members = cluster._groups[group], list(cluster._groups[group])
        self._group.clear()

    def take_back(self) -> None:
        """Count the members again."""
        self._group.extend(self._members)


async def test_a_fenced_partition_rests_until_the_group_confirms_its_holder(world: MemoryWorld) -> None:
    """Nothing of it is handled again before, and who fenced it keeps it."""
    handled, gate = Counter[int](), asyncio.Event()
    bus = relaying(world, handled, gate)
    async with bus:
        identity = await publish(world)
        await until(lambda: handled)
        newer = bus._transport.transactional(identity)
        await newer.start()
        group = LetGo(world.cluster, f"{world.country.south}.{NAME}")
        gate.set()
        await until(lambda: bus._subscribers[0].outage.fault)
        for _ in range(20):
            await asyncio.sleep(0.01)
            await newer.begin()  # else it would be fenced
        assert handled == Counter([1])
        group.take_back()
        await until(lambda: _committed(world))
    assert handled == Counter({1: 2})


async def test_who_the_group_has_let_go_fences_nobody(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even as it begins: it may have slept since it was given its partitions."""
    handled, gate, groups = Counter[int](), asyncio.Event(), list[LetGo]()
    gate.set()
    identity = await publish(world)
    bus = relaying(world, handled, gate)
    newer = bus._transport.transactional(identity)
    await newer.start()
    join = world.cluster.join

    async def join_and_sleep(member: Any) -> None:
        await join(member)
        if member.group == f"{world.country.south}.{NAME}":
            groups.append(LetGo(world.cluster, member.group))

    monkeypatch.setattr(world.cluster, "join", join_and_sleep)
    async with bus:
        await until(lambda: bus._subscribers[0].outage.fault)
        await newer.begin()
        assert not handled
        groups.pop().take_back()
        await until(lambda: _committed(world))
    assert handled == Counter([1])


async def _committed(world: MemoryWorld) -> int:
    return await world.committed(f"{world.country.south}.{NAME}", world.country.topic)
