"""A failing key waits, in order, with all that follows it; every other key goes on."""

import asyncio
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from bus import Bus, DeliveryReceipt, Draft, Event, Retry, RetryPolicy
from bus.parking import log as parking_log
from bus.parking.keys import ParkedEvent
from bus.parking.log import ParkingLog
from bus.parking.rows import ParkedRow, SubscriptionPartition, erase_row, write_row
from bus.record import Record, StoredRecord, TopicPartition
from bus.table import deliver
from bus.topics import partition_of
from bus.transport import Consumer
from tests.small_catalog import SmallCountry, case
from tests.worlds import PATIENCE_SECONDS, MemoryWorld, World, receipts, until

NAME = "edge"
SOON = RetryPolicy((0.05,) * 3, jitter=0)
LATER = RetryPolicy((3600.0,), jitter=0)
Seen = list[tuple[str, int]]


def subscribed(world: World, handler: Callable[[Event[Any]], Any], retry: RetryPolicy) -> Bus:
    """Return a bus with one subscription."""
    bus = world.bus(world.country.south)
    bus.subscribe(world.country.opened, version=1, purpose="close-cases", name=NAME, retry=retry)(handler)
    return bus


def failing(seen: Seen, fails: Callable[[Event[Any]], bool]) -> Callable[[Event[Any]], Any]:
    """Return a handler that notes key and number of each call, and fails some."""

    async def handle(event: Event[Any]) -> None:
        seen.append((event.key or "", event.data["number"]))
        if fails(event):
            raise RuntimeError

    return handle


async def publish(world: World, *drafts: tuple[str, int]) -> None:
    """Publish cases by key and number, in order."""
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(
            world.country.opened, [Draft(case(number), key=key) for key, number in drafts], version="1.0"
        )


async def in_one_partition(world: World, number: int) -> list[str]:
    """Return keys that share a partition."""
    async with world.bus(world.country.north) as bus:
        drafts = [Draft(case(0), key=f"probe-{n}") for n in range(8 * number)]
        places = await bus.publish_many(world.country.opened, drafts, version="1.0")
    found = [draft.key or "" for draft, place in zip(drafts, places, strict=True) if place.partition == 0]
    return found[:number]


async def committed(world: World) -> int:
    """Return how many records the subscription has committed."""
    return await world.committed(f"{world.country.south}.{NAME}", world.country.topic)


async def has_parked(world: World, rows: int) -> bool:
    """Return whether that many rows were written."""
    return len(await world.records(f"{world.country.south}.parked")) >= rows


async def waiting(world: World) -> set[bytes | None]:
    """Return the keys of rows whose latest value says that the event waits."""
    latest = {row.key: row.value for row in await world.records(f"{world.country.south}.parked")}
    return {key for key, value in latest.items() if value is not None}


async def test_other_keys_of_the_partition_go_on(world: World) -> None:
    """While one key waits for an hour, its neighbours are handled, and its own events are not."""
    stuck, *others = await in_one_partition(world, 4)
    seen: Seen = []
    bus = subscribed(world, failing(seen, lambda event: event.key == stuck), LATER)
    await publish(world, (stuck, 1), *((key, n) for n in range(2, 6) for key in (*others, stuck)))
    async with bus:
        await until(lambda: len([1 for key, number in seen if key in others and number]) == 12)
    assert [number for key, number in seen if key == stuck] == [0]


async def test_a_parked_key_is_handled_in_order_when_its_time_comes(world: World) -> None:
    """The failed event first, then those that waited behind it, then new ones."""
    seen: Seen = []
    bus = subscribed(world, failing(seen, lambda e: e.data["number"] == 1 and e.attempt < 3), SOON)
    async with bus:
        await publish(world, ("k", 1), ("k", 2), ("k", 3))
        await until(lambda: ("k", 3) in seen)
        await publish(world, ("k", 4))
        await until(lambda: ("k", 4) in seen)
        await until(lambda: _nothing_waits(world))
    assert seen == [("k", 1), ("k", 1), ("k", 1), ("k", 2), ("k", 3), ("k", 4)]


async def _nothing_waits(world: World) -> bool:
    return not await waiting(world)


async def test_a_poison_key_is_tried_by_its_schedule_and_no_more(world: World) -> None:
    """Schedule and one; then it is a dead letter, and its key is held, over a restart too."""
    seen: Seen = []
    bus = subscribed(world, failing(seen, lambda event: event.data["number"] == 1), SOON)
    await publish(world, ("poison", 1), ("poison", 2), ("k", 3))
    async with bus:
        (letter,) = await until(lambda: world.records(f"{world.country.south}.dead-letters"))
        await until(lambda: has_parked(world, 2))
    headers = dict(letter.headers)
    assert headers["govbus-dead-letter-held"] == b"yes"
    assert headers["govbus-dead-letter-attempts"] == b"4"
    again = subscribed(world, failing(seen, lambda _: False), SOON)
    async with again:
        await publish(world, ("poison", 4), ("k", 5))
        await until(lambda: ("k", 5) in seen)
        await until(lambda: _all_wait(world, 3))
    assert [number for key, number in seen if key == "poison"] == [1] * 4
    assert len(await waiting(world)) == 3


async def _all_wait(world: World, count: int) -> bool:
    return len(await waiting(world)) >= count


async def test_a_key_may_be_released_with_its_dead_letter(world: World) -> None:
    """Where the subscription says so, its later events are handled."""
    seen: Seen = []
    policy = RetryPolicy((0.05,), jitter=0, when_exhausted="release")
    bus = subscribed(world, failing(seen, lambda event: event.data["number"] == 1), policy)
    async with bus:
        await publish(world, ("k", 1), ("k", 2))
        await until(lambda: ("k", 2) in seen)
        await until(lambda: _nothing_waits(world))
    assert seen == [("k", 1), ("k", 1), ("k", 2)]


async def test_a_permanent_fault_holds_no_key(world: World) -> None:
    """It is a dead letter at once; the next event of its key is handled."""

    class RejectedError(Exception):
        retriable = False

    seen: Seen = []

    async def rejects(event: Event[Any]) -> None:
        seen.append((event.key or "", event.data["number"]))
        if event.data["number"] == 1:
            raise RejectedError

    async with subscribed(world, rejects, LATER):
        await publish(world, ("k", 1), ("k", 2))
        await until(lambda: len(seen) == 2)
    assert await waiting(world) == set()


async def test_parking_survives_a_restart(world: World) -> None:
    """Offsets go on past what waits; the next process knows it, and tries in order."""
    seen: Seen = []
    async with subscribed(world, failing(seen, lambda event: event.key == "k"), LATER):
        await publish(world, ("k", 1), ("k", 2), ("x", 3))
        await until(lambda: _committed_all(world, 3))
    assert len(await waiting(world)) == 2
    async with subscribed(world, failing(seen, lambda _: False), LATER):
        await publish(world, ("k", 4), ("x", 5))
        await until(lambda: _committed_all(world, 5))
    assert [number for key, number in seen if key == "k"] == [1]
    assert len(await waiting(world)) == 3


async def _committed_all(world: World, count: int) -> bool:
    return await committed(world) == count


async def test_what_waits_is_handled_by_the_next_process_when_due(world: World) -> None:
    """The time of the next attempt is kept, and so is the number of attempts made."""
    attempts: list[int] = []

    async def fails(event: Event[Any]) -> Retry | None:
        attempts.append(event.attempt)
        return Retry(after_seconds=1.0) if event.attempt == 1 else None

    async with subscribed(world, fails, SOON):
        await publish(world, ("k", 1))
        await until(lambda: has_parked(world, 1))
    async with subscribed(world, fails, SOON):
        await until(lambda: _nothing_waits(world))
    assert attempts == [1, 2]


async def test_a_second_process_takes_over_what_waits(world: World) -> None:
    """Scale-out and scale-in of the group keep the order of every key."""
    seen: Seen = []
    failing_once: set[tuple[str, int]] = set()

    def first_time(event: Event[Any]) -> bool:
        fact = (event.key or "", event.data["number"])
        fresh = event.data["number"] % 5 == 0 and fact not in failing_once
        failing_once.add(fact)
        return fresh

    keys = [f"k{n}" for n in range(12)]
    one, two = (subscribed(world, failing(seen, first_time), SOON) for _ in range(2))
    async with one:
        await publish(world, *((key, n) for n in range(10) for key in keys))
        await until(lambda: len(seen) > 40)
        async with two:
            await publish(world, *((key, n) for n in range(10, 20) for key in keys))
            await until(lambda: len(seen) > 180)
        await publish(world, *((key, n) for n in range(20, 25) for key in keys))
        await until(lambda: all((key, 24) in seen for key in keys))
        await until(lambda: _nothing_waits(world))
    for key in keys:
        numbers = [number for found, number in seen if found == key]
        assert list(dict.fromkeys(numbers)) == list(range(25))


async def test_more_may_wait_than_memory_is_kept_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not in memory is read again from the broker when it is due."""
    monkeypatch.setattr(parking_log, "KEPT_BYTES", 0)
    seen: Seen = []
    async with subscribed(world, failing(seen, lambda e: e.data["number"] == 1 and e.attempt == 1), SOON):
        await publish(world, *(("k", n) for n in range(1, 40)))
        await until(lambda: len(seen) == 40)
    assert seen == [("k", 1), *(("k", n) for n in range(1, 40))]


async def test_waiting_events_leave_receipts(world: World) -> None:
    """One says that the event waits behind its key, the next that it was handled."""
    seen: Seen = []
    await publish(world, ("k", 1), ("k", 2))  # both are there before the first is due again
    async with subscribed(world, failing(seen, lambda e: e.data["number"] == 1 and e.attempt == 1), SOON):
        await until(lambda: len(seen) == 3)
        await until(lambda: _nothing_waits(world))
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    told = [(row.offset, row.outcome, row.reason, row.attempt) for row in rows]
    assert sorted(told, key=str) == [
        (0, "ack", None, 2),
        (0, "retry", "handler-failed", 1),
        (1, "ack", None, 1),
        (1, "retry", "key-parked", 0),
    ]


async def test_nothing_is_parked_while_nothing_fails(world: World) -> None:
    """Not a row is written."""
    seen: Seen = []
    async with subscribed(world, failing(seen, lambda _: False), LATER):
        await publish(world, *(("k", n) for n in range(50)))
        await until(lambda: _committed_all(world, 50))
        await asyncio.sleep(0)
    assert await world.records(f"{world.country.south}.parked") == []


async def test_a_row_that_comes_while_others_are_read_hides_none_of_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an operator discards a held event while its subscriber starts, which wakes the reader."""
    monkeypatch.setattr(parking_log, "IDLE_POLL_SECONDS", 3600.0)
    topic = f"{world.country.south}.parked"
    home = SubscriptionPartition("office", TopicPartition(world.country.topic, 0))
    records = [StoredRecord(*home.partition, offset, 0, b"k", b"{}", ()) for offset in range(2)]
    transport = world.bus(world.country.south)._transport

    async def write(row: ParkedRow) -> int:
        return (await deliver(transport, topic, row.key, row.value, list(row.headers), partition=0)).offset

    await transport.start()
    log = ParkingLog(transport, topic, "us")
    topic_id = "b0b6b0a0-0000-4000-8000-000000000001"
    try:
        for record in records:
            last = await write(
                write_row(home, ParkedEvent(record.offset, topic_id=topic_id), record, "another")
            )
        await log.start()
        assert log._reader is not None
        reader = log._reader
        await until(lambda: _is_past(reader, TopicPartition(topic, 0), last))
        opening = asyncio.create_task(log.open({home: topic_id}))
        await asyncio.sleep(0)
        assert log._waiters
        await write(erase_row(home, topic_id, 0, b"k", "operator"))
        (partition,) = await opening
        await until(lambda: [event.offset for event in partition.keys.queue(b"k")] == [1])
        await until(lambda: log._idle is not None)
        async with asyncio.timeout(PATIENCE_SECONDS):  # nothing comes now, and another one is opened
            await log.open({SubscriptionPartition("archive", home.partition): topic_id})
    finally:
        await log.stop()
        await transport.stop()


async def _is_past(reader: Consumer, place: TopicPartition, offset: int) -> bool:
    return await reader.position(place) > offset


async def test_what_comes_again_is_handled_before_what_waits_behind_it(world: World) -> None:
    """As after a kill that left the row of the third event, and no position: it has been due since."""
    await publish(world, ("k", 1), ("k", 2), ("k", 3))
    *_, third = [record for record in await world.records(world.country.topic) if record.key == b"k"]
    await _write(world, third, ParkedEvent(third.offset, attempts=1))
    seen: Seen = []
    async with subscribed(world, failing(seen, lambda _: False), SOON):
        await until(lambda: len(seen) >= 3)
        await until(lambda: _nothing_waits(world))
    assert [number for _, number in seen] == [1, 2, 3]


async def _write(world: World, record: Record, event: ParkedEvent) -> None:
    """Write the row of another process."""
    home = SubscriptionPartition(NAME, TopicPartition(record.topic, record.partition))
    transport = world.bus(world.country.south).transport
    await transport.start()
    event.topic_id = (await transport.topic_ids([record.topic]))[record.topic]
    row = write_row(home, event, record, "another")
    topic = f"{world.country.south}.parked"
    await deliver(transport, topic, row.key, row.value, list(row.headers), partition=0)
    await transport.stop()


async def test_a_process_that_was_replaced_parks_nothing_any_more(country: SmallCountry) -> None:
    """What it could not write while it held a partition would bring back an event that is done with."""
    world = MemoryWorld(country)
    partitions = len(world.cluster.log(country.topic))
    leaving, staying = (_key_in(number, partitions) for number in (1, 0))
    entered, gate, seen = asyncio.Event(), asyncio.Event(), Seen()

    async def fails_late(event: Event[Any]) -> None:
        if event.key == leaving:
            entered.set()
            await gate.wait()
            raise RuntimeError

    one = subscribed(world, fails_late, LATER)
    two = subscribed(world, failing(seen, lambda _: False), LATER)
    async with one:
        await publish(world, (leaving, 1))
        await entered.wait()
        joining = asyncio.create_task(two.start())
        (lane,) = [lane for lane in one._subscribers[0]._partitions.values() if lane.in_hand]
        await until(lambda: lane.leaving)
        world.cluster.available = False
        gate.set()
        await joining
        world.cluster.available = True
        await until(lambda: (leaving, 1) in seen)
        await publish(world, (staying, 2))
        await until(lambda: _committed_all(world, 2))
        assert await waiting(world) == set()
        await two.stop()


def _key_in(partition: int, partitions: int) -> str:
    return next(f"k{n}" for n in count() if partition_of(b"k%d" % n, partitions) == partition)


async def test_a_row_of_a_process_that_was_replaced_brings_back_nothing(world: World) -> None:
    """It comes late, and says of a handled event that it waits; the next process does not handle it again."""
    seen: Seen = []
    async with subscribed(world, failing(seen, lambda _: False), LATER):
        await publish(world, ("k", 1), ("k", 2))
        await until(lambda: _committed_all(world, 2))
        first, _ = await world.records(world.country.topic)
        await _write(world, first, ParkedEvent(first.offset, attempts=1, due_us=1 << 60))
        await until(lambda: _nothing_waits(world))
    async with subscribed(world, failing(seen, lambda _: False), LATER):
        await publish(world, ("k", 3))
        await until(lambda: ("k", 3) in seen)
    assert [number for _, number in seen] == [1, 2, 3]
