"""Records that no dead-letter topic takes whole, or not even without their data."""

from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from bus import Event, open_consumer
from bus.batch_limits import BATCH_BYTES, TOO_MANY_BYTES, UNREAD
from observability.monitor import gather
from tests.deliveries import envelope_of
from tests.small_catalog import case
from tests.worlds import KafkaWorld, until

NEARLY_TOO_LARGE = 2 * 1_048_576 - 300
"""A record of that size is taken by its topic; with a word on why it is set aside, by none."""


async def _set_aside(
    world: KafkaWorld, value: bytes | None, header: bytes, *, exactly_once: bool
) -> dict[str, Any]:
    """Return the headers of the dead letter, once the next event of the partition has been handled."""
    seen: list[int] = []
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers, max_request_size=4_000_000)
    await producer.start()
    try:
        await producer.send_and_wait(world.country.topic, value, b"k", headers=[("odd", header)])
    finally:
        await producer.stop()
    bus = world.bus(world.country.south)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name="edge", exactly_once=exactly_once
    )
    async def note(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    async with world.bus(world.country.north) as publisher:
        await publisher.publish(world.country.opened, case(2), key="k", version="1.0")
    async with bus:
        await until(lambda: seen == [2])
    (letter,) = await world.records(f"{world.country.south}.dead-letters", committed=True)
    return dict(letter.headers)


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_what_the_letters_cannot_take_is_set_aside_without_its_bytes(
    kafka_world: KafkaWorld, *, exactly_once: bool
) -> None:
    """The letter says where they lie, and the partition goes on."""
    value = b"x" * (NEARLY_TOO_LARGE - 100)
    headers = await _set_aside(kafka_world, value, b"", exactly_once=exactly_once)
    assert headers["govbus-dead-letter-reason"] == b"too-large"
    assert "govbus-dead-letter-omitted" in headers


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_headers_that_the_letters_cannot_take_are_left_out(
    kafka_world: KafkaWorld, *, exactly_once: bool
) -> None:
    """They lie with the record, at the place the letter names."""
    header = b"x" * (NEARLY_TOO_LARGE - 100)
    headers = await _set_aside(kafka_world, None, header, exactly_once=exactly_once)
    assert headers["govbus-dead-letter-reason"] == b"tombstone"
    assert "govbus-dead-letter-omitted" in headers
    assert "odd" not in headers


@pytest.mark.parametrize("large", ["key", "name", "value"])
async def test_what_no_row_of_parked_events_could_hold_is_set_aside_at_once(
    kafka_world: KafkaWorld, large: str
) -> None:
    """Compressed it fits its topic; were it parked, nothing of its subscription could be committed again."""
    world, text = kafka_world, "x" * 4_000_000
    odd = {"key": ("odd", b""), "name": (text, b""), "value": ("odd", text.encode())}[large]
    producer = AIOKafkaProducer(
        bootstrap_servers=world.bootstrap_servers, max_request_size=9_000_000, compression_type="gzip"
    )
    await producer.start()
    try:
        key = text.encode() if large == "key" else b"k"
        value = orjson.dumps(case(1))
        await producer.send_and_wait(world.country.topic, value, key, headers=[*envelope_of(world), odd])
    finally:
        await producer.stop()
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="edge")
    async def fail(event: Event[Any]) -> None:
        raise RuntimeError

    async with bus:
        await until(lambda: _committed(world))
    (letter,) = await world.records(f"{world.country.south}.dead-letters")
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"too-large"


async def _bomb(world: KafkaWorld, topic: str, codec: str) -> None:
    """Write a record that Kafka takes, since it is small when compressed."""
    producer = AIOKafkaProducer(
        bootstrap_servers=world.bootstrap_servers, max_request_size=3 * BATCH_BYTES, compression_type=codec
    )
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"0" * (2 * BATCH_BYTES), b"k", partition=0)
    finally:
        await producer.stop()


@pytest.mark.parametrize(("codec", "exactly_once"), [("gzip", False), ("zstd", True)])
async def test_a_record_that_would_fill_the_memory_is_a_dead_letter(
    kafka_world: KafkaWorld, codec: str, *, exactly_once: bool
) -> None:
    """It is never unpacked, and the next event of its partition is handled."""
    world, seen = kafka_world, list[int]()
    await _bomb(world, world.country.topic, codec)
    await world.append(world.country.topic, orjson.dumps(case(2)), key=b"k", headers=envelope_of(world))
    bus = world.bus(world.country.south)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name="edge", exactly_once=exactly_once
    )
    async def note(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    async with bus:
        await until(lambda: seen == [2])
    (letter,) = await world.records(f"{world.country.south}.dead-letters", committed=True)
    why = dict(letter.headers)
    assert why["govbus-dead-letter-reason"] == b"too-large"
    assert why["govbus-dead-letter-detail"] == UNREAD[TOO_MANY_BYTES].encode()
    assert why["govbus-dead-letter-offset"] == b"0"


async def test_receipts_that_would_fill_the_memory_are_counted_and_passed(kafka_world: KafkaWorld) -> None:
    """The agency's next receipts are read, and nothing else of the monitor waits."""
    world = kafka_world
    topic = f"{world.country.north}.receipts"
    await _bomb(world, topic, "gzip")
    async with world.bus(world.country.north) as publisher:
        receipt = await publisher.publish(world.country.opened, case(1), version="1.0")
    undecodable, published = list[Any](), list[str]()
    async with open_consumer(world.settings(), group=f"{topic}-test", topics=[topic]) as consumer:
        while not (undecodable and published):
            found = gather(await consumer.poll(1, 500))
            undecodable += found.undecodable
            published += [word.receipt.event_id for word in found.words]
    assert undecodable == [(topic, 0, 0)]
    assert published == [receipt.id]


async def _committed(world: KafkaWorld) -> bool:
    return await world.committed(f"{world.country.south}.edge", world.country.topic) == 1
