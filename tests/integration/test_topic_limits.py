"""A topic that takes less than a batch holds, or less than a record: what fits arrives, in order, once."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.structs import TopicPartition as KafkaPartition

from bus import BusError, Draft, EnvelopeError, Event, Record, TopicLimitError
from bus.kafka.requests import alter_topic_config
from bus.kafka.transport import KafkaTransport
from bus.table import deliver
from tests.small_catalog import case
from tests.worlds import KafkaWorld, until

LIMIT_BYTES = 8_000
EVENTS = 60
OWN_TIMES = {"message.timestamp.type": "CreateTime", "message.timestamp.before.max.ms": "0"}
"""Under these settings of a topic every record comes too late."""


@pytest.fixture
async def world(kafka_world: KafkaWorld) -> AsyncIterator[KafkaWorld]:
    """A country whose topic of cases takes few bytes at once."""
    async with _taking_few_bytes(kafka_world, kafka_world.country.topic, LIMIT_BYTES):
        yield kafka_world


@asynccontextmanager
async def _taking_few_bytes(world: KafkaWorld, topic: str, limit_bytes: int) -> AsyncIterator[None]:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    transport = KafkaTransport(world.settings())
    try:
        await admin.start()
        await transport.start()
        await admin._send_request(alter_topic_config(topic, {"max.message.bytes": str(limit_bytes)}))
        await until(lambda: _refuses(transport, topic, b"x" * limit_bytes))
        yield
    finally:
        await transport.stop()
        await admin.close()


def _incompressible(number: int) -> str:
    return random.Random(number).randbytes(500).hex()


async def _refuses(transport: KafkaTransport, topic: str, value: bytes) -> bool:
    try:
        await deliver(transport, topic, b"probe", value, partition=0)
    except TopicLimitError:
        return True
    return False


@pytest.mark.parametrize("compression", [None, "gzip"])
@pytest.mark.parametrize("together", [False, True])
async def test_a_batch_above_the_limit_is_split(
    world: KafkaWorld, compression: str | None, *, together: bool
) -> None:
    """Its events arrive in order, each once, and each receipt has the place of its event."""
    drafts = [Draft(case(number, note=_incompressible(number)), key="k") for number in range(EVENTS)]
    async with world.bus(world.country.north, compression=compression) as bus:
        if together:
            async with bus.transaction() as transaction:
                receipts = await transaction.publish_many(world.country.opened, drafts, version="1.1")
        else:
            receipts = await bus.publish_many(world.country.opened, drafts, version="1.1")
    found = [one for one in await world.records(world.country.topic, committed=True) if one.key == b"k"]
    assert [orjson.loads(one.value or b"")["number"] for one in found] == list(range(EVENTS))
    assert [(one.partition, one.offset) for one in found] == [(one.partition, one.offset) for one in receipts]


@pytest.mark.parametrize(
    ("config", "key"),
    [({"cleanup.policy": "compact"}, None), (OWN_TIMES, b"k"), ({}, b"k")],
    ids=["another reason", "its time", "out of order"],
)
async def test_what_follows_a_refused_record_is_sent(
    kafka_world: KafkaWorld, config: dict[str, str], key: bytes | None
) -> None:
    """Whatever it was refused for, also where nobody can know whether it was written."""
    transport, topic = KafkaTransport(kafka_world.settings()), kafka_world.country.topic
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_world.bootstrap_servers)
    await admin.start()
    await transport.start()
    try:
        for number in (0, 1):
            for partition in (0, 1):
                await deliver(transport, topic, b"k", b"%d" % number, partition=partition)
        await admin._send_request(alter_topic_config(topic, dict(config)))
        if config:
            await until(lambda: _fails(transport, topic, key))
        else:
            manager = transport._producer.kafka._txn_manager
            manager.increment_sequence_number(KafkaPartition(topic, 1), 5)  # as of a batch that went astray
            assert await _fails(transport, topic, key)
        usual: dict[str, str | None] = dict.fromkeys(config)
        await admin._send_request(alter_topic_config(topic, usual))
        await until(lambda: _takes(transport, topic))
        await asyncio.gather(
            *(deliver(transport, topic, b"k", b"3", partition=partition) for partition in (0, 1))
        )
    finally:
        await transport.stop()
        await admin.close()
    found = [one.value or b"" for one in await kafka_world.records(topic) if one.value != b"probe"]
    assert sorted(found) == [b"0", b"0", b"1", b"1", b"3", b"3"]


async def test_what_a_topic_takes_passes_by_a_record_that_it_refuses(kafka_world: KafkaWorld) -> None:
    """That one is refused for good, and the others of its batch arrive in order."""
    transport, topic = KafkaTransport(kafka_world.settings()), kafka_world.country.topic
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_world.bootstrap_servers)
    await admin.start()
    await transport.start()
    try:
        await admin._send_request(alter_topic_config(topic, {"cleanup.policy": "compact"}))
        await until(lambda: _fails(transport, topic, None))
        keys = [None if number in (2, 5, 6) else b"k" for number in range(9)]
        sent = [deliver(transport, topic, key, b"%d" % at, partition=1) for at, key in enumerate(keys)]
        for key, got in zip(keys, await asyncio.gather(*sent, return_exceptions=True), strict=True):
            assert isinstance(got, EnvelopeError) == (key is None), got
    finally:
        await transport.stop()
        await admin.close()
    found = [one.value for one in await kafka_world.records(topic) if one.value != b"probe"]
    assert found == [b"0", b"1", b"3", b"4", b"7", b"8"]


async def _fails(transport: KafkaTransport, topic: str, key: bytes | None) -> bool:
    try:
        await deliver(transport, topic, key, b"probe", partition=1)
    except BusError:
        return True
    return False


async def _takes(transport: KafkaTransport, topic: str) -> bool:
    return not await _fails(transport, topic, b"k")


async def test_what_fits_passes_by_a_record_that_never_does(world: KafkaWorld) -> None:
    """That one is refused; those of its batch, before and behind it, arrive in order, and later ones too."""
    transport, topic = KafkaTransport(world.settings()), world.country.topic
    values = [b"%d" % number for number in range(9)]
    values[2] = values[5] = values[6] = b"x" * LIMIT_BYTES
    await transport.start()
    try:
        for part in (values[:8], values[8:]):
            sent = [deliver(transport, topic, b"k", value, partition=1) for value in part]
            for value, got in zip(part, await asyncio.gather(*sent, return_exceptions=True), strict=True):
                assert isinstance(got, TopicLimitError) == (len(value) == LIMIT_BYTES), got
    finally:
        await transport.stop()
    found = [one.value for one in await world.records(topic) if one.key == b"k"]
    assert found == [b"0", b"1", b"3", b"4", b"7", b"8"]


async def test_what_an_exactly_once_handler_publishes_in_vain_is_a_dead_letter_of_its_event(
    kafka_world: KafkaWorld,
) -> None:
    """The others of its transaction count once."""
    world, large = kafka_world, set(range(0, EVENTS, 7))
    topic, group = f"{world.country.closed}.v1", f"{world.country.south}.relay"
    bus, handled = world.bus(world.country.south, compression=None), Counter[int]()

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="relay", exactly_once=True)
    async def relay(event: Event[Any]) -> None:
        number = event.data["number"]
        handled[number] += 1
        named = f"{number}-{_incompressible(number) * 2 if number in large else ''}"
        await event.publish(world.country.closed, event.data, key=event.key, version="1.0", id=named)

    async with _taking_few_bytes(world, topic, 2_000), world.bus(world.country.north) as publisher:
        drafts = [Draft(case(number), key=f"k{number}") for number in range(EVENTS)]
        await publisher.publish_many(world.country.opened, drafts, version="1.0")
        async with bus:
            await until(partial(_has_committed, world, group, EVENTS))
    found = [one for one in await world.records(topic, committed=True) if one.key != b"probe"]
    assert _numbers(found) == Counter(set(range(EVENTS)) - large)
    letters = await world.records(f"{world.country.south}.dead-letters", committed=True)
    assert _numbers(letters) == Counter(large)
    assert {dict(one.headers)["govbus-dead-letter-reason"] for one in letters} == {b"too-large"}
    assert max(handled.values()) <= 4


async def _has_committed(world: KafkaWorld, group: str, count: int) -> bool:
    return await world.committed(group, world.country.topic) >= count


def _numbers(records: Sequence[Record]) -> Counter[int]:
    return Counter(orjson.loads(one.value or b"")["number"] for one in records)
