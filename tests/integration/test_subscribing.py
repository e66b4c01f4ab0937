"""Subscribing: what a handler sees, how it is called, and what is committed."""

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from bus import DeliveryReceipt, Draft, Event, UsageError
from bus.deliver import subscriber
from tests.deliveries import collect, never
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS, World, receipts, running, until


async def test_a_handler_sees_the_event_with_its_attributes(world: World) -> None:
    """Data, attributes and place are those of the published event."""
    publisher = world.bus(world.country.north)
    async with publisher:
        receipt = await publisher.publish(world.country.opened, case(7), service="one-case", version="1.0")
    (event,) = await collect(world, 1)
    assert event.data == case(7)
    assert (event.id, event.transaction, event.service) == (receipt.id, receipt.transaction, "one-case")
    assert event.agency == world.country.north
    assert (event.version, event.key, event.attempt) == ("1.0", "case-0001", 1)
    assert (event.topic, event.partition, event.offset) == (receipt.topic, receipt.partition, receipt.offset)
    assert event.broker_time == event.started_at == receipt.broker_time
    assert event.causation is None


async def test_an_event_published_by_a_handler_continues_the_transaction(world: World) -> None:
    """Transaction, service and start go on; the cause is named."""
    north, south = world.bus(world.country.north), world.bus(world.country.south)
    ends: list[Event[Any]] = []

    @south.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def close(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, version="1.0")

    @north.subscribe(world.country.closed, version=1, purpose="tell-the-citizen")
    async def tell(event: Event[Any]) -> None:
        ends.append(event)

    async with north, south:
        receipt = await north.publish(world.country.opened, case(), service="one-case", version="1.0")
        await until(lambda: ends)
    (end,) = ends
    assert (end.transaction, end.service, end.causation) == (receipt.transaction, "one-case", receipt.id)
    assert end.started_at == receipt.broker_time


async def test_every_delivery_leaves_a_receipt_without_data(world: World) -> None:
    """Publish and delivery receipts name the same event, place and hash; none holds data."""
    publisher = world.bus(world.country.north)
    async with publisher:
        receipt = await publisher.publish(
            world.country.opened, case(padding="Zo\u00eb"), service="one-case", version="1.0"
        )
    await collect(world, 1)
    published, delivered = sorted(await receipts(world), key=lambda row: type(row).__name__, reverse=True)
    assert isinstance(delivered, DeliveryReceipt)
    assert (delivered.outcome, delivered.reason, delivered.attempt) == ("ack", None, 1)
    assert (delivered.agency, delivered.purpose) == (world.country.south, "close-cases")
    assert delivered.event_id == published.event_id == receipt.id
    assert delivered.data_hash == published.data_hash
    assert delivered.broker_time_us == published.broker_time_us
    assert delivered.broker_time_us - 50_000 <= delivered.received_us <= delivered.finished_us
    assert "Zo\u00eb" not in repr((published, delivered))


async def test_offsets_are_committed_once_receipts_are_written(world: World) -> None:
    """A stop leaves the group behind the last handled event; a restart handles nothing again."""
    publisher = world.bus(world.country.north)
    async with publisher:
        await publisher.publish_many(
            world.country.opened, [Draft(case(n), key=f"k{n}") for n in range(50)], version="1.0"
        )
    await collect(world, 50, name="closing")
    assert await world.committed(f"{world.country.south}.closing", world.country.topic) == 50
    async with publisher:
        await publisher.publish(world.country.opened, case(51), version="1.0")
    again = await collect(world, 1, name="closing")
    assert [event.data["number"] for event in again] == [51]


class CaseModel(BaseModel):
    """A case as a pydantic model."""

    reference: str
    number: int


@dataclass
class CaseData:
    """A case as a dataclass."""

    reference: str
    number: int


async def test_handlers_may_take_typed_models(world: World) -> None:
    """A model, a dataclass, a dict, `Event[Model]` and a plain function get what they ask for."""
    seen: dict[str, Any] = {}

    async def model(found: CaseModel) -> None:
        seen["model"] = found

    async def both(event: Event[Any], found: CaseData) -> None:
        seen["both"] = (event.key, found)

    async def typed_event(event: Event[CaseModel]) -> None:
        seen["typed_event"] = event.data

    async def plain_dict(found: dict[str, Any]) -> None:
        seen["plain_dict"] = found

    def in_a_thread(event: Event[Any]) -> None:
        seen["in_a_thread"] = threading.current_thread() is not threading.main_thread()

    bus, publisher = world.bus(world.country.south), world.bus(world.country.north)
    for handler in (model, both, typed_event, plain_dict, in_a_thread):
        bus.subscribe(world.country.opened, version=1, purpose="close-cases", name=handler.__name__)(handler)
    async with bus, publisher:
        await publisher.publish(world.country.opened, case(3), version="1.0")
        await until(lambda: len(seen) == 5)
    a_model = CaseModel(reference="case-0001", number=3)
    assert seen == {
        "model": a_model, "both": ("case-0001", CaseData("case-0001", 3)), "typed_event": a_model,
        "plain_dict": case(3), "in_a_thread": True,
    }  # fmt: skip


async def test_a_model_that_does_not_fit_is_a_dead_letter_without_values(world: World) -> None:
    """The operator reads which field the handler's model refuses, not what stood in it."""

    class Narrow(BaseModel):
        reference: int

    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def narrow(found: Narrow) -> None:
        raise AssertionError("never called")

    publisher = world.bus(world.country.north)
    async with bus, publisher:
        await publisher.publish(world.country.opened, case(), version="1.0")
        (letter,) = await until(lambda: world.records(f"{world.country.south}.dead-letters"))
    headers = dict(letter.headers)
    assert headers["govbus-dead-letter-reason"] == b"untranslatable"
    assert b"reference" in headers["govbus-dead-letter-detail"]
    assert b"case-0001" not in headers["govbus-dead-letter-detail"]


async def test_stopping_waits_for_the_handler_in_hand(world: World) -> None:
    """An event in the handler when the bus is told to stop is finished and committed."""
    begun, told = asyncio.Event(), asyncio.Event()
    done: list[int] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="slow")
    async def slow(event: Event[Any]) -> None:
        begun.set()
        await told.wait()
        done.append(event.data["number"])

    publisher = world.bus(world.country.north)
    async with publisher:
        await publisher.publish_many(world.country.opened, [case(1), case(2)], version="1.0")
        stack = await running(bus)
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        (subscriber,) = bus._subscribers
        stopping = asyncio.create_task(stack.aclose())
        await subscriber._stopping.wait()
        told.set()
        await stopping
    assert done == [1]
    assert await world.committed(f"{world.country.south}.slow", world.country.topic) == 1


async def test_stopping_abandons_a_handler_past_its_limit(world: World) -> None:
    """Only what was done is committed; the abandoned event comes again."""
    begun = asyncio.Event()
    bus = world.bus(world.country.south, stop_timeout_seconds=0.3)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="slow")
    async def endless(event: Event[Any]) -> None:
        if event.data["number"] == 2:
            begun.set()
            await asyncio.sleep(3600)

    publisher = world.bus(world.country.north)
    async with publisher:
        await publisher.publish_many(world.country.opened, [case(1), case(2)], version="1.0")
        stack = await running(bus)
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        await until(lambda: _has_committed(world, "slow", 1))  # the stop has little time for it
        await asyncio.wait_for(stack.aclose(), PATIENCE_SECONDS)
    assert await world.committed(f"{world.country.south}.slow", world.country.topic) == 1
    again = await collect(world, 1, name="slow")
    assert [event.data["number"] for event in again] == [2]


async def _has_committed(world: World, name: str, count: int) -> bool:
    return await world.committed(f"{world.country.south}.{name}", world.country.topic) == count


async def test_members_of_a_group_share_its_partitions(world: World) -> None:
    """Two members handle every event between them; when one leaves, the other goes on where it stopped."""
    seen: list[int] = []

    def member() -> Any:
        bus = world.bus(world.country.south)

        @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="shared")
        async def keep(event: Event[Any]) -> None:
            seen.append(event.data["number"])

        return bus

    publisher = world.bus(world.country.north)
    first, second = member(), member()
    async with publisher, first:
        await publisher.publish_many(
            world.country.opened, [Draft(case(n), key=f"k{n}") for n in range(60)], version="1.0"
        )
        stack = await running(second)
        await publisher.publish_many(
            world.country.opened, [Draft(case(n), key=f"k{n}") for n in range(60, 120)], version="1.0"
        )
        await until(lambda: set(seen) == set(range(120)))
        await stack.aclose()
        await publisher.publish_many(
            world.country.opened, [Draft(case(n), key=f"k{n}") for n in range(120, 180)], version="1.0"
        )
        await until(lambda: set(seen) == set(range(180)))
    assert len(seen) == 180


async def test_a_subscription_is_checked_when_it_is_made(world: World) -> None:
    """A doubled name, an empty purpose, an unclear parameter and a late subscription are named at once."""
    bus = world.bus(world.country.south)
    opened = world.country.opened
    bus.subscribe(opened, version=1, purpose="close-cases")(never)
    with pytest.raises(UsageError, match="name="):
        bus.subscribe(opened, version=1, purpose="close-cases")
    with pytest.raises(UsageError, match="purpose"):
        bus.subscribe(opened, version=1, purpose=" ", name="other")

    def unclear(first: dict[str, Any], second: dict[str, Any]) -> None:
        """Take two of the same."""

    with pytest.raises(UsageError, match="second"):
        bus.subscribe(opened, version=1, purpose="close-cases", name="other")(unclear)
    async with bus:
        with pytest.raises(UsageError, match="before the bus starts"):
            bus.subscribe(opened, version=1, purpose="close-cases", name="late")


async def test_a_stop_waits_for_no_record(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the loop of a subscription would wait for the next one."""
    monkeypatch.setattr(subscriber, "BRIEF_POLL_SECONDS", 3600.0)
    monkeypatch.setattr(subscriber, "IDLE_POLL_SECONDS", 3600.0)
    bus = world.bus(world.country.south, stop_timeout_seconds=3600.0)
    bus.subscribe(world.country.opened, version=1, purpose="close-cases")(never)
    await bus.start()
    (reading,) = bus._subscribers
    await until(lambda: reading._polling is not None)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await bus.stop()
