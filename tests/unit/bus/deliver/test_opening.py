"""Partitions that are opened wait for what is parked; the loop of their subscription goes on meanwhile."""

import asyncio
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bus import Event, Retry, RetryPolicy
from bus.deliver import subscriber
from bus.errors import BusUnavailableError
from bus.memory.transactional import MemoryTransactional
from bus.outcome import Reason
from bus.parking import log as parking_log
from bus.record import TopicPartition
from bus.standing import CommittedOffset
from bus.topics import parked_topic, partition_of
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld, until

NAME = "relay"


async def test_what_a_partition_left_open_is_ended_while_another_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Both of one process: one waits for the parked rows, the other's commit and abort have both failed."""
    world = MemoryWorld(SmallCountry(tmp_path))
    group, topic = f"{world.country.south}.{NAME}", world.country.topic
    monkeypatch.setattr(parking_log, "TELL_SECONDS", 0.05)
    monkeypatch.setattr(subscriber, "OPENING_SECONDS", 0.05)
    partitions = len(world.cluster.log(topic))
    keys = {number: _key_in(number, partitions) for number in (0, 1)}
    waits, fails = f"{group}.{topic}.0", f"{group}.{topic}.1"
    gate, healthy = asyncio.Event(), asyncio.Event()
    commit, abort = MemoryTransactional.commit, MemoryTransactional.abort

    async def commit_or_not(
        self: MemoryTransactional, group: str, positions: Mapping[TopicPartition, CommittedOffset]
    ) -> None:
        if self._identity in (waits, fails) and not healthy.is_set():
            if self._identity == fails:
                await gate.wait()
                healthy.set()
            raise BusUnavailableError("no broker answers - memory")
        await commit(self, group, positions)

    async def abort_or_not(self: MemoryTransactional) -> None:
        if self._identity != fails:
            await abort(self)

    monkeypatch.setattr(MemoryTransactional, "commit", commit_or_not)
    monkeypatch.setattr(MemoryTransactional, "abort", abort_or_not)
    bus = world.bus(world.country.south)
    retry = RetryPolicy((0.05,), jitter=0)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name=NAME, exactly_once=True, retry=retry
    )
    async def relay(event: Event[Any]) -> Retry | None:
        return Retry(Reason.HANDLER_FAILED) if event.attempt == 1 else None

    async with bus, world.bus(world.country.north) as publisher:
        for number, key in keys.items():
            await publisher.publish(world.country.opened, case(number), version="1.0", key=key)
        await until(lambda: f"{parked_topic(world.country.south)} cannot be read to its end" in caplog.text)
        gate.set()
        await until(lambda: _has_committed(world, group, 2))


def _key_in(partition: int, partitions: int) -> str:
    keys = (f"k{number}" for number in count())
    return next(key for key in keys if partition_of(key.encode(), partitions) == partition)


async def _has_committed(world: MemoryWorld, group: str, count: int) -> bool:
    return await world.committed(group, world.country.topic) >= count
