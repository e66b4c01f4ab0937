"""What becomes of records that no bus of ours has written."""

from typing import Any

import pytest

from bus import DeliveryReceipt, Event, Reason
from tests.deliveries import collect, envelope_of, never
from tests.small_catalog import case
from tests.worlds import World, receipts, until

FOREIGN: list[tuple[str, dict[str, bytes | None], bytes | None, Reason]] = [
    ("tombstone", {}, None, Reason.TOMBSTONE),
    ("not JSON", {}, b"\xff\xfe{", Reason.NOT_JSON),
    ("broken JSON", {}, b'{"reference": ', Reason.NOT_JSON),
    ("broken contract", {}, b'{"reference":"x"}', Reason.CONTRACT_VIOLATION),
    ("too large", {}, b'{"padding":"' + b"x" * 3000 + b'"}', Reason.TOO_LARGE),
    ("unknown type", {"ce_type": b"somebody.else.v1"}, b"{}", Reason.UNKNOWN_TYPE),
    ("unknown version", {"ce_dataschema": b"urn:govbus:contract:x:9.9"}, b"{}", Reason.UNKNOWN_VERSION),
    ("null attribute", {"ce_id": None}, b"{}", Reason.MALFORMED_ENVELOPE),
    ("binary attribute", {"ce_source": b"\xff\xfe"}, b"{}", Reason.MALFORMED_ENVELOPE),
    ("empty attribute", {"ce_id": b""}, b"{}", Reason.MALFORMED_ENVELOPE),
    ("empty optional attribute", {"ce_subject": b""}, b"{}", Reason.MALFORMED_ENVELOPE),
    ("week date", {"ce_time": b"2026-W10-1T12:00:00Z"}, b"{}", Reason.MALFORMED_ENVELOPE),
    ("control character", {"ce_subject": b"case\n"}, b"{}", Reason.MALFORMED_ENVELOPE),
    ("source that is no URI", {"ce_source": b"civil registry"}, b"{}", Reason.MALFORMED_ENVELOPE),
    ("later specification", {"ce_specversion": b"2.0"}, b"{}", Reason.MALFORMED_ENVELOPE),
]


@pytest.mark.parametrize(
    ("changes", "value", "reason"), [row[1:] for row in FOREIGN], ids=[row[0] for row in FOREIGN]
)
async def test_a_foreign_record_that_is_no_event_is_a_dead_letter(
    world: World, changes: dict[str, bytes | None], value: bytes | None, reason: Reason
) -> None:
    """Original bytes and headers lie in the dead letters, and the next event is handled."""
    headers = envelope_of(world, **changes)
    await world.append(world.country.topic, value, key=b"case-0001", headers=headers)
    publisher = world.bus(world.country.north)
    async with publisher:
        await publisher.publish(world.country.opened, case(2), version="1.0")
    (event,) = await collect(world, 1)
    assert event.data["number"] == 2
    (letter,) = await world.records(f"{world.country.south}.dead-letters")
    assert (letter.key, letter.value) == (b"case-0001", value)
    assert list(letter.headers)[: len(headers)] == headers
    why = dict(letter.headers)
    assert why["govbus-dead-letter-reason"] == reason.value.encode()
    assert why["govbus-dead-letter-topic"] == world.country.topic.encode()
    assert why["govbus-dead-letter-attempts"] == b"1"
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    assert sorted((row.outcome, row.reason) for row in rows) == [("ack", None), ("dead-letter", reason.value)]


async def test_no_headers_at_all_is_a_malformed_envelope(world: World) -> None:
    """A bare JSON record from a foreign producer is set aside, not guessed at."""
    await world.append(world.country.topic, b'{"reference":"case-0001","number":1}')
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def never(event: Event[Any]) -> None:
        raise AssertionError("never called")

    async with bus:
        (letter,) = await until(lambda: world.records(f"{world.country.south}.dead-letters"))
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"malformed-envelope"


async def test_odd_headers_that_are_no_attributes_travel_on(world: World) -> None:
    """Null, binary and doubled headers of a foreign producer reach the handler as they are."""
    odd: list[tuple[str, bytes | None]] = [
        ("trace", None), ("blob", b"\xff\x00"), ("twice", b"1"), ("twice", b"2"), ("traceparent", b"\xfe"),
    ]  # fmt: skip
    value = b'{"reference":"case-0001","number":1}'
    await world.append(world.country.topic, value, headers=envelope_of(world) + odd)
    (event,) = await collect(world, 1)
    assert list(event.headers)[-5:] == odd
    assert event.data == case(1)


async def test_a_doubled_attribute_is_malformed(world: World) -> None:
    """Two `ce_id` headers leave open which event it is."""
    headers = [*envelope_of(world), ("ce_id", b"another")]
    await world.append(world.country.topic, b'{"reference":"case-0001","number":1}', headers=headers)
    bus = world.bus(world.country.south)
    bus.subscribe(world.country.opened, version=1, purpose="close-cases")(never)
    async with bus:
        (letter,) = await until(lambda: world.records(f"{world.country.south}.dead-letters"))
    assert dict(letter.headers)["govbus-dead-letter-reason"] == b"malformed-envelope"


async def test_structured_mode_is_read_too(world: World) -> None:
    """A foreign producer may send the whole CloudEvent as JSON (Kafka binding, section 3.3)."""
    body = (
        b'{"specversion":"1.0","id":"s-1","source":"urn:example:foreign","type":"'
        + f"{world.country.opened}.v1".encode()
        + b'","data":{"reference":"case-0001","number":5}}'
    )
    headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    await world.append(world.country.topic, body, headers=headers)
    (event,) = await collect(world, 1)
    assert (event.id, event.data) == ("s-1", case(5))
