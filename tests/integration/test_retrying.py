"""What becomes of an event whose handler fails, and of one that comes twice."""

import asyncio
from typing import Any

from bus import Ack, DeadLetter, DeliveryReceipt, Draft, Event, Reason, Retry
from tests.deliveries import QUICK, collect, has_reason, has_records
from tests.small_catalog import case
from tests.worlds import World, receipts, until


async def test_a_repeated_event_is_acknowledged_and_not_handled_again(world: World) -> None:
    """The same source and id a second time is a duplicate."""
    for number in (1, 1, 2):  # each from a process of its own, which knows of no other
        async with world.bus(world.country.north) as publisher:
            await publisher.publish(world.country.opened, case(number), id=f"row-{number}", version="1.0")
    seen = await collect(world, 2)
    assert [event.id for event in seen] == ["row-1", "row-2"]
    outcomes = [
        (row.outcome, row.reason) for row in await receipts(world) if isinstance(row, DeliveryReceipt)
    ]
    assert sorted(outcomes, key=str) == [("ack", "duplicate"), ("ack", None), ("ack", None)]


async def test_a_failing_event_is_tried_again_in_order(world: World) -> None:
    """Later events of the partition wait; the attempt is counted; the order holds."""
    seen: list[tuple[int, int]] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", retry=QUICK)
    async def flaky(event: Event[Any]) -> None:
        seen.append((event.data["number"], event.attempt))
        if event.data["number"] == 1 and event.attempt < 3:
            raise RuntimeError("not yet")

    publisher = world.bus(world.country.north)
    async with publisher, bus:
        await publisher.publish_many(world.country.opened, [case(1), case(2), case(3)], version="1.0")
        await until(lambda: len(seen) == 5)
    assert seen == [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)]
    assert await world.records(f"{world.country.south}.dead-letters") == []


async def test_one_partition_in_trouble_stops_no_other(world: World) -> None:
    """While one key is retried for long, keys of other partitions are handled."""
    seen: list[str] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def stuck(event: Event[Any]) -> Retry | None:
        if event.key == "stuck":
            return Retry(after_seconds=60)
        seen.append(event.key or "")
        return None

    publisher = world.bus(world.country.north)
    drafts = [Draft(case(1), key="stuck"), *(Draft(case(n), key=f"k{n}") for n in range(40))]
    async with publisher, bus:
        receipt, *others = await publisher.publish_many(world.country.opened, drafts, version="1.0")
        elsewhere = [found for found in others if found.partition != receipt.partition]
        assert elsewhere
        await until(lambda: len(seen) >= len(elsewhere))


async def test_an_exhausted_schedule_ends_in_the_dead_letters(world: World) -> None:
    """Two retries, then the original bytes with reason, stage, attempts and class of the error."""
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", retry=QUICK)
    async def broken(event: Event[Any]) -> None:
        raise KeyError("Ada Lovelace")

    publisher = world.bus(world.country.north)
    async with publisher, bus:
        await publisher.publish(world.country.opened, case(), version="1.0")
        (letter,) = await until(lambda: world.records(f"{world.country.south}.dead-letters"))
    why = {
        name.removeprefix("govbus-dead-letter-"): (value or b"").decode()
        for name, value in letter.headers
        if name.startswith("govbus-dead-letter-")
    }
    assert (why["reason"], why["stage"], why["attempts"]) == ("handler-failed", "handle", "3")
    assert why["error"] == "KeyError"
    assert "Ada" not in repr(letter.headers)
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    assert [(row.outcome, row.attempt) for row in rows] == [("retry", 1), ("retry", 2), ("dead-letter", 3)]


async def test_an_error_says_itself_whether_to_retry(world: World) -> None:
    """`retriable = False` goes straight to the dead letters with its reason; outcomes may be returned too."""

    class RejectedError(Exception):
        retriable = False
        reason = Reason.TARGET_REJECTED

    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def decide(event: Event[Any]) -> Ack | DeadLetter | None:
        match event.data["number"]:
            case 1:
                raise RejectedError
            case 2:
                return DeadLetter(Reason.UNTRANSLATABLE)
            case _:
                return Ack()

    publisher = world.bus(world.country.north)
    async with publisher, bus:
        await publisher.publish_many(world.country.opened, [case(1), case(2), case(3)], version="1.0")
        topic = f"{world.country.south}.dead-letters"
        await until(lambda: has_records(world, topic, 2))
    letters = await world.records(topic)
    reasons = [dict(letter.headers)["govbus-dead-letter-reason"] for letter in letters]
    assert reasons == [b"target-rejected", b"untranslatable"]


async def test_a_handler_that_hangs_is_interrupted(world: World) -> None:
    """It is retried as `handler-timeout` and blocks nothing for ever."""
    seen: list[int] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", retry=QUICK, timeout_seconds=0.2)
    async def hangs(event: Event[Any]) -> None:
        seen.append(event.attempt)
        if event.attempt == 1:
            await asyncio.sleep(3600)

    publisher = world.bus(world.country.north)
    async with publisher, bus:
        await publisher.publish(world.country.opened, case(), version="1.0")
        await until(lambda: len(seen) == 2)
        await until(lambda: has_reason(world, "handler-timeout"))
