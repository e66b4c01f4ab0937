"""The state of one partition that this process holds. Only the methods here change it.

Its workers handle what is in its window, up to the subscription's `concurrency` at once, or it rests until a
time (`rest`). If it has more in hand than its share it is held back (`hold_back`), so that other partitions
are read meanwhile. `leave` ends its work after what is in hand. Monotonic times are seconds of
`time.monotonic`, steady ones nanoseconds of `steady_ns`.
"""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any, Protocol

from bus.deliver.batch_results import BatchResults
from bus.deliver.subscription import Subscription
from bus.deliver.window import Window
from bus.deliver.worker import PartitionWorker
from bus.event import Event
from bus.outcome import Outcome, Reason, Retry
from bus.parking.keys import KeyState, ParkedEvent, key_of
from bus.parking.log import ParkedPartition
from bus.record import Record, TopicPartition
from bus.stages.deduplicate import RecentEvents
from contracts import Catalog


class Work(Protocol):
    """Takes the records of partitions to their outcome."""

    def open(self, partition: "PartitionState") -> BatchResults:
        """Return what collects the results of a partition."""

    def go_on(self, partition: "PartitionState") -> None:
        """Let another worker of a partition begin, if it may."""

    def report(self, partition: "PartitionState") -> None:
        """Let what is done count with the next commit."""

    async def flush(self, partition: "PartitionState") -> None:
        """Return when the broker has the rows of what is done.

        Raises:
            BusError: some could not be written.
        """


class PartitionTransactions(Work, Protocol):
    """What takes the records of one partition to their outcome, in transactions."""

    async def start(self) -> None:
        """Fence the previous holder."""

    def adopt(self, subscription: Subscription, catalog: Catalog) -> None:
        """Go on with a newer catalogue."""

    @property
    def uncommitted(self) -> int:
        """Records that are done and not committed yet."""

    async def commit(self, partition: "PartitionState") -> None:
        """Commit what is done."""

    async def close(self) -> None:
        """Let go of it; what is not committed is not."""


class PartitionState:
    """The state of one partition.

    Args:
        partition: which.
        parked: its parked events.
        work: takes its records to their outcome.
        reached: the offset read next; every earlier event was read before.
        end: offset from which on nothing is read; None where reading has no end.
        transactions: commits what is done, where its subscription is exactly-once.
    """

    __slots__ = (
        "_came_back", "_has_left", "_is_probing", "_rests_for", "_work", "at_work", "committed", "committing",
        "end", "fault", "held_back", "is_read_out", "leaving", "parked", "partition", "recent", "results",
        "resume_at", "transactions", "window", "workers",
    )  # fmt: skip

    def __init__(
        self,
        partition: TopicPartition,
        parked: ParkedPartition,
        work: Work,
        *,
        reached: int = 0,
        end: int | None = None,
        transactions: PartitionTransactions | None = None,
    ) -> None:
        self.partition = partition
        self.parked = parked
        self.window = Window(reached)
        parked.was_read = self.window.was_begun
        self.end = end
        self.transactions = transactions
        self.committed: int | None = None
        """The offset that its transactions committed last."""
        self.committing: asyncio.Task[None] | None = None
        """Commits what is done, where that is a transaction."""
        self.recent = RecentEvents()
        self.workers: set[PartitionWorker] = set()
        self.at_work: dict[tuple[str, str], bytes] = {}
        """Source and id of the events whose handlers wait, and the key of each."""
        self.fault: BaseException | None = None
        """What ended a worker."""
        self.leaving = False
        """Whether nothing begins any more but what closes gaps."""
        self._has_left = False
        self.held_back = False
        self.is_read_out = False
        """Whether its `end` is reached."""
        self.resume_at: float | None = None
        """Monotonic time until which the partition rests."""
        self._came_back: dict[int, int] = {}
        """How often each record was tried whose attempts ended in a rest."""
        self._is_probing = False
        """Whether the latest attempt ended in a rest: one event tries whether it is over."""
        self._rests_for: Retry | None = None
        self._work = work
        self.results = work.open(self)

    # Records

    def take(self, records: Sequence[Record]) -> None:
        """Take the records that follow."""
        if self.end is not None and records[-1].offset >= self.end:
            self.is_read_out = True
            records = [record for record in records if record.offset < self.end]
        if records:
            self.window.take(records)

    def go_on(self) -> None:
        """Let another worker begin, if it may."""
        self._work.go_on(self)

    def may_begin(self, concurrency: int, now_us: int) -> bool:
        """Whether another worker has something to do.

        Args:
            concurrency: how many events are handled at once.
            now_us: the broker's time.
        """
        if self.must_stop or len(self.workers) >= (1 if self._is_probing else concurrency):
            return False
        return self.window.can_begin or (bool(self.parked.keys) and self.seconds_until_due(now_us) == 0.0)

    def follow(self, worker: PartitionWorker) -> Record | None:
        """Return the next record of the key that a worker is at; with the last one, it is at none."""
        key, worker.record = worker.key, None
        if key is None:
            return None
        worker.record = None if self.must_stop else self.window.follow(key)
        if worker.record is None:
            self.give_back(worker)
        return worker.record

    def next_record(self, worker: PartitionWorker) -> Record | None:
        """Return a record that a worker, which is at no key, handles next; None if nothing may begin."""
        stops = self._has_left or self.resume_at is not None  # as `must_stop`; this is called for each event
        worker.record = None if stops else self.window.next(self.parked.keys)
        return worker.record

    def handled(self, event: Event[Any], received_ns: int, finished_ns: int) -> None:
        """Note an acknowledged event that was read."""
        self.recent.handled(event)
        if self._came_back:
            self.attempted(event.record.offset)
        if self.results.handled(event, received_ns, finished_ns):
            self.report()

    def occupy(self, worker: PartitionWorker, record: Record) -> None:
        """Let later records of the key wait for a worker, whose record takes longer than a step."""
        if worker.key is None and self.window.occupy(key := key_of(record)):
            worker.key = key
        if worker.key is not None and (event := worker.event) is not None:
            self.at_work[event.source, event.id] = worker.key

    def waits_for_twin(self, event: Event[Any]) -> bool:
        """Let an event wait while the same is at work, which may have come twice; return whether it does."""
        key = self.at_work.get((event.source, event.id))
        if key is None:
            return False
        self.window.wait_for(key, event.record)
        return True

    def give_back(self, worker: PartitionWorker) -> None:
        """Let the record of a worker, and those that wait for it, begin again."""
        record, key = worker.record, worker.key
        worker.record = worker.key = None
        if record is not None or (key is not None and self.window.is_at_work(key)):
            self.window.give_back(record, key)
        if key is not None:
            self.parked.keys.again(key)

    def ended(self, worker: PartitionWorker, fault: BaseException | None = None) -> None:
        """Take the end of a worker, and what it leaves undone."""
        self.give_back(worker)
        self.workers.discard(worker)
        self.fault = self.fault or fault
        self.report()

    @property
    def in_hand(self) -> int:
        """Records that are read and not reported, and in transactions those that are not committed.

        What is done while a transaction is on its way waits for the next one, and counts too.
        """
        uncommitted = 0 if self.transactions is None else self.transactions.uncommitted
        return len(self.window) + len(self.window.ready) + uncommitted

    @property
    def tasks(self) -> "list[asyncio.Task[None]]":
        """What is at work; any thread may call this."""
        return [worker.task for worker in list(self.workers) if worker.task is not None]

    def report(self) -> None:
        """Make what is done visible to the next commit, though earlier records are still in hand."""
        self._work.report(self)

    async def flush(self) -> None:
        """Return when the broker has the rows of what is done."""
        await self._work.flush(self)

    def take_fault(self) -> BaseException | None:
        """Return what ended a worker, once."""
        fault, self.fault = self.fault, None
        return fault

    @property
    def is_committing(self) -> bool:
        """Whether a transaction is on its way to its end."""
        return self.committing is not None and not self.committing.done()

    @property
    def may_be_read(self) -> bool:
        """Whether there may be something to read."""
        return not (self.leaving or self.is_read_out)

    def hold_back(self) -> None:
        """Read nothing more until there is less in hand."""
        self.held_back = True

    def read_again(self) -> bool:
        """Be read again; return whether it was held back."""
        before, self.held_back = self.held_back, False
        return before

    def leave(self) -> None:
        """End after what is in hand: the partition, or the process, leaves."""
        self.leaving = True
        self.window.leave()

    def abandon(self) -> "list[asyncio.Task[None]]":
        """Begin nothing more, and interrupt what is at work; return what was."""
        self.leave()
        self.window.abandon()
        for worker in self.workers:
            worker.abandon()
        return self.tasks

    def left(self) -> None:
        """Report what is finished; what ends from now on moves nothing."""
        self.report()
        self.leaving = self._has_left = True

    def has_left(self) -> bool:
        """Whether another process may hold it by now: what a late handler did counts there, not here."""
        return self._has_left

    @property
    def must_stop(self) -> bool:
        """Whether nothing more may be begun: it has left, or it rests."""
        return self._has_left or self.resume_at is not None

    # Rest

    def rest(self, seconds: float) -> None:
        """Handle nothing for `seconds`."""
        self.resume_at = max(self.resume_at or 0.0, monotonic() + seconds)

    def rest_for(self, offset: int, seconds: float, outcome: Outcome) -> None:
        """Rest after a failed attempt at the record at `offset`, and count the attempt."""
        self._came_back[offset] = self.attempt_of(offset)
        self._is_probing = True
        self._rests_for = outcome if isinstance(outcome, Retry) else None
        self.rest(seconds)

    def attempted(self, offset: int) -> None:
        """Note an attempt at the record at `offset` that did not end in a rest."""
        self._came_back.pop(offset, None)
        self._is_probing = False

    @property
    def refusal(self) -> str | None:
        """The error for which it rests, or rested until the attempt at work, where the cluster is why."""
        outcome = self._rests_for if self._is_probing else None
        return outcome.error if outcome is not None and outcome.reason is Reason.BUS_UNAVAILABLE else None

    def wake(self, now: float) -> bool:
        """End the rest if it is over at monotonic time `now`; return whether it is."""
        if self.resume_at is None or self.resume_at > now:
            return False
        self.resume_at = None
        return True

    def attempt_of(self, offset: int) -> int:
        """Return which attempt at a record this is, from 1, counting those that ended in a rest."""
        return self._came_back.get(offset, 0) + 1 if self._came_back else 1

    # Parked events

    def key_state(self, key: bytes, event: ParkedEvent) -> KeyState:
        """Return how a parked event stands after another attempt."""
        return KeyState.FREE if self.parked.keys.is_first(key, event) else KeyState.OVERRULED

    def park(self, key: bytes, event: ParkedEvent, record: Record) -> None:
        """Let an event wait, or wait for something else."""
        if self.parked.keys.find(key, event.offset) is event:
            self.parked.keys.changed(key, event)
        else:
            self.parked.put(key, event, record)

    def release(self, key: bytes, offset: int) -> None:
        """Let an event wait no more."""
        self.parked.remove(key, offset)

    def take_due(self, worker: PartitionWorker, now_us: int) -> ParkedEvent | None:
        """Return the parked event that a worker tries now, and whose key it occupies; None if none is due."""
        worker.record = None
        if not self.has_due(now_us):
            return None
        key, event = self.parked.keys.take_due()
        self.window.occupy(key)
        worker.key = key
        return event

    def has_due(self, now_us: int) -> bool:
        """Whether a parked event is to be tried now: none before what comes again ahead of it.

        One whose key is at work is due again after that.
        """
        keys = self.parked.keys
        while not (self.leaving or self.must_stop) and (due := keys.due(now_us)) is not None:
            key, event = due
            if event.offset >= self.window.reached:
                return False
            if not self.window.is_at_work(key):
                return True
            keys.take_due()
        return False

    def seconds_until_due(self, now_us: int) -> float | None:
        """Return how long until a parked event is to be tried, on the broker's clock; None if none is."""
        if self.leaving:
            return None
        if self.has_due(now_us):
            return 0.0
        due_us = self.parked.keys.next_due_us()
        return None if due_us is None or due_us <= now_us else (due_us - now_us) / 1e6
