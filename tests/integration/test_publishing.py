"""Publishing: what is refused, what is acknowledged, and what stands in the receipt."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import BaseModel

from bus import (
    BusError,
    ContractViolationError,
    Draft,
    EnvelopeError,
    EventTooLargeError,
    NotJsonError,
    PublishManyError,
    PublishReceipt,
    UsageError,
)
from contracts import UnknownContractError
from tests.small_catalog import case
from tests.worlds import World, receipts, running

NO_ZONE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)


async def test_a_published_event_lies_where_its_receipt_says(world: World) -> None:
    """The receipt names topic, partition, offset and broker time of the record that holds the event."""
    bus = world.bus(world.country.north)
    async with bus:
        receipt = await bus.publish(world.country.opened, case(), service="one-case", version="1.0")
    (record,) = await world.records(world.country.topic)
    assert (receipt.topic, receipt.partition, receipt.offset) == (
        record.topic,
        record.partition,
        record.offset,
    )
    assert receipt.broker_time.timestamp() * 1000 == record.timestamp
    assert record.key == b"case-0001"
    assert UUID(receipt.id).version == 7


async def test_attributes_follow_cloudevents_binary_mode(world: World) -> None:
    """Every attribute the design names is a `ce_` header, and the value is the data alone."""
    moment = datetime(2026, 2, 28, 23, 59, 59, 250_000, tzinfo=UTC)
    bus = world.bus(world.country.north)
    async with bus:
        receipt = await bus.publish(
            world.country.opened, case(), service="one-case", time=moment, version="1.0"
        )
    (record,) = await world.records(world.country.topic)
    headers = dict(record.headers)
    assert record.value == b'{"reference":"case-0001","number":1}'
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"] == receipt.id.encode()
    assert headers["ce_source"] == f"urn:govbus:{world.country.north}:main".encode()
    assert headers["ce_type"] == f"{world.country.opened}.v1".encode()
    assert headers["ce_time"] == b"2026-02-28T23:59:59.250000Z"
    assert headers["ce_dataschema"] == f"urn:govbus:contract:{world.country.opened}:1.0".encode()
    assert headers["ce_correlationid"] == receipt.transaction.encode()
    assert headers["ce_partitionkey"] == b"case-0001"
    assert headers["ce_service"] == b"one-case"
    assert headers["content-type"] == b"application/json"
    assert "ce_causationid" not in headers
    assert "ce_startedat" not in headers


async def test_every_violation_is_named_before_anything_is_sent(world: World) -> None:
    """A refused event leaves nothing in its topic, one refusal in the receipts, and quotes no value."""
    bus = world.bus(world.country.north)
    async with bus:
        with pytest.raises(ContractViolationError) as caught:
            await bus.publish(
                world.country.opened, {"reference": "Ada", "number": "Lovelace"}, key="k", version="1.0"
            )
    assert {violation.path for violation in caught.value.violations} == {"$.reference", "$.number"}
    assert "Ada" not in str(caught.value)
    assert "Lovelace" not in str(caught.value)
    assert await world.records(world.country.topic) == []
    (refusal,) = await receipts(world)
    assert isinstance(refusal, PublishReceipt)
    assert (refusal.outcome, refusal.reason, refusal.offset) == ("refused", "contract-violation", -1)


async def test_an_event_over_the_size_limit_is_refused_with_a_hint(world: World) -> None:
    """The message gives both sizes and says what to do instead."""
    bus = world.bus(world.country.north)
    async with bus:
        with pytest.raises(EventTooLargeError, match="dataref") as caught:
            await bus.publish(world.country.opened, case(padding="x" * 3000), version="1.0")
    assert caught.value.limit_bytes == 2048
    assert caught.value.size_bytes > 3000


async def test_what_is_checked_is_what_is_sent(world: World) -> None:
    """A NaN is null on the wire and judged as null; models and dataclasses are judged as their JSON."""

    @dataclass
    class Case:
        reference: str
        number: int

    class CaseModel(BaseModel):
        reference: str
        number: int

    bus = world.bus(world.country.north)
    async with bus:
        with pytest.raises(ContractViolationError):
            await bus.publish(world.country.opened, {**case(), "number": float("nan")}, version="1.0")
        await bus.publish(world.country.opened, case(half=float("nan")), version="1.0")
        await bus.publish(world.country.opened, Case("case-0001", 2), version="1.0")
        await bus.publish(world.country.opened, CaseModel(reference="case-0001", number=3), version="1.0")
    records = await world.records(world.country.topic)
    assert [record.value for record in records] == [
        b'{"reference":"case-0001","number":1,"half":null}',
        b'{"reference":"case-0001","number":2}',
        b'{"reference":"case-0001","number":3}',
    ]


@pytest.mark.parametrize("data", [{"reference": "case-0001", "number": {1, 2}}, {1: 2}])
async def test_data_that_json_cannot_hold_is_refused(world: World, data: object) -> None:
    """A set or a number as key never reaches the topic."""
    bus = world.bus(world.country.north)
    async with bus:
        with pytest.raises(NotJsonError):
            await bus.publish(world.country.opened, data, key="case-0001", version="1.0")


@pytest.mark.parametrize("wrong", [{"key": ""}, {"key": "k" * 300}, {"time": NO_ZONE}, {"id": "i" * 5000}])
async def test_an_attribute_that_may_not_travel_is_refused(world: World, wrong: dict[str, object]) -> None:
    """Empty or over-long text and times without a zone are named, and nothing is sent."""
    bus = world.bus(world.country.north)
    async with bus:
        with pytest.raises(EnvelopeError):
            await bus.publish(world.country.opened, case(), **wrong, version="1.0")  # type: ignore[arg-type]
    assert await world.records(world.country.topic) == []


async def test_an_agency_publishes_only_its_own_events(world: World) -> None:
    """Publishing for another agency, or an unknown event, is refused by name."""
    bus = world.bus(world.country.south)
    async with bus:
        with pytest.raises(UsageError, match="own domain"):
            await bus.publish(world.country.opened, case(), version="1.0")
        with pytest.raises(UnknownContractError):
            await bus.publish(f"{world.country.south}.case-clozed", case(), version="1.0")


async def test_many_events_are_pipelined_and_keep_their_order(world: World) -> None:
    """`publish_many` returns one receipt per event, in order, and offsets rise per key."""
    bus = world.bus(world.country.north)
    drafts = [Draft(case(number), key=f"key-{number % 7}") for number in range(2000)]
    async with bus:
        found = await bus.publish_many(world.country.opened, drafts, version="1.0")
    assert len({receipt.id for receipt in found}) == 2000
    for key in range(7):
        offsets = [receipt.offset for receipt in found[key::7]]
        assert offsets == sorted(offsets)
    rows = await receipts(world)
    assert len(rows) == 2000
    assert {row.event_id for row in rows} == {receipt.id for receipt in found}


async def test_a_refused_draft_stops_the_many_after_those_before_it(world: World) -> None:
    """What an iterable gave before the wrong one is published, as the error says; nothing after it."""
    bus = world.bus(world.country.north)
    items = [case(1), case(2), {"number": 3, "reference": "x"}, case(4)]
    async with bus:
        with pytest.raises(PublishManyError, match="index 2 failed; 2 of"):
            await bus.publish_many(world.country.opened, iter(items), version="1.0")
    values = [record.value for record in await world.records(world.country.topic)]
    assert values == [b'{"reference":"case-0001","number":1}', b'{"reference":"case-0001","number":2}']


async def test_futures_are_pipelined_and_bounded(world: World) -> None:
    """`submit` returns at once; past the limit it refuses and says what to do."""
    bus = world.bus(world.country.north, max_unacknowledged=5)
    async with bus:
        futures = [bus.submit(world.country.opened, case(number), version="1.0") for number in range(5)]
        with pytest.raises(BusError, match="Await earlier"):
            bus.submit(world.country.opened, case(6), version="1.0")
        found = await asyncio.gather(*futures)
    assert [receipt.offset for receipt in found] == [0, 1, 2, 3, 4]


async def test_a_named_version_is_used(world: World) -> None:
    """`version="1.0"` stamps and checks that version, not the latest."""
    bus = world.bus(world.country.north)
    async with bus:
        await bus.publish(world.country.opened, case(note="new in 1.1"), version="1.1")
        with pytest.raises(ContractViolationError):
            await bus.publish(world.country.opened, case(note="new in 1.1"), version="1.0")
    assert len(await world.records(world.country.topic)) == 1


async def test_stopping_sends_what_was_handed_over(world: World) -> None:
    """Events submitted just before the bus stops are on the broker when it has stopped."""
    bus = world.bus(world.country.north)
    stack = await running(bus)
    futures = [bus.submit(world.country.opened, case(number), version="1.0") for number in range(100)]
    await stack.aclose()
    assert all(future.done() for future in futures)
    assert len(await world.records(world.country.topic)) == 100
