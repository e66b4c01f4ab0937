"""Commits that hang, fail or are cancelled: no receipt, row or offset is lost, and no subscription ends."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bus import Bus, BusUnavailableError, Draft, Event, RetryPolicy, TopicPartition
from bus.deliver.commit import commit
from bus.deliver.offsets import OffsetTracker
from bus.deliver.subscriber import Subscriber
from bus.parking.keys import ParkedEvent
from bus.parking.log import RowWriter
from bus.parking.rows import SubscriptionPartition
from bus.receipts.writer import ReceiptLog
from bus.record import StoredRecord
from bus.testing import _Member
from bus.transport import Outgoing
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld, running, until

PLACE = TopicPartition("t", 0)
HOME = SubscriptionPartition("edge", PLACE)
RECORD = StoredRecord("t", 0, 4, 0, b"k", b"{}")


class SlowSender:
    """Takes records, and acknowledges them when the test does."""

    answer_seconds = 30.0

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    @property
    def unacknowledged(self) -> int:
        return len(self.sent)

    def send(self, outgoing: Outgoing) -> None:
        self.sent.append(outgoing)

    def acknowledge(self) -> None:
        sent, self.sent = self.sent, []
        for outgoing in sent:
            outgoing.acknowledged(0, 7, 0)


class HangingCommits:
    """Commits of a cluster in memory that hang for ever while `hang` is set, or that fail with `error`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hang, self.begun = True, False
        self.error: Exception | None = None
        original = _Member.commit

        async def commit(member: _Member, positions: Mapping[TopicPartition, int]) -> None:
            self.begun = True
            if self.error is not None:
                raise type(self.error)(*self.error.args)
            if self.hang:
                await asyncio.Event().wait()
            await original(member, positions)

        monkeypatch.setattr(_Member, "commit", commit)
        monkeypatch.setattr("bus.deliver.subscriber.COMMIT_SECONDS", 0.2)


@pytest.fixture
def world(tmp_path: Path) -> MemoryWorld:
    """Return a small country in memory."""
    return MemoryWorld(SmallCountry(tmp_path))


def subscribed(world: MemoryWorld, seen: list[int], **limits: Any) -> Bus:
    """Return a bus with one subscription that notes the numbers of its events."""
    bus = world.bus(world.country.south, stop_timeout_seconds=0.2, commit_interval_seconds=0.05, **limits)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="edge")
    async def note(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    return bus


async def publish(world: MemoryWorld, *numbers: int) -> None:
    """Publish cases."""
    async with world.bus(world.country.north) as bus:
        drafts = [Draft(case(number), key=f"k{number}") for number in numbers]
        await bus.publish_many(world.country.opened, drafts, version="1.0")


async def cancelled(task: "asyncio.Task[Any]") -> None:
    """Cancel a task in the middle of its work."""
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_cancelled_commit_gives_its_offsets_back() -> None:
    """They count as uncommitted until a later commit has them."""
    sender, offsets = SlowSender(), OffsetTracker()
    receipts = ReceiptLog(sender, "south.receipts")
    rows = RowWriter(sender, "south.parked", "writer", receipts)
    committed: dict[TopicPartition, int] = {}

    async def commit_offsets(positions: Mapping[TopicPartition, int]) -> None:
        committed.update(positions)

    receipts.add("delivery", ("south",), 0, [("row",)])
    offsets.done(PLACE, 4, 3)
    await cancelled(asyncio.create_task(commit(offsets, rows, commit_offsets)))
    assert (offsets.pending_records, offsets.uncommitted_records) == (3, 3)
    again = asyncio.create_task(commit(offsets, rows, commit_offsets))
    await asyncio.sleep(0.01)
    assert not committed, "an offset was committed before its receipt"
    sender.acknowledge()
    await again
    assert committed == {PLACE: 5}
    assert offsets.uncommitted_records == 0


async def test_a_cancelled_flush_ends_no_other_flush() -> None:
    """All subscriptions of a bus share the receipts; one that gives up concerns no other."""
    sender = SlowSender()
    receipts = ReceiptLog(sender, "south.receipts")
    receipts.add("delivery", ("south",), 0, [("row",)])
    other = asyncio.create_task(receipts.flush())
    await cancelled(asyncio.create_task(receipts.flush()))
    await asyncio.sleep(0.01)
    assert not other.done()
    sender.acknowledge()
    await other


async def test_rows_of_a_cancelled_flush_are_written_by_the_next() -> None:
    """Else the offset of a parked event would be committed without its row."""
    sender = SlowSender()
    rows = RowWriter(sender, "south.parked", "writer", ReceiptLog(sender, "south.receipts"))
    rows.parked(HOME, ParkedEvent(4), RECORD)
    await cancelled(asyncio.create_task(rows.flush()))
    assert rows.pending == 1
    sender.sent.clear()
    again = asyncio.create_task(rows.flush())
    await asyncio.sleep(0.01)
    sender.acknowledge()
    await again
    assert rows.pending == 0


@pytest.mark.parametrize("fails", [False, True])
async def test_rows_of_a_partition_that_leaves_during_a_flush_are_dropped(*, fails: bool) -> None:
    """However the flush ends: its new holder writes them, and these would overtake its own."""
    sender = SlowSender()
    rows = RowWriter(sender, "south.parked", "writer", ReceiptLog(sender, "south.receipts"))
    rows.parked(HOME, ParkedEvent(4), RECORD)
    flushing = asyncio.create_task(rows.flush())
    await asyncio.sleep(0.01)
    rows.forget([HOME])
    if fails:
        sender.sent[0].failed(BusUnavailableError("no broker answers"))
        with pytest.raises(BusUnavailableError):
            await flushing
    else:
        await cancelled(flushing)
    assert rows.pending == 0


async def test_a_commit_that_fails_at_the_stop_leaves_nothing_open(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised, the group is left, so that others go on at once."""
    commits, seen, closed = HangingCommits(monkeypatch), list[int](), list[str]()

    async def close(member: _Member) -> None:
        closed.append(member.group)

    monkeypatch.setattr(_Member, "close", close)
    commits.error = RuntimeError("commit")
    stack = await running(subscribed(world, seen))
    await publish(world, 1)
    await until(lambda: commits.begun)
    with pytest.raises(RuntimeError, match="commit"):
        await stack.aclose()
    assert f"{world.country.south}.edge" in closed


async def test_a_handler_that_outlives_its_partition_moves_nothing(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It swallows its interruption; when it ends, others have handled its event, and later ones."""
    monkeypatch.setattr("bus.times.group_times.SETTLE_SECONDS", 0.0)
    monkeypatch.setattr("bus.deliver.subscriber.CANCEL_SECONDS", 0.0)
    begun, may_end, stubborn = asyncio.Event(), asyncio.Event(), set[int]()
    bus = world.bus(world.country.south, commit_interval_seconds=0.01)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name="edge", timeout_seconds=0.1,
        retry=RetryPolicy((), when_exhausted="release"),
    )  # fmt: skip
    async def swallows(event: Event[Any]) -> None:
        if event.data["number"] in stubborn:
            return
        stubborn.add(event.data["number"])
        begun.set()
        while not may_end.is_set():
            with suppress(asyncio.CancelledError):
                await may_end.wait()
        if event.data["number"] == 2:
            raise RuntimeError

    group = f"{world.country.south}.edge"
    for number, late in ((1, "is acknowledged"), (2, "fails")):
        begun.clear()
        may_end.clear()
        async with bus:
            await publish(world, number)
            await begun.wait()
            (subscriber,) = bus._subscribers
            (task,) = [task for one in subscriber._partitions.values() for task in one.tasks]
            async with subscribed(world, []):
                await publish(world, number)
                await until(lambda: _counted(world, group, 2 * number))  # noqa: B023
            may_end.set()
            await asyncio.wait([task])
            await subscriber._commit()
            assert await world.committed(group, world.country.topic) == 2 * number, late
    assert await world.records(f"{world.country.south}.dead-letters") == []


async def _counted(world: MemoryWorld, group: str, count: int) -> bool:
    return await world.committed(group, world.country.topic) == count


async def test_a_stop_during_a_hanging_commit_ends_in_order(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop waits for the commit, the commit hangs; the group is left all the same."""
    commits, seen = HangingCommits(monkeypatch), list[int]()
    stack = await running(subscribed(world, seen, max_uncommitted=2))
    await publish(world, 1, 2, 3)
    await until(lambda: commits.begun)
    await asyncio.sleep(0.2)
    await stack.aclose()
    commits.hang, again = False, list[int]()
    async with subscribed(world, again):
        await until(lambda: sorted(again) == [1, 2, 3])


@pytest.mark.parametrize("limit", [2, 1000])
async def test_a_rebalance_during_a_hanging_commit_ends_no_subscription(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """The commit is given up, its events come again, and later ones are handled and committed."""
    commits, seen = HangingCommits(monkeypatch), list[int]()
    first = await running(subscribed(world, seen, max_uncommitted=limit))
    await publish(world, 1)
    await until(lambda: commits.begun)
    await asyncio.sleep(0.2)
    second = await running(subscribed(world, seen))
    await second.aclose()
    commits.hang = False
    await publish(world, 2, 3)
    await until(lambda: {1, 2, 3} <= set(seen))
    await first.aclose()
    group = f"{world.country.south}.edge"
    assert await world.committed(group, world.country.topic) == 3


async def test_a_partition_is_handled_again_after_a_revocation_that_failed(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong while a partition leaves, it has left: it is opened again when it comes back."""
    commits, seen = HangingCommits(monkeypatch), list[int]()
    commits.error = RuntimeError("commit")
    first = await running(subscribed(world, seen))
    await publish(world, 1)
    await until(lambda: commits.begun)
    with pytest.raises(RuntimeError, match="commit"):
        await running(subscribed(world, seen))
    commits.error, commits.hang = None, False
    await publish(world, 2)
    await until(lambda: 2 in seen)
    await first.aclose()


async def test_a_partition_that_leaves_is_not_read(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a handler of another one finishes, its records are not taken again and again."""
    polls, begun, seen = 0, asyncio.Event(), list[int]()
    original = _Member.poll

    async def poll(member: _Member, timeout_seconds: float, max_records: int) -> Any:
        nonlocal polls
        polls += 1
        return await original(member, timeout_seconds, max_records)

    monkeypatch.setattr(_Member, "poll", poll)
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="edge")
    async def slow(event: Event[Any]) -> None:
        if event.data["number"] == 1:
            begun.set()
            await asyncio.sleep(1.0)
        seen.append(event.data["number"])

    first = await running(bus)
    await publish(world, 1)
    await begun.wait()
    joining = asyncio.create_task(running(subscribed(world, seen)))
    await asyncio.sleep(0.05)
    await publish(world, *range(2, 30))
    before = polls
    await asyncio.sleep(0.5)
    assert polls - before < 100
    second = await joining
    await until(lambda: sorted(seen) == list(range(1, 30)))
    await second.aclose()
    await first.aclose()


async def test_nothing_runs_between_a_poll_and_its_records(
    world: MemoryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebalance there would give the partition back, to be read on behind records never handled."""
    ran, late, seen = [False], list[bool](), list[int]()
    poll, handle = _Member.poll, Subscriber._handle

    async def polled(member: _Member, timeout_seconds: float, max_records: int) -> Any:
        batches = await poll(member, timeout_seconds, max_records)
        if member.group.endswith(".edge"):
            ran[0] = False
            asyncio.get_running_loop().call_soon(ran.__setitem__, 0, True)
        return batches

    def handled(subscriber: Subscriber, batches: Any) -> None:
        late.append(bool(batches) and ran[0])
        handle(subscriber, batches)

    monkeypatch.setattr(_Member, "poll", polled)
    monkeypatch.setattr(Subscriber, "_handle", handled)
    async with subscribed(world, seen):
        await publish(world, 1, 2, 3)
        await until(lambda: len(seen) == 3)
    assert not any(late)
