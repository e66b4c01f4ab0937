"""A subscriber killed with SIGKILL: nothing lost, order kept, little repeated, no offset without receipt."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest
from aiokafka.structs import TopicPartition as KafkaPartition

from bus import DeliveryReceipt, Draft, Receipt, apply_topics
from bus.crash.trial import differences_of
from tests.small_catalog import SmallCountry, case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, receipts, until

EVENTS, KEYS = 6_000, 40
MAX_UNCOMMITTED, MAX_POLL_RECORDS = 600, 50
BOUND = {"GOVBUS_MAX_UNCOMMITTED": str(MAX_UNCOMMITTED), "GOVBUS_MAX_POLL_RECORDS": str(MAX_POLL_RECORDS)}
CHILD = """
import asyncio, os, random, signal, sys, threading
from bus import Bus, Event

agency, subject, file, kill_after = sys.argv[1:]
left = int(kill_after)
journal = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
bus = Bus(agency)

@bus.subscribe(subject, version=1, purpose="close-cases", name="crash")
async def note(event: Event) -> None:
    global left
    left -= 1
    if left == 0:
        threading.Timer(random.random() / 200, os.kill, (os.getpid(), signal.SIGKILL)).start()
    if event.offset % 10 == 0:
        await asyncio.sleep(0.002)
    os.write(journal, f"{event.partition} {event.offset} {event.key} {event.data['number']}\\n".encode())

asyncio.run(bus.run())
"""


class JournalLine(NamedTuple):
    """One call of the handler, as its process wrote it down."""

    place: tuple[int, int]
    key: str
    number: int


@contextmanager
def subscriber(
    world: KafkaWorld, folder: Path, journal: Path, kill_after: int = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the child; it kills itself within 5 ms of that many calls, and is gone at the end of the block."""
    arguments = [world.country.south, world.country.opened, str(journal), str(kill_after)]
    environment = {
        **os.environ,
        **BOUND,
        "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(folder),
    }
    child = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], env=environment)
    try:
        yield child
    finally:
        child.kill()
        child.wait(10)


def read(journal: Path) -> list[JournalLine]:
    """Return every whole line of the journal."""
    if not journal.exists():
        return []
    lines = [line.split() for line in journal.read_text().splitlines()]
    return [
        JournalLine((int(line[0]), int(line[1])), line[2], int(line[3])) for line in lines if len(line) == 4
    ]


def has_handled(journal: Path, events: int) -> bool:
    """Return whether that many events were handled at least once."""
    return len({line.place for line in read(journal)}) >= events


async def committed(world: KafkaWorld, group: str) -> dict[int, int]:
    """Return the committed position of each partition of the opened cases."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=world.bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    try:
        await consumer.start()
        places = [KafkaPartition(world.country.topic, number) for number in range(3)]
        return {place.partition: await consumer.committed(place) or 0 for place in places}
    finally:
        await consumer.stop()


async def evict(world: KafkaWorld, group: str) -> None:
    """Take the dead member out of its group, which the broker would do itself after 10 s of silence."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    try:
        await admin.start()
        node = await admin.find_coordinator(group)
        (described,) = await admin.describe_consumer_groups([group], node)
        for member in described.to_object()["groups"][0]["members"]:
            await admin._send_request(LeaveGroupRequest(group, member["member_id"]), node)
    finally:
        await admin.close()


async def accounted(world: KafkaWorld) -> set[tuple[int, int]]:
    """Return the places of records that have a final receipt."""
    return {
        (row.partition, row.offset)
        for row in await receipts(world)
        if isinstance(row, DeliveryReceipt) and row.outcome in ("ack", "dead-letter")
    }


async def publish_all(world: KafkaWorld) -> list[Receipt]:
    """Publish every event, each key's numbers rising."""
    drafts = [Draft(case(number), key=f"key-{number % KEYS}") for number in range(EVENTS)]
    async with world.bus(world.country.north) as bus:
        return await bus.publish_many(world.country.opened, drafts, version="1.0")


@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.crash)])
async def test_kills_lose_nothing_and_repeat_little(kafka: str, tmp_path: Path, kills: int) -> None:
    """Every event is handled at least once, in order per key; a kill repeats at most `max_uncommitted`."""
    country, journal = SmallCountry(tmp_path / "catalog"), tmp_path / "journal"
    world = KafkaWorld(country, kafka)
    await apply_topics(world.settings(), country.catalog)
    published = await publish_all(world)
    lengths: list[int] = []
    for _ in range(kills):
        with subscriber(world, tmp_path / "catalog", journal, EVENTS // (kills + 2)) as child:
            assert await asyncio.to_thread(child.wait, PATIENCE_SECONDS) == -signal.SIGKILL
        run = read(journal)[sum(lengths[-1:]) :]
        lengths.append(len(read(journal)))
        await evict(world, f"{country.south}.crash")
        await require_no_offset_ahead(world)
        positions = await committed(world, f"{country.south}.crash")
        again = [line.place for line in run if line.place[1] >= positions[line.place[0]]]
        assert len(again) <= MAX_UNCOMMITTED, "more comes again than the limit lets be uncommitted"
    with subscriber(world, tmp_path / "catalog", journal) as child:
        await until(partial(has_handled, journal, EVENTS))
        child.terminate()
        assert await asyncio.to_thread(child.wait, PATIENCE_SECONDS) == 0
    lines = read(journal)
    assert lengths[-1] < EVENTS, "the last kill came after the last event"
    assert {line.place for line in lines} == {(receipt.partition, receipt.offset) for receipt in published}
    assert_order(lines)
    assert_no_run_repeats_itself(lines, lengths)
    await require_no_offset_ahead(world)
    assert await differences_of(world.settings(), country.catalog) == ()
    assert sum((await committed(world, f"{country.south}.crash")).values()) == EVENTS


async def require_no_offset_ahead(world: KafkaWorld) -> None:
    """Fail where an offset below the committed one has no final receipt."""
    positions = await committed(world, f"{world.country.south}.crash")
    below = {(partition, offset) for partition, end in positions.items() for offset in range(end)}
    assert below - await accounted(world) == set()


def assert_order(lines: list[JournalLine]) -> None:
    """Fail where a key's first occurrences are not in the order they were published."""
    first = {line.place: line for line in reversed(lines)}
    seen: dict[str, list[int]] = {}
    for line in sorted(first.values(), key=lines.index):
        seen.setdefault(line.key, []).append(line.number)
    assert len(seen) == KEYS
    assert all(numbers == sorted(numbers) for numbers in seen.values())


def assert_no_run_repeats_itself(lines: list[JournalLine], lengths: list[int]) -> None:
    """Fail where an event was handled twice without a kill between."""
    for begin, end in zip([0, *lengths], [*lengths, len(lines)], strict=True):
        run = [line.place for line in lines[begin:end]]
        assert len(run) == len(set(run))
