"""Events of different keys at once: what went wrong with that elsewhere, and what a handler may rely on."""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus import Bus, Draft, Event, Retry, RetryPolicy
from bus.deliver.partition import PartitionState
from bus.memory.transactional import MemoryTransactional
from bus.outcome import Reason
from bus.record import TopicPartition
from bus.standing import CommittedOffset
from bus.topics import partition_of
from tests.deliveries import envelope_of
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld, receipts, running, until

NAME = "office"
KEY = "k"
WORD: ContextVar[str] = ContextVar("WORD", default="")
"""Set by handlers."""


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    """Return a small country in memory."""
    return MemoryWorld(SmallCountry(tmp_path))


def subscribed(
    world: MemoryWorld,
    handler: Callable[[Event[Any]], Any],
    *,
    limits: dict[str, Any] | None = None,
    **options: Any,
) -> Bus:
    """Return a bus with one subscription."""
    bus = world.bus(world.country.south, commit_interval_seconds=0.01, **(limits or {}))
    options = {"purpose": "close-cases", "name": NAME, "retry": RetryPolicy((0.02,) * 3, jitter=0), **options}
    bus.subscribe(world.country.opened, version=1, **options)(handler)
    return bus


def in_first(world: MemoryWorld, name: str) -> str:
    """Return a key of that name whose events lie in the first partition."""
    partitions = len(world.cluster.log(world.country.topic))
    keys = (f"{name}/{number}" for number in count())
    return next(key for key in keys if not partition_of(key.encode(), partitions))


def name_of(event: Event[Any]) -> str:
    """Return the name of an event's key."""
    return (event.key or "").partition("/")[0]


async def publish(world: MemoryWorld, *drafts: tuple[str, int]) -> None:
    """Publish cases by the name of their key and number, in order, all to the first partition."""
    drafts = tuple((in_first(world, name), number) for name, number in drafts)
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(
            world.country.opened, [Draft(case(number), key=key) for key, number in drafts], version="1.0"
        )


def states(bus: Bus) -> list[PartitionState]:
    """Return the partitions that a bus holds, the first one first."""
    held = {place: one for subscriber in bus._subscribers for place, one in subscriber._partitions.items()}
    return [held[place] for place in sorted(held)]


async def committed(world: MemoryWorld) -> int:
    """Return how many events are committed."""
    return await world.committed(f"{world.country.south}.{NAME}", world.country.topic)


class Gate:
    """A handler that notes what begins and what ends, and lets the events of some numbers wait."""

    def __init__(self, *waiting: int) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.waiting = set(waiting)
        self.opened = asyncio.Event()

    async def __call__(self, event: Event[Any]) -> None:
        """Handle."""
        number = event.data["number"]
        self.begun.append(number)
        if number in self.waiting:
            await self.opened.wait()
        self.ended.append(number)


def make_again(world: MemoryWorld) -> None:
    """Delete the topic, and make it again."""
    partitions = len(world.cluster.log(world.country.topic))
    world.cluster.delete_topic(world.country.topic)
    world.cluster.create_topic(world.country.topic, partitions)


@pytest.mark.parametrize(("concurrency", "at_once"), [(1, 1), (4, 4), (64, 20)])
async def test_as_many_keys_are_at_work_as_the_subscription_allows(
    world: MemoryWorld, concurrency: int, at_once: int
) -> None:
    """And with one, each event ends before the next begins, whatever its key is."""
    gate, most = Gate(*range(20)), [0]

    async def handle(event: Event[Any]) -> None:
        most[0] = max(most[0], 1 + len(gate.begun) - len(gate.ended))
        await gate(event)

    async with subscribed(world, handle, concurrency=concurrency):
        await publish(world, *((f"k{number}", number) for number in range(20)))
        await until(lambda: len(gate.begun) == at_once)
        gate.opened.set()
        await until(lambda: committed_all(world, 20))
    assert most == [at_once]


async def test_a_handler_that_waits_for_nothing_needs_one_worker(world: MemoryWorld) -> None:
    """Another one would begin only to find nothing to do, once for every record that is read."""
    at_once: list[int] = []

    async def handle(event: Event[Any]) -> None:
        at_once.append(len(states(bus)[0].workers))

    async with subscribed(world, handle, concurrency=16) as bus:
        await publish(world, *((f"k{number}", number) for number in range(20)))
        await until(lambda: committed_all(world, 20))
    assert at_once == [1] * 20


async def committed_all(world: MemoryWorld, count: int) -> bool:
    """Return whether that many events are committed."""
    return await committed(world) == count


async def test_a_key_that_is_at_work_waits_and_others_go_on(world: MemoryWorld) -> None:
    """Each event of a key begins when the one before it has ended."""
    gate = Gate(0)
    async with subscribed(world, gate):
        await publish(world, (KEY, 0), (KEY, 1), ("other", 2), (KEY, 3), ("other", 4))
        await until(lambda: gate.ended == [2, 4])
        assert gate.begun == [0, 2, 4]
        assert await committed(world) == 0
        gate.opened.set()
        await until(lambda: committed_all(world, 5))
    assert gate.ended == [2, 4, 0, 1, 3]


async def test_events_without_a_key_wait_for_none(world: MemoryWorld) -> None:
    """Elsewhere null keys broke the order of all others; here they have none."""
    gate = Gate(0)
    async with subscribed(world, gate):
        for number in range(4):
            headers = envelope_of(world, ce_id=b"%d" % number)
            await world.append(world.country.topic, orjson.dumps(case(number)), headers=headers)
        await until(lambda: gate.ended == [1, 2, 3])
        gate.opened.set()
        await until(lambda: committed_all(world, 4))


async def test_an_event_that_comes_twice_at_once_is_handled_once(world: MemoryWorld) -> None:
    """The second waits for the first, though nothing else would let it wait; then it is a duplicate."""
    gate = Gate(0)
    async with subscribed(world, gate):
        for _ in range(3):
            await world.append(world.country.topic, orjson.dumps(case(0)), headers=envelope_of(world))
        await until(lambda: gate.begun)
        await asyncio.sleep(0.05)
        gate.opened.set()
        await until(lambda: committed_all(world, 3))
    assert gate.begun == [0]
    rows = [row for row in await receipts(world) if row.outcome == "ack"]
    assert sorted(str(row.reason) for row in rows) == ["None", "duplicate", "duplicate"]


async def test_the_same_key_in_another_partition_is_another_order(world: MemoryWorld) -> None:
    """Elsewhere events of several topics with the same keys were never handled."""
    gate = Gate(0)
    async with subscribed(world, gate):
        for partition in (0, 1):
            headers = envelope_of(world, ce_id=b"%d" % partition)
            world.cluster.append(
                world.country.topic,
                orjson.dumps(case(partition)),
                key=b"k",
                headers=headers,
                partition=partition,
            )
        await until(lambda: gate.ended == [1])
        gate.opened.set()
        await until(lambda: committed_all(world, 2))


async def test_a_key_that_never_succeeds_holds_no_offset_back(world: MemoryWorld) -> None:
    """It is parked, its later events behind it, and the offset goes on to the end."""

    async def handle(event: Event[Any]) -> None:
        await asyncio.sleep(0)
        if name_of(event) == KEY:
            raise RuntimeError

    async with subscribed(world, handle, retry=RetryPolicy((3600.0,), jitter=0)):
        await publish(world, *((KEY if number % 2 else f"k{number}", number) for number in range(40)))
        await until(lambda: committed_all(world, 40))


async def test_polling_stops_when_nothing_may_be_taken(world: MemoryWorld) -> None:
    """Elsewhere it read on until memory was gone; the events past a gap are in hand, and limited."""
    gate = Gate(0)
    bus = subscribed(world, gate, limits={"max_uncommitted": 40})
    async with bus:
        await publish(world, *((f"k{number}", number) for number in range(200)))
        await until(lambda: gate.ended)
        await asyncio.sleep(0.3)
        state = states(bus)[0]
        assert state.in_hand <= 40
        assert len(gate.begun) <= 40
        gate.opened.set()
        await until(lambda: committed_all(world, 200))
        assert state.in_hand == 0


async def test_what_waits_for_a_slow_transaction_is_in_hand(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it comes again after a kill, so there is never more of it than `max_uncommitted`."""
    handled, opened = list[int](), asyncio.Event()
    commit = MemoryTransactional.commit

    async def commit_later(
        self: MemoryTransactional, group: str, positions: Mapping[TopicPartition, CommittedOffset]
    ) -> None:
        await opened.wait()
        await commit(self, group, positions)

    async def handle(event: Event[Any]) -> None:
        handled.append(event.offset)

    monkeypatch.setattr(MemoryTransactional, "commit", commit_later)
    bus = subscribed(world, handle, exactly_once=True, limits={"max_uncommitted": 40})
    async with bus:
        await publish(world, (KEY, 0))
        await until(lambda: handled)
        await publish(world, *((f"k{number}", number) for number in range(1, 400)))
        await asyncio.sleep(0.5)
        assert len(handled) <= 40
        opened.set()
        await until(lambda: committed_all(world, 400))
    assert len(handled) == 400


async def test_a_partition_that_comes_back_to_its_process_goes_on(world: MemoryWorld) -> None:
    """Elsewhere counters of what was in hand went on counting, and nothing was read any more."""
    gate = Gate(0, 1)
    bus, other = subscribed(world, gate), subscribed(world, gate)
    async with bus:
        await publish(world, *((f"k{number}", number) for number in range(30)))
        await until(lambda: len(gate.ended) == 28)
        joining = asyncio.create_task(running(other))
        await until(lambda: any(one.leaving for one in states(bus)))
        gate.opened.set()
        await (await joining).aclose()
        await publish(world, *((f"k{number}", number) for number in range(30, 60)))
        await until(lambda: committed_all(world, 60))
        assert not any(one.in_hand for one in states(bus))
        (subscriber,) = bus._subscribers
        assert subscriber._room() == world.bus(world.country.south).settings.max_uncommitted // 2
    assert sorted(gate.begun) == list(range(60)), "something came again"


async def test_a_handler_that_is_interrupted_as_its_partition_leaves_is_counted_nowhere(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event comes again where the partition is now, and what was done past it too."""
    monkeypatch.setattr("bus.times.group_times.SETTLE_SECONDS", 0.0)
    gate = Gate(0)
    bus = subscribed(world, gate, timeout_seconds=0.2)
    async with bus:
        await publish(world, *((f"k{number}", number) for number in range(5)))
        await until(lambda: gate.ended == [1, 2, 3, 4])
        monkeypatch.setattr("bus.deliver.worker.PartitionWorker.interrupt_if_late", lambda *_: False)
        second = await running(subscribed(world, gate))
        gate.opened.set()
        await second.aclose()
        await until(lambda: committed_all(world, 5))
        assert not any(one.in_hand for one in states(bus))


async def test_an_event_of_a_topic_made_again_is_no_event_of_the_old_one(world: MemoryWorld) -> None:
    """Elsewhere a fresh record at a reused offset was dropped onto a stale one that was still in hand."""
    gate = Gate(0)
    async with subscribed(world, gate):
        await publish(world, (KEY, 0), ("other", 1))
        await until(lambda: gate.ended == [1])
        make_again(world)
        await publish(world, (KEY, 10), ("other", 11))
        gate.opened.set()
        await until(lambda: committed_all(world, 2))
        await until(lambda: {10, 11} <= set(gate.ended))


async def test_a_stop_leaves_no_gap_to_handle_again(world: MemoryWorld) -> None:
    """What waits for its key behind others that are done is handled yet; what has not begun is not."""
    gate = Gate(0)
    bus = subscribed(world, gate, concurrency=2)
    stack = await running(bus)
    await publish(world, (KEY, 0), (KEY, 1), ("other", 2), (KEY, 3))
    await until(lambda: gate.ended == [2])
    held = states(bus)
    stopping = asyncio.create_task(stack.aclose())
    await until(lambda: all(one.leaving for one in held))
    gate.opened.set()
    await stopping
    assert gate.ended == [2, 0, 1]
    assert await committed(world) == 3


async def test_one_handler_that_takes_too_long_is_interrupted_alone(world: MemoryWorld) -> None:
    """Each event has its own time."""
    gate, slow = Gate(1), list[int]()

    async def handle(event: Event[Any]) -> None:
        if event.data["number"] == 0 and event.attempt == 1:
            slow.append(0)
            await asyncio.sleep(3600)
        await gate(event)

    async with subscribed(world, handle, timeout_seconds=0.3):
        await publish(world, ("a", 0))
        await until(lambda: slow)
        await asyncio.sleep(0.2)
        await publish(world, ("b", 1))
        await until(lambda: gate.begun)
        gate.opened.set()
        await until(lambda: sorted(gate.ended) == [0, 1])
    rows = [(row.outcome, row.reason) for row in await receipts(world) if row.agency == world.country.south]
    assert sorted(map(str, rows)) == sorted(
        map(str, [("ack", None), ("retry", Reason.HANDLER_TIMEOUT.value), ("ack", None)])
    )


async def test_an_outage_rests_the_partition_and_one_event_tries_whether_it_is_over(
    world: MemoryWorld,
) -> None:
    """Events that found the target away come again in order, and none is handled twice after it is back."""
    away, tries, done = [True], list[int](), list[int]()

    async def handle(event: Event[Any]) -> Retry | None:
        await asyncio.sleep(0)
        tries.append(event.data["number"])
        if away[0]:
            return Retry(Reason.TARGET_UNAVAILABLE, 0.05)
        done.append(event.data["number"])
        return None

    async with subscribed(world, handle, concurrency=8):
        await publish(world, *((f"k{number % 10}", number) for number in range(30)))
        await until(lambda: len(tries) > 8)
        before = len(tries)
        assert len(set(tries[8:before])) <= 1 or before <= 9
        away[0] = False
        await until(lambda: committed_all(world, 30))
    assert sorted(done) == list(range(30))
    for key in range(10):
        numbers = [number for number in done if number % 10 == key]
        assert numbers == sorted(numbers)


async def test_a_retry_is_tried_though_new_events_go_on_coming(world: MemoryWorld) -> None:
    """Neither waits for all of the other, and later events of the key follow it in order."""
    seen = list[tuple[str, int]]()

    async def handle(event: Event[Any]) -> None:
        await asyncio.sleep(0.001)
        if name_of(event) == KEY and event.attempt < 3:
            raise RuntimeError
        seen.append((name_of(event), event.data["number"]))

    async with subscribed(world, handle, concurrency=4):
        await publish(world, *((KEY if number % 50 == 0 else f"k{number}", number) for number in range(400)))
        await until(lambda: len(seen) == 400)
    numbers = [number for key, number in seen if key == KEY]
    assert numbers == list(range(0, 400, 50))
    assert seen.index((KEY, 0)) < 399 - 8, "it was tried only when nothing else was left"


async def test_a_handler_has_one_task_and_context_variables_of_its_own(world: MemoryWorld) -> None:
    """From its first step to its last; timeouts and task groups that it begins are its own."""
    found, wrong = list[str](), list[str]()

    async def handle(event: Event[Any]) -> None:
        task = asyncio.current_task()
        if WORD.get():
            wrong.append("the variable of another event")
        WORD.set(event.key or "")
        if event.data["number"] % 2:
            found.append("at once")
            return
        try:
            async with asyncio.timeout(3600) as limit, asyncio.TaskGroup() as group:
                inner = group.create_task(asyncio.sleep(0.001, WORD.get()))
                await inner
                limit.reschedule(asyncio.get_running_loop().time())
                await asyncio.sleep(3600)
        except TimeoutError:
            found.append("in time")
        if asyncio.current_task() is not task or WORD.get() != event.key or inner.result() != event.key:
            wrong.append("another task or variable")

    async with subscribed(world, handle):
        await publish(world, *((f"k{number}", number) for number in range(12)))
        await until(lambda: committed_all(world, 12))
    assert sorted(found) == ["at once"] * 6 + ["in time"] * 6
    assert wrong == []


async def test_a_handler_that_waits_for_nothing_runs_in_one_task(world: MemoryWorld) -> None:
    """No task is made for an event."""
    tasks = set[object]()

    async def handle(event: Event[Any]) -> None:
        tasks.add(asyncio.current_task())

    await publish(world, *((f"k{number}", number) for number in range(100)))
    async with subscribed(world, handle):
        await until(lambda: committed_all(world, 100))
    assert len(tasks) == 1


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_commits_say_nothing_of_what_is_done_past_a_gap(
    world: MemoryWorld, *, exactly_once: bool
) -> None:
    """Elsewhere their metadata held a map of it, which grew too large, and which others choke on."""
    gate = Gate(5)
    async with subscribed(world, gate, exactly_once=exactly_once):
        await publish(world, *((f"k{number}", number) for number in range(100)))
        await until(lambda: committed_all(world, 5) if len(gate.ended) == 99 else False)
        (at,) = (
            one
            for (group, place), one in world.cluster._committed.items()
            if group.endswith(NAME) and place == TopicPartition(world.country.topic, 0)
        )
        assert len(at.metadata) < 80
        gate.opened.set()
        await until(lambda: committed_all(world, 100))


async def test_no_transaction_is_open_while_a_handler_works(world: MemoryWorld) -> None:
    """Readers of what others publish would wait for it."""
    gate = Gate(0, 1)

    async def relay(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, key=event.key, version="1.0")
        await gate(event)

    async with subscribed(world, relay, exactly_once=True):
        await publish(world, *((f"k{number}", number) for number in range(10)))
        await until(lambda: len(gate.ended) == 8)
        await asyncio.sleep(0.05)
        assert not any(world.cluster.open_records._open.values())
        assert await world.records(f"{world.country.closed}.v1") == []
        gate.opened.set()
        await until(lambda: committed_all(world, 10))
    assert len(await world.records(f"{world.country.closed}.v1", committed=True)) == 10


async def test_what_is_published_after_the_handler_has_returned_is_refused(world: MemoryWorld) -> None:
    """The transaction of its event may have ended."""
    late = list[Event[Any]]()

    async def keep(event: Event[Any]) -> None:
        late.append(event)

    async with subscribed(world, keep, exactly_once=True):
        await publish(world, (KEY, 1))
        await until(lambda: committed_all(world, 1))
        with pytest.raises(Exception, match="before the handler returns"):
            await late[0].publish(world.country.closed, case(1), version="1.0")


async def test_a_dead_letter_past_a_gap_waits_in_exactly_once(world: MemoryWorld) -> None:
    """So does a parked event; both are there when the gap has closed, with their receipts."""
    gate = Gate(0)

    class RejectedError(Exception):
        retriable = False

    async def handle(event: Event[Any]) -> None:
        await gate(event)
        if event.data["number"] == 1:
            raise RejectedError
        if event.data["number"] == 2:
            raise RuntimeError

    later = RetryPolicy((3600.0,), jitter=0)
    async with subscribed(world, handle, exactly_once=True, retry=later):
        await publish(world, *((f"k{number}", number) for number in range(4)))
        await until(lambda: len(gate.ended) == 3)
        await asyncio.sleep(0.05)
        assert await world.records(f"{world.country.south}.dead-letters") == []
        assert await world.records(f"{world.country.south}.parked") == []
        gate.opened.set()
        await until(lambda: committed_all(world, 4))
    assert len(await world.records(f"{world.country.south}.dead-letters", committed=True)) == 1
    assert len(await world.records(f"{world.country.south}.parked", committed=True)) == 1
    rows = [row.outcome for row in await receipts(world) if row.agency == world.country.south]
    assert sorted(rows) == ["ack", "ack", "dead-letter", "retry"]
