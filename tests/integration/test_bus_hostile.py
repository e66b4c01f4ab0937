"""Records of producers that keep no rule: each is one dead letter, and no good event waits for it."""

import random
from collections import Counter
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from bus import Bus, DeliveryReceipt, Event, Retry, RetryPolicy, UsageError
from bus.batch_limits import EVENT_HEADERS, ODD_NAME, RECORD_HEADERS, UNREAD, unread
from bus.dead_letters.operations import DeadLetters, Operator
from bus.topics import partition_of
from tests.deliveries import envelope_of
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, MemoryWorld, World, receipts, until

Headers = list[tuple[str, bytes | None]]

BAD = 200

VALUE = b'{"reference":"case-0001","number":1}'
ODD_BYTES = (
    None, b"", b"\x00", b"\xff\xfe\xfd", b"1.0", b"2.0", b"\xed\xa0\x80", "Zo\u00eb".encode(), b"x" * 5000,
)  # fmt: skip
ODD_NAMES = (
    "ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "ce_dataschema", "ce_startedat",
    "ce_service", "ce_correlationid", "ce_causationid", "ce_subject", "traceparent",
    "content-type", "x", "ce_", "\u00e4",
)  # fmt: skip
ODD_VALUES = (
    None, b"", b"null", b"[]", b"1e999", b"{", b"\xff", b'"\xed\xa0\x80"', b"[" * 500 + b"]" * 500,
    b'{"reference":1}', b'{"padding":"' + b"x" * 4000 + b'"}', VALUE[:-1], b"NaN",
    b'{"a":' * 300 + b"1" + b"}" * 300,
)  # fmt: skip


def random_record(world: World, chance: random.Random) -> tuple[bytes | None, Headers]:
    """Return a record whose value breaks the contract, under headers that may break anything."""
    headers: Headers = envelope_of(world) if chance.random() < 0.5 else []
    for _ in range(chance.randrange(6)):
        headers.insert(
            chance.randrange(len(headers) + 1), (chance.choice(ODD_NAMES), chance.choice(ODD_BYTES))
        )
    value = chance.randbytes(chance.randrange(60)) if chance.random() < 0.3 else chance.choice(ODD_VALUES)
    return value, headers


def listener(world: World) -> tuple[Bus, list[int]]:
    """Return a bus whose handler notes the numbers of good events."""
    bus, seen = world.bus(world.country.south), list[int]()

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="hostile")
    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    return bus, seen


async def append_all(world: KafkaWorld, records: list[tuple[bytes | None, Headers]]) -> None:
    """Write records in order into the partition of one key."""
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers)
    try:
        await producer.start()
        for value, headers in records:
            await producer.send_and_wait(world.country.topic, value, b"case-0001", headers=headers)
    finally:
        await producer.stop()


async def append_one(world: KafkaWorld, value: bytes, **options: Any) -> None:
    """Write a record under a right event's headers, by a producer with options of its own."""
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers, **options)
    try:
        await producer.start()
        await producer.send_and_wait(world.country.topic, value, b"case-0001", headers=envelope_of(world))
    finally:
        await producer.stop()


def good(world: World, number: int) -> tuple[bytes, Headers]:
    """Return a foreign producer's right event."""
    value = b'{"reference":"case-0001","number":%d}' % number
    return value, envelope_of(world, ce_id=b"good-%d" % number)


def own(letter: Any) -> tuple[bytes | None, tuple[tuple[str, bytes | None], ...]]:
    """Return what a dead letter kept of its record."""
    headers = tuple(pair for pair in letter.headers if not pair[0].startswith("govbus-dead-letter-"))
    return letter.value, headers


@pytest.mark.parametrize("seed", [1, 2])
async def test_200_random_records_are_200_dead_letters_between_good_events(
    kafka_world: KafkaWorld, seed: int
) -> None:
    """Every good event is handled in order; every bad one lies once in the dead letters, byte for byte."""
    world, chance = kafka_world, random.Random(seed)
    bad = [random_record(world, chance) for _ in range(BAD)]
    mixed = [record for number, odd in enumerate(bad) for record in (good(world, number), odd)]
    await append_all(world, mixed)
    bus, seen = listener(world)
    group, topic = f"{world.country.south}.hostile", world.country.topic
    async with bus:
        await until(lambda: _committed(world, group, topic, len(mixed)))
    assert seen == list(range(BAD))
    letters = await world.records(f"{world.country.south}.dead-letters")
    assert Counter(own(letter) for letter in letters) == Counter(
        (value, tuple(headers)) for value, headers in bad
    )
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    assert Counter(row.outcome for row in rows) == {"ack": BAD, "dead-letter": BAD}
    assert {row.offset for row in rows} == set(range(len(mixed)))


async def _committed(world: World, group: str, topic: str, count: int) -> bool:
    return await world.committed(group, topic) == count


async def handled_after(world: World, value: bytes | None, headers: Headers) -> tuple[list[int], list[Any]]:
    """Return which events were handled around a foreign record, and the dead letters, none tried again."""
    await world.append(world.country.topic, value, key=b"case-0001", headers=headers)
    async with world.bus(world.country.north) as publisher:
        await publisher.publish(world.country.opened, case(2), version="1.0")
    bus, seen = listener(world)
    async with bus:
        await until(lambda: _committed(world, f"{world.country.south}.hostile", world.country.topic, 2))
    assert [row for row in await receipts(world) if row.outcome == "retry"] == []
    return seen, list(await world.records(f"{world.country.south}.dead-letters"))


def structured(world: World, attributes: str, *others: tuple[str, bytes | None]) -> tuple[bytes, Headers]:
    """Return a CloudEvent in structured mode (Kafka binding, section 3.3) with further members."""
    type_ = f"{world.country.opened}.v1"
    body = f'{{"specversion":"1.0","id":"s-1","source":"urn:example:foreign","type":"{type_}",{attributes}}}'
    return body.encode(), [("content-type", b"application/cloudevents+json"), *others]


@pytest.mark.parametrize(
    "name",
    [
        "ce_service",
        "ce_causationid",
        "ce_correlationid",
        "ce_subject",
        "ce_startedat",
    ],
)
async def test_an_empty_attribute_is_malformed(country: SmallCountry, name: str) -> None:
    """CloudEvents asks for text of each; the event is set aside, and the next one handled."""
    world = MemoryWorld(country)
    seen, (letter,) = await handled_after(world, VALUE, envelope_of(world, **{name: b""}))
    assert seen == [2]
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"malformed-envelope"


@pytest.mark.parametrize(
    "attributes",
    [
        '"subject":null',
        '"flag":true',
        '"sequence":7',
    ],
)
async def test_structured_attributes_of_every_kind_are_read(world: World, attributes: str) -> None:
    """CloudEvents JSON format, section 2: null is absent, booleans and integers are text."""
    value, headers = structured(world, f'{attributes},"data":{VALUE.decode()}')
    seen, letters = await handled_after(world, value, headers)
    assert (seen, letters) == ([1, 2], [])


async def test_a_control_character_in_structured_mode_is_malformed(country: SmallCountry) -> None:
    """CloudEvents 1.0.2, type String: as in binary mode, and the next event is handled."""
    world = MemoryWorld(country)
    value, headers = structured(world, f'"subject":"\\u0000","data":{VALUE.decode()}')
    seen, (letter,) = await handled_after(world, value, headers)
    assert seen == [2]
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"malformed-envelope"


async def test_structured_mode_may_carry_other_headers(world: World) -> None:
    """A tracing header or four beside `content-type` do not turn structured mode into binary mode."""
    others = [(name, b"1") for name in ("b3", "x-request-id", "x-tenant", "x-retry")]
    value, headers = structured(world, f'"data":{VALUE.decode()}', *others)
    seen, letters = await handled_after(world, value, headers)
    assert (seen, letters) == ([1, 2], [])


async def test_structured_data_nested_without_end_is_a_dead_letter(country: SmallCountry) -> None:
    """It breaks its contract, and does not end the subscription."""
    world = MemoryWorld(country)
    value, headers = structured(world, f'"data":{"[" * 400}{"]" * 400}')
    seen, letters = await handled_after(world, value, headers)
    assert (seen, [letter.value for letter in letters]) == ([2], [value])


async def test_a_record_too_large_for_the_dead_letters_blocks_nothing(kafka_world: KafkaWorld) -> None:
    """3 MB that travelled compressed fit no dead letter whole; one still says where they lie."""
    value = b'{"padding":"' + b"x" * 3_000_000 + b'"}'
    await append_one(kafka_world, value, compression_type="gzip", max_request_size=5_000_000)
    async with kafka_world.bus(kafka_world.country.north) as publisher:
        await publisher.publish(kafka_world.country.opened, case(2), version="1.0")
    bus, seen = listener(kafka_world)
    async with bus:
        await until(lambda: seen)
    (letter,) = await kafka_world.records(f"{kafka_world.country.south}.dead-letters")
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"too-large"
    assert dict(letter.headers)["govbus-dead-letter-offset"] == b"0"


@pytest.mark.parametrize("size", [300_000, 1_000_000, 2_090_000])
async def test_a_record_larger_than_a_batch_is_a_dead_letter_whole(
    kafka_world: KafkaWorld, size: int
) -> None:
    """More than `batch_bytes` in one record still reaches the dead letters byte for byte."""
    value = b'{"padding":"' + b"x" * size + b'"}'
    await append_one(kafka_world, value, max_request_size=5_000_000)
    async with kafka_world.bus(kafka_world.country.north) as publisher:
        await publisher.publish(kafka_world.country.opened, case(2), version="1.0")
    bus, seen = listener(kafka_world)
    async with bus:
        await until(lambda: seen)
    (letter,) = await kafka_world.records(f"{kafka_world.country.south}.dead-letters")
    assert letter.value == value


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_of_kafka_is_read(kafka_world: KafkaWorld, codec: str) -> None:
    """A foreign producer may compress as it likes."""
    await append_one(kafka_world, VALUE, compression_type=codec)
    bus, seen = listener(kafka_world)
    async with bus:
        await until(lambda: seen)
    assert seen == [1]


@pytest.mark.parametrize("name", ["ce_time", "ce_recordedtime", "ce_startedat"])
async def test_a_time_outside_the_calendar_is_malformed(country: SmallCountry, name: str) -> None:
    """Nothing can be told of such a time; the next event is handled."""
    world = MemoryWorld(country)
    headers = envelope_of(world, **{name: b"0001-01-01T00:00:00+23:59"})
    seen, (letter,) = await handled_after(world, VALUE, headers)
    assert seen == [2]
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"malformed-envelope"


async def _settled(world: World) -> bool:
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    return any(row.outcome in ("ack", "dead-letter") for row in rows)


class _OddName(str):
    """A header name that is other bytes on the wire; producers built on C write whatever they are given."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


async def test_a_header_name_that_is_not_utf_8_ends_nothing(kafka_world: KafkaWorld) -> None:
    """The protocol asks for UTF-8 and the broker does not look: the record is set aside, the next handled."""
    world = kafka_world
    await append_all(world, [good(world, 1)])
    await append_with_odd_name(world)
    await append_all(world, [good(world, 3)])
    bus, seen = listener(world)
    async with bus:
        await until(lambda: 3 in seen)
        assert bus.serving
        await until(lambda: _committed(world, f"{world.country.south}.hostile", world.country.topic, 3))
        found = await bus.transport.read_all(world.country.topic)
        assert [(record.offset, unread(record.headers)) for record in found] == [
            (0, None), (1, ODD_NAME), (2, None),
        ]  # fmt: skip
        async with DeadLetters(bus.transport, world.country.south, world.country.catalog) as letters:
            (letter,) = await letters.read()
            with pytest.raises(UsageError, match=r"name of each header.*discard it"):
                await letters.redrive(letter, Operator("mae", "try"))
    assert seen == [1, 3]
    assert (letter.value, letter.headers) == (None, ())
    assert {name: letter.why[name] for name in ("reason", "detail", "offset")} == {
        "reason": "malformed-envelope", "detail": UNREAD[ODD_NAME], "offset": "1",
    }  # fmt: skip
    assert letter.why["omitted"].startswith("it was not read")


@pytest.mark.parametrize("count", [EVENT_HEADERS + 1, 10_000])
async def test_an_event_with_too_many_headers_is_set_aside_without_them(
    country: SmallCountry, count: int
) -> None:
    """Parked, or as a dead letter, compressed, no reader would take it again."""
    world = MemoryWorld(country)
    odd: Headers = [(f"h{number}", b"x") for number in range(count - 5)]
    seen, (letter,) = await handled_after(world, VALUE, [*envelope_of(world), *odd])
    assert seen == [2]
    why = dict(letter.headers)
    assert why["govbus-dead-letter-reason"] == b"too-large"
    assert (
        why["govbus-dead-letter-detail"] == f"Expected at most {EVENT_HEADERS} headers, got {count}".encode()
    )
    assert len(letter.headers) < RECORD_HEADERS


async def test_an_event_with_many_headers_waits_and_is_read_again(kafka_world: KafkaWorld) -> None:
    """Compressed as well, and a stranger's headers with the names of the bus' own stay the stranger's."""
    world, tried = kafka_world, list[Event[Any]]()
    odd: Headers = [(f"h{number}", b"x") for number in range(EVENT_HEADERS - 7)]
    odd += [("govbus-parked", b"{}"), ("govbus-parked-key", b"another")]
    await world.append(world.country.topic, VALUE, headers=[*envelope_of(world), *odd])

    def trying(wait: float) -> Bus:
        bus = world.bus(world.country.south, compression="gzip")

        @bus.subscribe(
            world.country.opened, version=1, purpose="close-cases", retry=RetryPolicy((wait,), jitter=0)
        )
        async def handle(event: Event[Any]) -> Retry | None:
            tried.append(event)
            return Retry() if event.attempt == 1 else None

        return bus

    async with trying(0.5):
        await until(lambda: tried)
    async with trying(0.5):
        await until(lambda: len(tried) == 2)
    first, second = tried
    assert (second.key, second.headers, second.attempt) == (first.key, first.headers, 2)


async def append_with_odd_name(world: KafkaWorld) -> None:
    """Write one right event that has a header more, whose name no text has."""
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap_servers)
    try:
        await producer.start()
        batch = producer.create_batch()
        # The builder in Python encodes a name by its own `encode`; the one in C does not ask.
        batch._builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, -1, 16_384)
        headers = [*envelope_of(world), (_OddName("odd"), b"x")]
        batch.append(key=b"case-0001", value=VALUE, timestamp=None, headers=headers)
        place = partition_of(b"case-0001", 3)
        await (await producer.send_batch(batch, world.country.topic, partition=place))
    finally:
        await producer.stop()
