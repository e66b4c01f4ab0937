"""One partition in hand: what is being handled, what rests, what of it is parked."""

import asyncio
from time import time_ns
from typing import TYPE_CHECKING

from bus.parking.keys import ParkedEvent
from bus.parking.log import ParkedPartition
from bus.record import TopicPartition
from bus.stages.deduplicate import Window

if TYPE_CHECKING:
    from bus.deliver.batch_results import Ledger
    from bus.deliver.exactly_once import ExactlyOnce

NEVER_NS = 1 << 63


class Lane:
    """One partition in hand."""

    __slots__ = (
        "attempts", "busy_since_ns", "end", "exact", "held", "ignoring", "in_hand", "leaving", "ledger",
        "next_offset", "parked", "partition", "resting_offset", "resume_at", "task", "timed_out", "until_ns",
        "window",
    )  # fmt: skip

    def __init__(
        self, partition: TopicPartition, parked: ParkedPartition, exact: "ExactlyOnce | None" = None
    ) -> None:
        self.partition = partition
        self.parked = parked
        self.exact = exact
        """Its transactions, where its subscription asks for them."""
        self.end: int | None = None
        """Offset from which on nothing is read; None where reading has no end."""
        self.until_ns = NEVER_NS
        """Local time after which no further record of a batch is begun."""
        self.window = Window()
        self.task: asyncio.Task[None] | None = None
        self.in_hand = 0
        """Records given to `task`; some may be finished and not reported yet."""
        self.leaving = False
        self.ledger: Ledger | None = None
        self.held = False
        """Held back while its records take long, so that the other partitions go on."""
        self.next_offset: int | None = None
        """Where to read on, if not behind the batch."""
        self.resume_at: float | None = None
        """Monotonic time until which the partition rests, since its target or the broker is away."""
        self.resting_offset = -1
        self.attempts = 0
        """How often the record at `resting_offset` was tried."""
        self.busy_since_ns = 0
        self.timed_out = False
        self.ignoring = False
        """Whether the handler in hand goes on though it was interrupted."""

    def interrupt_if_late(self, timeout_seconds: float) -> bool:
        """Cancel the handler in hand if it has run longer than `timeout_seconds`.

        Returns:
            Whether it turns out now that it has ignored that for as long again.
        """
        since, task = self.busy_since_ns, self.task
        if not since or task is None or time_ns() - since <= timeout_seconds * 1e9:
            return False
        if not self.timed_out:
            self.timed_out = True
            task.cancel()
            return False
        ignores = not self.ignoring and time_ns() - since > 2 * timeout_seconds * 1e9
        self.ignoring = self.ignoring or ignores
        return ignores

    def report(self) -> None:
        """Make what is finished visible to the next commit, though a later record is still in hand."""
        if self.ledger is not None:
            self.ledger.report()

    def attempt_of(self, offset: int) -> int:
        """Return which attempt at a record this is, from 1."""
        return self.attempts + 1 if offset == self.resting_offset else 1

    def due(self, now_us: int) -> tuple[bytes, ParkedEvent] | None:
        """Return the parked event to try now, with its key: none before what comes again ahead of it."""
        due = self.parked.keys.due(now_us)
        return None if due is None or due[1].offset >= self.parked.reached else due

    def seconds_until_due(self, now_us: int) -> float | None:
        """Return how long until a parked event is due, on the broker's clock; None where none is."""
        due_us = self.parked.keys.next_due_us()
        if due_us is None or (due_us <= now_us and self.due(now_us) is None):
            return None
        return max(0.0, (due_us - now_us) / 1e6)
