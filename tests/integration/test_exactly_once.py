"""What is read, published and counted as read is one transaction, whoever is killed."""

import asyncio
import itertools
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus import (
    Bus,
    BusError,
    DeliveryReceipt,
    Draft,
    Event,
    FencedError,
    PublishReceipt,
    RetryPolicy,
    UsageError,
    checkpoints_topic,
    decode_receipts,
)
from bus.crash.trial import differences_of
from bus.kafka.transport import KafkaTransport
from bus.parking import log as parking_log
from bus.table import deliver
from bus.topics import parked_topic, partition_of, topics_of
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, World, receipt_records, until

NAME = "relay"
SOON = RetryPolicy((0.05,) * 3, jitter=0)
CHILD = """
import asyncio, sys
from bus import Bus, Event, RetryPolicy

agency, opened, closed = sys.argv[1:]
bus = Bus(agency)

@bus.subscribe(opened, version=1, purpose="close-cases", name="relay", exactly_once=True,
               retry=RetryPolicy((0.2, 0.2), jitter=0))
async def relay(event: Event) -> None:
    if event.data["number"] % 50 == 0:
        await asyncio.sleep(0.01)
    await event.publish(closed, event.data, key=event.key, version="1.0")
    if event.data["number"] % 97 == 0 and event.attempt == 1:
        raise RuntimeError("after it has published")

asyncio.run(bus.run())
"""


def relaying(world: World, handler: Callable[[Event[Any]], Any], **options: Any) -> Bus:
    """Return a bus with one exactly-once subscription."""
    bus = world.bus(world.country.south)
    options = {"retry": SOON, "purpose": "close-cases", "name": NAME, **options}
    bus.subscribe(world.country.opened, version=1, exactly_once=True, **options)(handler)
    return bus


async def publish(world: World, *drafts: tuple[str, int]) -> None:
    """Publish cases by key and number, in order."""
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(
            world.country.opened, [Draft(case(number), key=key) for key, number in drafts], version="1.0"
        )


async def relayed(world: World) -> list[int]:
    """Return the numbers of the closed cases that count."""
    records = await world.records(f"{world.country.closed}.v1", committed=True)
    return [orjson.loads(record.value or b"")["number"] for record in records]


async def has_committed(world: World, count: int) -> bool:
    """Return whether the subscription has committed that many records or, on Kafka, transactions' marks."""
    return await world.committed(f"{world.country.south}.{NAME}", world.country.topic) >= count


async def test_what_a_handler_publishes_counts_with_its_batch(world: World) -> None:
    """Each event once; the transaction and the cause go on; the receipts too."""

    async def relay(event: Event[Any]) -> None:
        receipt = await event.publish(world.country.closed, event.data, key=event.key, version="1.0")
        assert (receipt.offset, receipt.partition) == (-1, -1)

    async with relaying(world, relay):
        await publish(world, *((f"k{n % 7}", n) for n in range(200)))
        await until(lambda: has_committed(world, 200))
    assert Counter(await relayed(world)) == Counter(range(200))
    rows = [
        row
        for record in await receipt_records(world, committed=True)
        for row in decode_receipts(record.value)
        if row.agency == world.country.south
    ]
    assert sum(isinstance(row, DeliveryReceipt) and row.outcome == "ack" for row in rows) == 200
    assert sum(isinstance(row, PublishReceipt) for row in rows) == 200


async def test_a_failed_attempt_has_published_nothing(world: World) -> None:
    """What a handler published before it failed is not sent; the attempt that succeeds publishes it."""

    async def relay(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, key=event.key, version="1.0")
        if event.data["number"] == 1 and event.attempt < 3:
            raise RuntimeError

    async with relaying(world, relay):
        await publish(world, ("a", 1), ("a", 2), ("b", 3))
        await until(lambda: _count(world, 3))
    numbers = await relayed(world)
    assert sorted(numbers) == [1, 2, 3]
    assert numbers.index(1) < numbers.index(2)


async def _count(world: World, count: int) -> bool:
    return len(await relayed(world)) >= count


async def test_a_dead_letter_is_part_of_the_transaction(world: World) -> None:
    """It is there once, and the position behind it is committed."""

    class RejectedError(Exception):
        retriable = False

    async def reject(event: Event[Any]) -> None:
        raise RejectedError

    async with relaying(world, reject):
        await publish(world, ("a", 1))
        await until(lambda: has_committed(world, 1))
    assert len(await world.records(f"{world.country.south}.dead-letters", committed=True)) == 1


async def test_a_second_process_shares_the_work_and_repeats_nothing(world: World) -> None:
    """Joining and leaving the group moves partitions between transactions."""

    async def relay(event: Event[Any]) -> None:
        await asyncio.sleep(0)
        await event.publish(world.country.closed, event.data, key=event.key, version="1.0")

    one, two = relaying(world, relay), relaying(world, relay)
    async with one:
        await publish(world, *((f"k{n % 9}", n) for n in range(300)))
        async with two:
            await publish(world, *((f"k{n % 9}", n) for n in range(300, 600)))
            await until(lambda: _count(world, 500))
        await publish(world, *((f"k{n % 9}", n) for n in range(600, 700)))
        await until(lambda: _count(world, 700))
    assert Counter(await relayed(world)) == Counter(range(700))


async def test_events_of_a_transaction_count_together_or_not_at_all(world: World) -> None:
    """An error in its block takes all of them back; what was refused leaves its receipt all the same."""
    async with world.bus(world.country.north) as bus:
        table = bus.table(checkpoints_topic(world.country.north))
        async with bus.transaction("source") as transaction:
            receipt = await transaction.publish(world.country.opened, case(1), version="1.0")
            await transaction.put(table, "source", b"1")
        assert receipt.offset >= 0
        with pytest.raises(RuntimeError, match="in the middle"):
            await _broken(bus, world)
        async with bus.transaction() as transaction:
            await transaction.publish(world.country.opened, case(3), version="1.0")
        assert await table.get("source") == b"1"
    records = await world.records(world.country.topic, committed=True)
    assert sorted(orjson.loads(record.value or b"")["number"] for record in records) == [1, 3]


@pytest.mark.parametrize(
    ("header", "partition"), [(b"", 99), ("no bytes", 0)], ids=["no such place", "no bytes"]
)
async def test_a_transaction_counts_for_nothing_without_one_of_its_records(
    kafka_world: KafkaWorld, header: Any, partition: int
) -> None:
    """Also where the record did not get as far as the broker, and whoever waited for it passed that over."""
    transport, topic = KafkaTransport(kafka_world.settings()), kafka_world.country.topic
    transaction = transport.transactional(f"{kafka_world.country.north}.once.test")
    await transport.start()
    try:
        await transaction.start()
        await deliver(transaction, topic, b"k", b"1", partition=0)
        with suppress(BusError):
            await deliver(transaction, topic, b"k", b"2", [("odd", header)], partition=partition)
        with pytest.raises(BusError):
            await transaction.commit("", {})
        await transaction.abort()
    finally:
        await transaction.stop()
        await transport.stop()
    assert await kafka_world.records(topic, committed=True) == []


async def _broken(bus: Bus, world: World) -> None:
    async with bus.transaction("source") as transaction:
        await transaction.publish(world.country.opened, case(2), version="1.0")
        raise RuntimeError("in the middle")


async def test_a_name_has_one_holder(world: World) -> None:
    """A newer process fences an older one, whose transaction counts for nothing."""
    old, new = world.bus(world.country.north), world.bus(world.country.north)
    async with old, new:
        with suppress(FencedError):
            async with old.transaction("source") as late:
                await late.publish(world.country.opened, case(1), version="1.0")
                async with new.transaction("source") as transaction:
                    await transaction.publish(world.country.opened, case(2), version="1.0")
        async with new.transaction("source"):
            with pytest.raises(UsageError):
                async with new.transaction("source"):
                    pass
    records = await world.records(world.country.topic, committed=True)
    assert [orjson.loads(record.value or b"")["number"] for record in records] == [2]


async def test_what_is_published_past_a_gap_waits_for_it(world: World) -> None:
    """Events of other keys are handled meanwhile; what they publish counts when the gap has closed, once."""
    release, seen = asyncio.Event(), []

    async def relay(event: Event[Any]) -> None:
        if event.data["number"] == 0:
            await release.wait()
        seen.append(event.data["number"])
        await event.publish(world.country.closed, event.data, key="all", version="1.0")

    async with relaying(world, relay):
        keys = _of_one_partition(world, 8)
        await publish(world, *((keys[n % 8], n) for n in range(40)))
        await until(lambda: len(seen) == 35)  # the key of the first waits for it
        assert await relayed(world) == []
        assert await world.committed(f"{world.country.south}.{NAME}", world.country.topic) == 0
        release.set()
        await until(lambda: has_committed(world, 40))
    assert await relayed(world) == list(range(40))


def _of_one_partition(world: World, count: int) -> list[str]:
    """Return keys whose events lie in one partition."""
    partitions = next(
        one.partitions for one in topics_of(world.country.catalog) if one.name == world.country.topic
    )
    keys = (f"k{number}" for number in itertools.count())
    return list(itertools.islice((key for key in keys if not partition_of(key.encode(), partitions)), count))


async def test_what_a_process_left_open_is_ended_by_who_takes_its_partitions(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also by one that already waits, for partitions it had before, to read what is parked to its end."""
    world = kafka_world
    group, topic = f"{world.country.south}.{NAME}", world.country.topic
    parked = parked_topic(world.country.south)
    monkeypatch.setattr(parking_log, "TELL_SECONDS", 0.1)

    async def relay(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, key=event.key, version="1.0")

    await publish(world, *((f"k{n}", n) for n in range(30)))
    dies = KafkaTransport(world.settings())
    member = dies.consumer(group, [topic])
    await dies.start()
    await member.start()
    transactions = [dies.transactional(f"{group}.{topic}.{place.partition}") for place in member.assigned()]
    try:
        for number, transaction in enumerate(transactions):
            await transaction.start()
            await deliver(transaction, parked, f"left-{number}".encode(), None, [], partition=0)
        async with relaying(world, relay):
            await until(lambda: f"{parked} cannot be read to its end" in caplog.text)
            await member.close()
            await until(lambda: _count(world, 30))
    finally:
        await member.close()
        await asyncio.gather(*(transaction.stop() for transaction in transactions))
        await dies.stop()
    assert Counter(await relayed(world)) == Counter(range(30))


async def _relayed_all(world: World, count: int) -> None:
    while len(await relayed(world)) < count:  # noqa: ASYNC110 - the broker tells nobody
        await asyncio.sleep(1)


@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.crash)])
async def test_kills_repeat_nothing_that_counts(
    kafka_world: KafkaWorld, country: SmallCountry, tmp_path: Path, kills: int
) -> None:
    """Killed at random, two processes at once: each event relayed once, in order per key."""
    world, events, keys = kafka_world, 6_000, 30
    group = f"{country.south}.{NAME}"
    await publish(world, *((f"k{n % keys}", n) for n in range(events)))
    chance = random.Random(5)
    environment = {
        **os.environ,
        "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(tmp_path / "catalog"),
        "GOVBUS_MAX_POLL_RECORDS": "100",
    }

    def start() -> subprocess.Popen[bytes]:
        arguments = [country.south, country.opened, country.closed]
        return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], env=environment)

    children = [start() for _ in range(2)]
    try:
        for _ in range(kills):
            more = await world.committed(group, country.topic) + chance.randrange(200, 800)
            await until(partial(has_committed, world, min(more, events)))
            victim = chance.randrange(2)
            children[victim].send_signal(signal.SIGKILL)
            children[victim].wait(10)
            children[victim] = start()
        async with asyncio.timeout(120):
            await _relayed_all(world, events)
    finally:
        for child in children:
            child.kill()
            child.wait(10)
    found = await relayed(world)
    assert Counter(found) == Counter(range(events))
    of_keys = [[number for number in found if number % keys == key] for key in range(keys)]
    assert of_keys == [sorted(numbers) for numbers in of_keys]
    assert await differences_of(world.settings(), country.catalog) == ()
