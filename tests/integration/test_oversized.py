"""Records that no dead-letter topic takes whole, or not even without their data."""

from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from bus import Event
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

    @bus.subscribe(world.country.opened, version=1, purpose="test", name="edge", exactly_once=exactly_once)
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

    @bus.subscribe(world.country.opened, version=1, purpose="test", name="edge")
    async def fail(event: Event[Any]) -> None:
        raise RuntimeError

    async with bus:
        await until(lambda: _committed(world))
    (letter,) = await world.records(f"{world.country.south}.dead-letters")
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"too-large"


async def _committed(world: KafkaWorld) -> bool:
    return await world.committed(f"{world.country.south}.edge", world.country.topic) == 1
