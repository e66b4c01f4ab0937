"""Publishing inside a handler: a repeat is the same event, and nothing of it is forgotten when it counts."""

import asyncio
import gc
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bus import (
    Bus,
    BusUnavailableError,
    DeliveryReceipt,
    Draft,
    Event,
    EventTooLargeError,
    PublishReceipt,
    Reason,
    RetryPolicy,
    TopicPartition,
    UsageError,
)
from bus.caused import CausedEvents
from bus.errors import BusError
from bus.publish import in_handler
from bus.replay.replay import ReplayRequest, replay
from bus.testing import InMemoryBus, _Member, _MemoryTransport
from bus.transport import Outgoing
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld, until

QUICK = RetryPolicy((0.01,) * 3, jitter=0)
Handler = Callable[[Event[Any]], Any]


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    """A small country in memory."""
    return MemoryWorld(SmallCountry(tmp_path / "catalog"))


class Gate:
    """Holds the records of some topics on their way to the broker, or lets them fail there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shut: tuple[str, ...] = ()
        self.error: BusError | None = None
        self.held: list[tuple[_MemoryTransport, Outgoing]] = []
        self._land = _MemoryTransport._land

        def land(transport: _MemoryTransport, outgoing: Outgoing) -> None:
            if not outgoing.topic.startswith(self.shut or "-"):
                self._land(transport, outgoing)
            elif self.error is not None:
                transport.unacknowledged -= 1
                outgoing.failed(self.error)
            else:
                self.held.append((transport, outgoing))

        monkeypatch.setattr(_MemoryTransport, "_land", land)

    def open(self) -> None:
        """Let through what is held, and what comes."""
        held, self.held, self.shut = self.held, [], ()
        for transport, outgoing in held:
            self._land(transport, outgoing)


class Lost:
    """Lets no commit through while `on`: whoever comes next begins where the last commit was."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = True
        original = _Member.commit

        async def commit(member: _Member, positions: Mapping[TopicPartition, int]) -> None:
            if self.on and member.group.endswith(".close"):
                raise BusUnavailableError("no broker answers")
            await original(member, positions)

        monkeypatch.setattr(_Member, "commit", commit)


def subscribed(world: MemoryWorld, handler: Handler, **options: Any) -> InMemoryBus:
    """Return a bus of the south whose subscription `close` has this handler."""
    limits = options.pop("limits", {})
    bus = world.bus(world.country.south, commit_interval_seconds=0.01, stop_timeout_seconds=1.0, **limits)
    bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name="close", **{"retry": QUICK, **options}
    )(handler)
    assert isinstance(bus, InMemoryBus)
    return bus


async def publish(world: MemoryWorld, *numbers: int) -> None:
    """Open cases."""
    async with world.bus(world.country.north) as bus:
        drafts = [Draft(case(number), id=f"case-{number}", key=f"k{number}") for number in numbers]
        await bus.publish_many(world.country.opened, drafts, version="1.0")


def closed(world: MemoryWorld) -> list[tuple[str, bytes]]:
    """Return id and data of every event that the south has published."""
    records = world.cluster.records(f"{world.country.south}.case-closed.v1")
    return [((dict(record.headers)["ce_id"] or b"").decode(), record.value or b"") for record in records]


def ids(world: MemoryWorld) -> Counter[str]:
    """Return how often each id is on the bus."""
    return Counter(event_id for event_id, _ in closed(world))


def published(world: MemoryWorld) -> list[str]:
    """Return the ids in the receipts of what the south has published."""
    rows = [row for row in world.cluster.receipts() if isinstance(row, PublishReceipt)]
    return [row.event_id for row in rows if row.agency == world.country.south and row.outcome == "published"]


def outcomes(world: MemoryWorld) -> list[tuple[str, str | None]]:
    """Return outcome and reason of each delivery."""
    rows = [row for row in world.cluster.receipts() if isinstance(row, DeliveryReceipt)]
    return [(row.outcome, row.reason) for row in rows]


async def committed(world: MemoryWorld, count: int = 1) -> bool:
    """Return whether so many events count as handled."""
    return await world.committed(f"{world.country.south}.close", world.country.topic) >= count


async def run_twice(
    world: MemoryWorld, lost: Lost, first: Handler, second: Handler | None = None, **options: Any
) -> None:
    """Let a handler have all events, as if it were killed before the commit; then again, or another one."""
    for handler, is_lost in ((first, True), (second or first, False)):
        lost.on, handled = is_lost, asyncio.Event()

        async def counted(
            event: Event[Any], handler: Handler = handler, handled: asyncio.Event = handled
        ) -> None:
            await handler(event)
            handled.set()

        async with subscribed(world, counted, **options):
            await handled.wait()
            if not is_lost:
                await until(lambda: committed(world))


async def test_a_handler_that_is_repeated_publishes_the_same_event(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a kill it is on the bus twice, under one id and with one content."""

    async def close(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, version="1.0")

    await publish(world, 1)
    await run_twice(world, Lost(monkeypatch), close)
    assert list(ids(world).values()) == [2]
    assert len(set(closed(world))) == 1


async def test_an_attempt_whose_transaction_is_aborted_has_published_the_same_event(
    world: MemoryWorld,
) -> None:
    """Under exactly once each attempt names the event alike; readers see it once."""
    named = []

    async def close(event: Event[Any]) -> None:
        named.append((await event.publish(world.country.closed, event.data, version="1.0")).id)
        if event.attempt < 3:
            raise RuntimeError

    await publish(world, 1)
    async with subscribed(world, close, exactly_once=True):
        await until(lambda: len(named) == 3)
        await until(lambda: closed(world))
    assert ids(world) == {named[0]: 1}
    assert len(set(named)) == 1


async def test_a_replay_publishes_the_same_event(world: MemoryWorld) -> None:
    """It reads for a subscription of its own, in the name of the one that is replayed."""

    async def close(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, version="1.0")

    since = datetime.now(UTC) - timedelta(seconds=1)
    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: committed(world))
    asked = ReplayRequest("r1", since, datetime.now(UTC) + timedelta(days=1), "mae", "joe", "lost", 1_000.0)
    assert await replay(subscribed(world, close), "close", asked) == 1
    assert list(ids(world).values()) == [2]


async def test_another_attempt_in_the_same_process_publishes_nothing_again(world: MemoryWorld) -> None:
    """The bus knows the id, and returns the first receipt."""
    receipts = []

    async def close(event: Event[Any]) -> None:
        receipts.append(await event.publish(world.country.closed, event.data, version="1.0"))
        if event.attempt < 3:
            raise RuntimeError

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: len(receipts) == 3)
        await until(lambda: committed(world))
    assert len(closed(world)) == 1
    assert receipts == [receipts[0]] * 3


async def test_equal_data_twice_is_two_events_and_again_the_same_two(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ordinal tells them apart, in whichever call they are published."""

    async def close(event: Event[Any]) -> None:
        await event.publish(world.country.closed, case(7), version="1.0")
        await event.publish(world.country.closed, case(7), version="1.0")

    async def at_once(event: Event[Any]) -> None:
        assert isinstance(event.bus, in_handler.HandlerPublishing)
        await event.bus.publish_many(world.country.closed, [case(7), case(7)], version="1.0", cause=event)

    await publish(world, 1)
    await run_twice(world, Lost(monkeypatch), close, at_once)
    assert list(ids(world).values()) == [2, 2]


async def test_the_order_of_tasks_does_not_matter(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks of one handler publish in another order each time; each event keeps its id."""

    async def close(event: Event[Any]) -> None:
        numbers = [1, 2, 2, 3, 3, 3]
        random.shuffle(numbers)
        async with asyncio.TaskGroup() as tasks:
            for number in numbers:
                options: Any = {"key": random.choice(("a", "b"))} if number == 4 else {}
                tasks.create_task(event.publish(world.country.closed, case(number), version="1.0", **options))
            for key in random.sample(("a", "b", "c"), 3):
                tasks.create_task(event.publish(world.country.closed, case(9), version="1.0", key=key))

    await publish(world, 1)
    await run_twice(world, Lost(monkeypatch), close)
    assert sorted(ids(world).values()) == [2] * 9
    by_id: dict[str, set[tuple[bytes | None, bytes | None]]] = {}
    for record in world.cluster.records(f"{world.country.south}.case-closed.v1"):
        name = (dict(record.headers)["ce_id"] or b"").decode()
        by_id.setdefault(name, set()).add((record.key, record.value))
    assert all(len(alike) == 1 for alike in by_id.values())


async def test_a_changed_handler_publishes_again_under_the_same_id_what_it_did_before(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something new ahead of it does not shift it; `time` does not matter, other data does."""

    async def before(event: Event[Any]) -> None:
        await event.publish(world.country.closed, case(7), version="1.0")

    async def after(event: Event[Any]) -> None:
        await event.publish(world.country.closed, case(8), version="1.0")
        await event.publish(world.country.closed, case(7), version="1.0", time=event.broker_time)

    await publish(world, 1)
    await run_twice(world, Lost(monkeypatch), before, after)
    assert sorted(ids(world).values()) == [1, 2]


async def test_another_subscription_publishes_another_event(world: MemoryWorld) -> None:
    """Two handlers of an agency that say the same of one event have both said it."""
    bus = world.bus(world.country.south)
    for name in ("one", "two"):

        @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name=name)
        async def close(event: Event[Any]) -> None:
            await event.publish(world.country.closed, case(7), version="1.0")

    await publish(world, 1)
    async with bus:
        await until(lambda: len(closed(world)) == 2)
    assert len(ids(world)) == 2


async def test_a_publish_that_failed_and_is_tried_again_in_the_handler_is_one_event(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it failed at the broker, or the handler gave it up."""
    gate = Gate(monkeypatch)
    gate.shut, gate.error = (world.country.south + ".case",), BusUnavailableError("no broker answers")
    found = []

    async def close(event: Event[Any]) -> None:
        with pytest.raises(BusUnavailableError):
            await event.publish(world.country.closed, case(7), version="1.0")
        gate.error = None
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(event.publish(world.country.closed, case(7), version="1.0"), 0.01)
        gate.open()
        found.append(await event.publish(world.country.closed, case(7), version="1.0"))

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: committed(world))
    assert closed(world) == [(found[0].id, closed(world)[0][1])]
    assert outcomes(world) == [("ack", None)]


async def test_a_publish_returns_ahead_of_its_receipt_and_the_offset_does_not(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The receipt is on the broker before the offset of the cause is committed."""
    gate, done = Gate(monkeypatch), asyncio.Event()
    await publish(world, 1)

    async def close(event: Event[Any]) -> None:
        gate.shut = (f"{world.country.south}.receipts",)
        receipt = await event.publish(world.country.closed, event.data, version="1.0")
        assert receipt.offset == 0
        done.set()

    async with subscribed(world, close):
        await done.wait()
        await until(lambda: gate.held)
        await asyncio.sleep(0.05)
        assert not await committed(world)
        gate.open()
        await until(lambda: committed(world))
        assert published(world) == list(ids(world))


async def test_a_receipt_does_not_wait_for_the_end_of_a_long_handler(world: MemoryWorld) -> None:
    """A handler that goes on after it has published hides nothing from the monitor."""
    may_end = asyncio.Event()

    async def close(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, version="1.0")
        await may_end.wait()

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: published(world))
        may_end.set()


async def test_submit_returns_at_once_and_the_handling_waits(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was submitted is on the broker, with its receipt, before the offset of the cause."""
    gate, returned = Gate(monkeypatch), asyncio.Event()
    gate.shut = (f"{world.country.south}.case",)

    async def close(event: Event[Any]) -> None:
        event.submit(world.country.closed, case(7), version="1.0")
        await event.submit(world.country.closed, case(8), version="1.0")
        returned.set()

    await publish(world, 1)
    async with subscribed(world, close):
        await returned.wait()
        await asyncio.sleep(0.05)
        assert (outcomes(world), await committed(world)) == ([], False)
        gate.open()
        await until(lambda: committed(world))
        assert sorted(published(world)) == sorted(ids(world))
    assert len(closed(world)) == 2


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_submit_publishes_in_either_guarantee(world: MemoryWorld, exactly_once: bool) -> None:
    """In a transaction it is part of it."""

    async def close(event: Event[Any]) -> None:
        event.submit(world.country.closed, event.data, version="1.0", key=event.key)

    await publish(world, 1, 2, 3)
    async with subscribed(world, close, exactly_once=exactly_once):
        await until(lambda: committed(world, 3))
    assert list(ids(world).values()) == [1, 1, 1]
    assert sorted(published(world)) == sorted(ids(world))


async def test_a_submitted_event_that_is_wrong_is_a_dead_letter_of_its_cause(world: MemoryWorld) -> None:
    """It is refused where it is submitted, as `event.publish` refuses it."""

    async def close(event: Event[Any]) -> None:
        event.submit(world.country.closed, {"number": "x"}, version="1.0")

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: committed(world))
    assert outcomes(world) == [("dead-letter", "contract-violation")]


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (BusUnavailableError("no broker answers"), ("retry", "bus-unavailable")),
        (EventTooLargeError("south.case-closed 1.0", 9, 8), ("dead-letter", "too-large")),
    ],
)
async def test_a_submitted_event_that_fails_fails_the_handling(
    world: MemoryWorld,
    monkeypatch: pytest.MonkeyPatch,
    error: BusError,
    outcome: tuple[str, str],
    raises: bool,
) -> None:
    """As an outage, or as a dead letter; an error of the handler's own comes first."""
    gate = Gate(monkeypatch)
    gate.shut, gate.error = (f"{world.country.south}.case",), error

    async def close(event: Event[Any]) -> None:
        event.submit(world.country.closed, case(7), version="1.0")
        if raises and event.attempt == 1:
            raise RuntimeError

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: len(outcomes(world)) >= 1 + raises)
        gate.open()
        await until(lambda: outcomes(world)[-1][0] in {"ack", "dead-letter"})
    expected = [("retry", "handler-failed"), outcome] if raises else [outcome]
    assert outcomes(world)[: len(expected)] == expected
    assert len(closed(world)) == (1 if outcome[0] == "retry" else 0)


async def test_what_nobody_acknowledges_fails_the_handling_in_time(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an outage, after `publish_timeout_seconds`; then the event is the same again."""
    gate = Gate(monkeypatch)
    gate.shut = (f"{world.country.south}.case",)

    async def close(event: Event[Any]) -> None:
        event.submit(world.country.closed, case(7), version="1.0")

    await publish(world, 1)
    async with subscribed(world, close, limits={"publish_timeout_seconds": 0.05}):
        await until(lambda: outcomes(world))
        assert outcomes(world)[0] == ("retry", "bus-unavailable")
        gate.open()
        await until(lambda: committed(world))
    assert len(ids(world)) == 1


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_what_an_event_has_published_goes_with_it(world: MemoryWorld, exactly_once: bool) -> None:
    """The ids of events are remembered, nothing of their handling is, and no collector must search for it."""
    alive: list[int] = []

    async def close(event: Event[Any]) -> None:
        await event.publish(world.country.closed, case(7), version="1.0")
        alive.append(sum(isinstance(one, CausedEvents) for one in gc.get_objects()))

    await publish(world, *range(1, 21))
    gc.collect()
    gc.disable()
    try:
        async with subscribed(world, close, exactly_once=exactly_once, concurrency=1):
            await until(lambda: len(alive) == 20)
    finally:
        gc.enable()
    # One more: the timer of all waits has the context of the handling that began it.
    assert alive[-1] <= alive[0] + 1


FORGOTTEN: dict[str, Callable[[Bus, SmallCountry, Event[Any]], Any]] = {
    "event.publish": lambda _, country, event: event.publish(country.closed, case(7), version="1.0"),
    "bus.publish": lambda bus, country, _: bus.publish(country.closed, case(7), version="1.0"),
    "bus.publish, with a cause": lambda bus, country, event: bus.publish(
        country.closed, case(7), version="1.0", cause=event
    ),
    "bus.publish_many": lambda bus, country, _: bus.publish_many(country.closed, [case(7)], version="1.0"),
    "bus.dead_letter": lambda bus, *_: bus.dead_letter(b"row", reason=Reason.NOT_JSON, stage="read"),
    "table.put": lambda bus, country, _: bus.table(f"{country.south}.checkpoints").put("a", b"1"),
}


@pytest.mark.parametrize(("plain", "exactly_once"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("call", FORGOTTEN)
async def test_a_publish_that_is_not_awaited_is_told(
    world: MemoryWorld, call: str, plain: bool, exactly_once: bool
) -> None:
    """Nothing was published: the event is a dead letter at once, which names the line."""

    async def close(event: Event[Any]) -> None:
        FORGOTTEN[call](bus, world.country, event)

    def close_in_thread(event: Event[Any]) -> None:
        FORGOTTEN[call](bus, world.country, event)

    await publish(world, 1)
    bus = subscribed(world, close_in_thread if plain else close, exactly_once=exactly_once)
    async with bus:
        await until(lambda: outcomes(world))
    assert outcomes(world) == [("dead-letter", "handler-failed")]
    assert closed(world) == []
    (letter,) = world.cluster.records(f"{world.country.south}.dead-letters")
    detail = (dict(letter.headers)["govbus-dead-letter-detail"] or b"").decode()
    name = re.split(r"[.,]", call)[1]
    assert f"await {name}(...)" in detail
    assert re.search(r"at `<lambda>`, test_in_handler\.py:\d+", detail)


async def test_a_transaction_that_is_not_awaited_is_told(world: MemoryWorld) -> None:
    """Its transaction is not committed without it: all of its events are there, or none."""

    async def close(_: Event[Any]) -> None:
        async with bus.transaction() as transaction:
            await transaction.publish(world.country.closed, case(6), version="1.0")
            transaction.publish(world.country.closed, case(7), version="1.0")  # type: ignore[unused-coroutine]

    await publish(world, 1)
    bus = subscribed(world, close)
    async with bus:
        await until(lambda: outcomes(world))
    assert outcomes(world) == [("dead-letter", "handler-failed")]
    assert closed(world) == []


async def test_a_task_that_publishes_begins_before_it_is_missed(world: MemoryWorld) -> None:
    """A handler may return before the task that it has made has begun."""
    tasks = set[asyncio.Task[Any]]()

    async def close(event: Event[Any]) -> None:
        tasks.add(asyncio.create_task(event.publish(world.country.closed, case(7), version="1.0")))

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: outcomes(world))
    assert [outcome for outcome, _ in outcomes(world)] == ["ack"]
    assert len(closed(world)) == 1


async def test_a_publish_that_the_handler_left_behind_counts_too(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that outlives the handler has no one else who would see its error."""
    gate, tasks = Gate(monkeypatch), set[asyncio.Task[Any]]()
    gate.shut = (f"{world.country.south}.case",)

    async def close(event: Event[Any]) -> None:
        tasks.add(asyncio.create_task(event.publish(world.country.closed, case(7), version="1.0")))
        await asyncio.sleep(0)

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: gate.held)
        await asyncio.sleep(0.05)
        assert not await committed(world)
        gate.error = BusUnavailableError("no broker answers")
        held, gate.held = gate.held, []
        for transport, outgoing in held:
            transport.unacknowledged -= 1
            outgoing.failed(gate.error)
        await until(lambda: outcomes(world))
        assert outcomes(world)[0] == ("retry", "bus-unavailable")
        gate.error = None
        gate.open()
        await until(lambda: committed(world))
    await asyncio.wait(tasks)
    assert [type(task.exception()) for task in tasks].count(BusUnavailableError) >= 1


LEFT_BEHIND: dict[str, Callable[[Bus, SmallCountry], asyncio.Future[Any]]] = {
    "publish": lambda bus, country: asyncio.create_task(bus.publish(country.closed, case(7), version="1.0")),
    "publish_many": lambda bus, country: asyncio.create_task(
        bus.publish_many(country.closed, [case(7)], version="1.0")
    ),
    "submit": lambda bus, country: bus.submit(country.closed, case(7), version="1.0"),
}


@pytest.mark.parametrize("exactly_once", [False, True])
@pytest.mark.parametrize("form", LEFT_BEHIND)
async def test_what_a_handler_publishes_by_its_bus_and_leaves_behind_counts_too(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, form: str, exactly_once: bool
) -> None:
    """A kill would else lose it: its event counts as handled once the broker has what it led to."""
    gate, left = Gate(monkeypatch), list[asyncio.Future[Any]]()

    async def close(_: Event[Any]) -> None:
        gate.shut = (f"{world.country.south}.case",) if not left else ()
        left.append(LEFT_BEHIND[form](bus, world.country))

    await publish(world, 1)
    bus = subscribed(world, close, exactly_once=exactly_once)
    async with bus:
        await until(lambda: gate.held)
        await asyncio.sleep(0.05)
        assert not await committed(world)
        held, gate.held = gate.held, []
        for transport, outgoing in held:
            transport.unacknowledged -= 1
            outgoing.failed(BusUnavailableError("no broker answers"))
        await until(lambda: committed(world))
    assert [outcome for outcome, _ in outcomes(world)] == ["retry", "ack"]
    assert len(closed(world)) == 1
    results = await asyncio.gather(*left, return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [True, False]


async def test_a_plain_handler_cannot_submit_and_is_told(world: MemoryWorld) -> None:
    """It runs in a thread, where nothing may be sent: its event is a dead letter, nothing is published."""

    def close(event: Event[Any]) -> None:
        event.submit(world.country.closed, case(7), version="1.0")

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: committed(world))
    (letter,) = world.cluster.records(f"{world.country.south}.dead-letters")
    assert b"runs in a thread" in (dict(letter.headers)["govbus-dead-letter-detail"] or b"")
    assert closed(world) == []


async def test_submit_waits_for_room_when_it_is_awaited(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long loop goes on as the broker does; without `await` the limit of the process holds."""
    monkeypatch.setattr(in_handler, "SUBMITTED_EVENTS", 4)
    gate, sent = Gate(monkeypatch), list[int]()
    gate.shut = (f"{world.country.south}.case",)

    async def close(event: Event[Any]) -> None:
        for number in range(6):
            await event.submit(world.country.closed, case(number), version="1.0")
            sent.append(number)

    await publish(world, 1)
    async with subscribed(world, close):
        await until(lambda: len(gate.held) == 4)
        await asyncio.sleep(0.02)
        assert sent == [0, 1, 2]
        gate.open()
        await until(lambda: committed(world))
    assert sent == list(range(6))
    assert len(ids(world)) == 6


async def test_after_its_handler_has_ended_an_event_takes_no_submit(world: MemoryWorld) -> None:
    """Nothing would wait for it; `publish` then waits for its receipt itself."""
    kept: list[Event[Any]] = []

    async def keep(event: Event[Any]) -> None:
        kept.append(event)

    await publish(world, 1)
    async with subscribed(world, keep):
        await until(lambda: committed(world))
        with pytest.raises(UsageError, match="handler is at work"):
            kept[0].submit(world.country.closed, case(7), version="1.0")
        receipt = await kept[0].publish(world.country.closed, case(7), version="1.0")
        assert published(world) == [receipt.id]
