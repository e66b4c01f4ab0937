"""The state of one partition that this process holds. Only the methods here change it.

A partition is free, works on a batch (`begin` to `finished`), or rests until a time (`rest`). While it works
it may be held back (`hold_back`), so that other partitions are read meanwhile. `leave` ends its work after
the record in hand. Monotonic times are seconds of `time.monotonic`, steady ones nanoseconds of `steady_ns`.
"""

import asyncio
import math
from collections.abc import Sequence
from time import monotonic
from typing import Protocol

from bus.deliver.batch_results import BatchResults
from bus.deliver.subscription import Subscription
from bus.parking.keys import KeyState, ParkedEvent
from bus.parking.log import ParkedPartition
from bus.record import Record, TopicPartition
from bus.stages.deduplicate import RecentEvents
from bus.times.clock import steady_ns
from bus.transport import Consumer
from contracts import Catalog

NEVER_NS = 1 << 63


class PartitionTransactions(Protocol):
    """What handles the batches of one partition as transactions."""

    async def open(self, consumer: Consumer) -> None:
        """Fence the previous holder, then read on from the committed offset."""

    def adopt(self, subscription: Subscription, catalog: Catalog) -> None:
        """Go on with a newer catalogue."""

    async def drain(self, partition: "PartitionState", records: Sequence[Record]) -> None:
        """Handle records in one transaction."""

    async def close(self) -> None:
        """Let go of it; what is not committed is not."""


class PartitionState:
    """The state of one partition.

    Args:
        partition: which.
        parked: its parked events.
        reached: the offset read next; every earlier event was read before.
        end: offset from which on nothing is read; None where reading has no end.
        transactions: handles its batches, where its subscription is exactly-once.
    """

    __slots__ = (
        "_results", "attempts", "busy_since_ns", "committed", "end", "has_left", "held_back", "ignoring",
        "in_hand", "leaving", "next_offset", "parked", "partition", "recent", "resting_offset",
        "resume_at", "task", "timed_out", "transactions", "until_ns",
    )  # fmt: skip

    def __init__(
        self,
        partition: TopicPartition,
        parked: ParkedPartition,
        *,
        reached: int = 0,
        end: int | None = None,
        transactions: PartitionTransactions | None = None,
    ) -> None:
        self.partition = partition
        self.parked = parked
        self.parked.reached = reached
        self.end = end
        self.transactions = transactions
        self.committed: int | None = None
        """The offset that its transactions committed last."""
        self.until_ns = NEVER_NS
        """Steady time after which no further record of a batch is begun."""
        self.recent = RecentEvents()
        self.task: asyncio.Task[None] | None = None
        """Works on the batch in hand."""
        self.in_hand = 0
        """Records given to `task`; some may be finished and not reported yet."""
        self.leaving = False
        """Whether work ends after the record in hand."""
        self.has_left = False
        """Whether another process may hold it by now: what a late handler did counts there, not here."""
        self._results: BatchResults | None = None
        self.held_back = False
        self.next_offset: int | None = None
        """Where to read on, if not behind the batch."""
        self.resume_at: float | None = None
        """Monotonic time until which the partition rests."""
        self.resting_offset = -1
        self.attempts = 0
        """How often the record at `resting_offset` was tried."""
        self.busy_since_ns = 0
        """Steady time at which the handler was called; 0 while none is at work."""
        self.timed_out = False
        self.ignoring = False
        """Whether the handler goes on though it was interrupted."""

    # The batch

    def begin(self, task: "asyncio.Task[None]", count: int) -> None:
        """Work on `count` records in `task`."""
        self.task, self.in_hand = task, count

    def open_batch(self, results: BatchResults, records: Sequence[Record]) -> None:
        """Collect the results of a batch; an error from here on makes it come again."""
        self._results = results
        self.next_offset = None
        if records:
            self.next_offset = self.parked.reached = records[0].offset

    def reach(self, offset: int, now_ns: int) -> bool:
        """Come to the record at `offset`, and return whether it may be begun; if not, it comes again.

        Args:
            offset: the record's.
            now_ns: steady time.
        """
        self.next_offset = offset
        if self.leaving or now_ns > self.until_ns:
            return False
        if self.end is not None and offset >= self.end:
            self.rest(math.inf)
            return False
        return True

    def close_batch(self, records: Sequence[Record]) -> None:
        """Have every record of the batch done with, or parked."""
        self.next_offset = None
        if records:
            self.parked.reached = records[-1].offset + 1

    def finished(self) -> BaseException | None:
        """Take the end of `task`; return its error."""
        assert self.task is not None  # noqa: S101 - it has just ended
        fault = None if self.task.cancelled() else self.task.exception()
        self.task, self.in_hand = None, 0
        return fault

    @property
    def results(self) -> BatchResults:
        """The results of the batch in hand."""
        assert self._results is not None  # noqa: S101 - a batch is open
        return self._results

    def report(self) -> None:
        """Make finished records visible to the next commit, though a later one is still in hand."""
        if self._results is not None:
            self._results.report()

    def work_until(self, steady_at_ns: int) -> None:
        """Begin no record of a batch after that steady time."""
        self.until_ns = steady_at_ns

    def hold_back(self) -> None:
        """Read nothing more until `task` has ended."""
        self.held_back = True

    def read_again(self) -> bool:
        """Be read again; return whether it was held back."""
        before, self.held_back = self.held_back, False
        return before

    def leave(self) -> None:
        """End after the record in hand: the partition, or the process, leaves."""
        self.leaving = True

    def left(self) -> None:
        """Report what is finished; what ends from now on moves nothing."""
        self.leaving = self.has_left = True
        if self._results is not None:
            self._results.end()

    @property
    def must_stop(self) -> bool:
        """Whether nothing more may be begun: it leaves, its time is over, or it rests."""
        return self.leaving or steady_ns() > self.until_ns or self.resume_at is not None

    # Rest

    def rest(self, seconds: float) -> None:
        """Handle nothing for `seconds`; `math.inf` for ever."""
        self.resume_at = monotonic() + seconds

    def rest_for(self, offset: int, seconds: float) -> None:
        """Rest after a failed attempt at the record at `offset`, and count the attempt."""
        self.resting_offset, self.attempts = offset, self.attempt_of(offset)
        self.rest(seconds)

    def wake(self, now: float) -> bool:
        """End the rest if it is over at monotonic time `now`; return whether it is."""
        if self.resume_at is None or self.resume_at > now:
            return False
        self.resume_at = None
        return True

    def attempt_of(self, offset: int) -> int:
        """Return which attempt at a record this is, from 1, counting those that ended in a rest."""
        return self.attempts + 1 if offset == self.resting_offset else 1

    # The handler

    def handler_begins(self, received_ns: int) -> None:
        """Give an event to the handler."""
        self.busy_since_ns, self.timed_out, self.ignoring = received_ns, False, False

    def handler_ends(self) -> bool:
        """Take the event back; return whether the handler was interrupted for its time."""
        self.busy_since_ns = 0
        return self.timed_out

    def interrupt_if_late(self, timeout_seconds: float) -> bool:
        """Cancel the handler if it has run longer than `timeout_seconds`.

        Returns:
            Whether it has now ignored that for as long again.
        """
        since, task = self.busy_since_ns, self.task
        if not since or task is None or steady_ns() - since <= timeout_seconds * 1e9:
            return False
        if not self.timed_out:
            self.timed_out = True
            task.cancel()
            return False
        ignores = not self.ignoring and steady_ns() - since > 2 * timeout_seconds * 1e9
        self.ignoring = self.ignoring or ignores
        return ignores

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

    def due(self, now_us: int) -> tuple[bytes, ParkedEvent] | None:
        """Return the parked event to try now, with its key: none before what comes again ahead of it."""
        due = self.parked.keys.due(now_us)
        return None if due is None or due[1].offset >= self.parked.reached else due

    def seconds_until_due(self, now_us: int) -> float | None:
        """Return how long until a parked event is to be tried, on the broker's clock; None if none is."""
        if self.leaving:
            return None
        due_us = self.parked.keys.next_due_us()
        if due_us is None or (due_us <= now_us and self.due(now_us) is None):
            return None
        return max(0.0, (due_us - now_us) / 1e6)
