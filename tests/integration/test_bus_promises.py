"""Promises at their edges: receipts in an outage, odd handlers, what a kill may repeat."""

import asyncio
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest

from bus import (
    RECEIPTS_TOPICS,
    Bus,
    DeliveryReceipt,
    Event,
    PublishReceipt,
    RefusedError,
    Retry,
    RetryPolicy,
)
from tests.small_catalog import SmallCountry, case
from tests.worlds import PATIENCE_SECONDS, MemoryWorld, World, receipts, until

NO_RETRY = RetryPolicy(())
QUICK = RetryPolicy((0.01,), jitter=0)


@pytest.fixture
def memory_world(country: SmallCountry) -> MemoryWorld:
    """The small country in memory, whose broker a test can take away."""
    return MemoryWorld(country)


async def publish(world: World, *numbers: int) -> None:
    """Publish cases of one key."""
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(world.country.opened, [case(number) for number in numbers], version="1.0")


def subscribed(world: World, handler: Callable[..., Any], limits: dict[str, Any], **options: Any) -> Bus:
    """Return a bus with one subscription named `edge`."""
    bus = world.bus(world.country.south, **limits)
    bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="edge", **options)(handler)
    return bus


async def committed(world: World) -> int:
    """Return how many records the subscription has committed."""
    return await world.committed(f"{world.country.south}.edge", world.country.topic)


async def has_committed(world: World, count: int) -> bool:
    """Return whether that many records are committed."""
    return await committed(world) == count


async def handled_in_an_outage(world: MemoryWorld) -> Bus:
    """Return a running bus that handled three events whose receipts met an outage, now over."""
    seen: list[int] = []

    async def fell(event: Event[Any]) -> None:
        seen.append(event.data["number"])
        world.cluster.available = False

    await publish(world, 1, 2, 3)
    bus = subscribed(world, fell, {})
    await bus.start()
    await until(lambda: len(seen) == 3)
    await asyncio.sleep(0.3)  # longer than receipts linger and a commit waits
    world.cluster.available = True
    return bus


async def test_an_outage_between_handler_and_commit_loses_no_receipt(memory_world: MemoryWorld) -> None:
    """Receipts that the broker did not take are written before the offsets they speak of."""
    bus = await handled_in_an_outage(memory_world)
    await bus.stop()
    rows = [row for row in await receipts(memory_world) if isinstance(row, DeliveryReceipt)]
    assert await committed(memory_world) == 3
    assert sorted({row.offset for row in rows if row.outcome == "ack"}) == [0, 1, 2]


async def test_a_commit_that_failed_is_repeated_without_new_events(memory_world: MemoryWorld) -> None:
    """After an outage the positions are committed although nothing new arrives."""
    bus = await handled_in_an_outage(memory_world)
    try:
        await until(lambda: has_committed(memory_world, 3))
    finally:
        await bus.stop()


def holding_receipts(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Keep the bus' receipts from the broker until what is returned is called."""
    held: list[Any] = []
    send = bus._transport.send

    def hold(outgoing: Any) -> None:
        (held.append if RECEIPTS_TOPICS.match(outgoing.topic) else send)(outgoing)

    def let_go() -> None:
        monkeypatch.setattr(bus._transport, "send", send)
        for outgoing in held:
            send(outgoing)

    monkeypatch.setattr(bus._transport, "send", hold)
    return let_go


async def test_no_offset_is_committed_ahead_of_its_receipt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While receipts are on their way the position stands, however long that takes."""
    seen: list[int] = []

    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    bus = subscribed(world, keep, {"commit_interval_seconds": 0.01})
    async with bus:
        let_go = holding_receipts(bus, monkeypatch)
        await publish(world, 1, 2, 3)
        await until(lambda: len(seen) == 3)
        await asyncio.sleep(0.3)  # thirty times as long as a commit waits
        assert await committed(world) == 0
        let_go()
        await until(lambda: has_committed(world, 3))


async def test_a_publish_returns_after_its_receipt_is_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event alone on the broker is not yet an acknowledged event."""
    bus = world.bus(world.country.north)
    async with bus:
        let_go = holding_receipts(bus, monkeypatch)
        future = bus.submit(world.country.opened, case(1), version="1.0")
        await until(lambda: world.records(world.country.topic))
        await asyncio.sleep(0.1)  # longer than receipts linger
        assert not future.done()
        let_go()
        receipt = await future
    assert receipt.offset == 0


async def test_an_event_on_the_broker_has_its_receipt_even_if_it_had_to_wait(
    memory_world: MemoryWorld,
) -> None:
    """An outage between an event's acknowledgement and its receipt delays the receipt, and drops it never."""
    cluster = memory_world.cluster
    async with memory_world.bus(memory_world.country.north) as bus:
        future = bus.submit(memory_world.country.opened, case(1), version="1.0")
        await until(lambda: cluster.records(memory_world.country.topic))
        cluster.available = False
        await asyncio.sleep(0.1)  # longer than receipts linger
        cluster.available = True
        await asyncio.wait([future], timeout=PATIENCE_SECONDS)
        future.exception()
        await bus.publish(memory_world.country.opened, case(2), version="1.0")
    rows = [row for row in await receipts(memory_world) if isinstance(row, PublishReceipt)]
    assert {row.offset for row in rows} == {0, 1}


@pytest.mark.parametrize("retry", [NO_RETRY, RetryPolicy((), unavailable_forever=False)])
async def test_an_abandoned_event_is_never_a_dead_letter(world: World, retry: RetryPolicy) -> None:
    """That the process stopped is not the event's fault, however few retries it has: it comes again."""
    begun = asyncio.Event()

    async def endless(event: Event[Any]) -> None:
        begun.set()
        await asyncio.sleep(3600)

    await publish(world, 1)
    async with subscribed(world, endless, {"stop_timeout_seconds": 0.2}, retry=retry):
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
    assert await world.records(f"{world.country.south}.dead-letters") == []
    assert await committed(world) == 0


async def test_a_handler_that_catches_its_interruption_is_still_watched(world: World) -> None:
    """Swallowing one time-out does not switch off the limit for the events after it."""
    seen: list[tuple[int, int]] = []

    async def swallows(event: Event[Any]) -> None:
        seen.append((event.data["number"], event.attempt))
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if event.data["number"] == 2:
                raise

    await publish(world, 1, 2)
    bus = subscribed(world, swallows, {"stop_timeout_seconds": 0.2}, timeout_seconds=0.2, retry=QUICK)
    async with bus:
        await until(lambda: (2, 2) in seen)


@pytest.mark.filterwarnings(
    "ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning"
)
async def test_a_coroutine_behind_a_plain_wrapper_is_awaited(world: World) -> None:
    """A decorator that is a plain function does not turn handling into a shrug."""
    seen: list[int] = []

    def logged(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def inner(*positional: Any, **named: Any) -> Any:
            return function(*positional, **named)

        return inner

    @logged
    async def keep(event: Event[Any]) -> None:
        await asyncio.sleep(0)
        seen.append(event.data["number"])

    await publish(world, 1)
    async with subscribed(world, keep, {}):
        await until(lambda: has_committed(world, 1))
    assert seen == [1]


@pytest.mark.parametrize(
    "kind",
    [
        "plain",
        "coroutine",
    ],
)
async def test_a_partial_is_a_handler_like_its_function(world: World, kind: str) -> None:
    """`functools.partial` binds an argument and changes nothing else, the typed model included."""
    seen: list[int] = []

    def plain(store: list[int], event: Event[Any]) -> None:
        store.append(event.data["number"])

    async def coroutine(store: list[int], event: Event[Any]) -> None:
        store.append(event.data["number"])

    await publish(world, 1)
    async with subscribed(
        world, partial({"plain": plain, "coroutine": coroutine}[kind], seen), {}, retry=QUICK
    ):
        await until(lambda: has_committed(world, 1))
    assert seen == [1]
    assert await world.records(f"{world.country.south}.dead-letters") == []


async def test_never_more_is_uncommitted_than_the_limit(memory_world: MemoryWorld) -> None:
    """What a kill would repeat stays within `max_uncommitted`, whatever `max_poll_records` says."""
    worst: list[int] = [0]
    handled: list[int] = []
    group = f"{memory_world.country.south}.edge"

    async def count(event: Event[Any]) -> None:
        handled.append(event.offset)
        worst[0] = max(worst[0], len(handled) - sum(memory_world.cluster.committed(group).values()))

    await publish(memory_world, *range(3000))
    async with subscribed(memory_world, count, {"max_uncommitted": 100}):
        await until(lambda: len(handled) == 3000)
    assert worst[0] <= 100


async def test_a_slow_handler_commits_as_it_goes(memory_world: MemoryWorld) -> None:
    """Offsets follow within `commit_interval_seconds`, not at the end of a batch of 500."""
    handled: list[int] = []

    async def slow(event: Event[Any]) -> None:
        await asyncio.sleep(0.02)
        handled.append(event.offset)

    await publish(memory_world, *range(400))
    async with subscribed(memory_world, slow, {}):
        await until(lambda: len(handled) >= 100)
        behind = len(handled) - await committed(memory_world)
    assert behind <= 20


async def test_a_retry_without_end_does_not_delay_the_stop(world: World) -> None:
    """An event that waits for its next attempt is no event in hand; its wait goes on elsewhere."""
    seen: list[int] = []

    async def later(event: Event[Any]) -> Retry:
        seen.append(event.attempt)
        return Retry(after_seconds=3600)

    await publish(world, 1)
    bus = subscribed(world, later, {"stop_timeout_seconds": 3600.0})
    await bus.start()
    await until(lambda: seen)
    await asyncio.wait_for(bus.stop(), PATIENCE_SECONDS)
    assert await committed(world) == 1
    (row,) = await world.records(f"{world.country.south}.parked")
    assert (row.value or b"").startswith(b"{")


@pytest.mark.parametrize("name", ["id", "key", "transaction", "service", "ce_subject"])
async def test_text_that_is_not_utf_8_is_refused(world: World, name: str) -> None:
    """A lone surrogate is named as an envelope fault, and the bus publishes on."""
    async with world.bus(world.country.north) as bus:
        with pytest.raises(RefusedError):
            await bus.publish(world.country.opened, case(1), **{name: "\ud800"}, version="1.0")  # type: ignore[arg-type]
        await asyncio.wait_for(bus.publish(world.country.opened, case(2), version="1.0"), PATIENCE_SECONDS)


async def test_a_refusal_with_a_bad_id_does_not_stop_the_receipts(memory_world: MemoryWorld) -> None:
    """Bad data under a bad id is refused, and the receipts of others still come through."""
    opened = memory_world.country.opened
    bus = memory_world.bus(memory_world.country.north, publish_timeout_seconds=2.0)
    await bus.start()
    with pytest.raises(RefusedError):
        await bus.publish(opened, {"no": 1}, key="k", id="\ud800", transaction="t-1", version="1.0")
    await bus.publish(opened, case(2), transaction="t-1", version="1.0")
    await asyncio.wait_for(bus.stop(), PATIENCE_SECONDS)
