"""Receipts, parked rows and next offset of what is done, reported together.

Law of this file: a row and a next offset become visible to the next commit in the same step as the receipts
of all attempts before them, so that neither is on the broker ahead of a receipt.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from bus.deliver.offsets import OffsetTracker
from bus.deliver.subscription import Subscription
from bus.deliver.window import Window
from bus.event import Event
from bus.outcome import OUTCOME_NAMES, Ack, DeliveryOutcome, Outcome
from bus.receipts.receipts import RECEIPTS_PARTITIONS, partition_of_transaction, record_name
from bus.receipts.writer import ReceiptLog
from bus.record import Record, TopicPartition
from bus.telemetry import Telemetry
from bus.times.clock import BrokerClock, steady_ns

Row = tuple[Any, ...]

Result = tuple[DeliveryOutcome, str | None, int]
"""Outcome, reason and number of an attempt."""


class DeliveryAttempt(NamedTuple):
    """An attempt at a record, and its outcome."""

    outcome: Outcome
    number: int
    times_ns: tuple[int, int]
    """Steady times of its beginning and end."""
    is_handlers: bool
    """Whether a handler decided, and no stage before it."""


Change = Callable[[], None]
"""Hands the change of a parked row to the `RowWriter`."""

ACKNOWLEDGED = OUTCOME_NAMES[Ack]

REPORT_NS = 100_000_000
"""How often finished records of a batch become visible to the next commit."""


class BatchResults:
    """The results of one partition since the last report.

    Args:
        receipts: makes the receipts, and takes them.
        partition: which.
        window: its records; what is done past a gap is held there.
    """

    __slots__ = (
        "_partition",
        "_reached",
        "_receipts",
        "_reported_ns",
        "_topic_id",
        "_unseen",
        "_window",
    )  # fmt: skip

    def __init__(
        self, receipts: "ReceiptRows", partition: TopicPartition, topic_id: str, window: Window
    ) -> None:
        self._receipts = receipts
        self._partition = partition
        self._topic_id = topic_id
        self._window = window
        self._reported_ns = steady_ns()
        self._reached = window.reached
        """Up to where was reported."""
        self._unseen: set[Row] = set()
        """Rows of what no handler saw, until they are reported."""

    def handled(self, event: Event[Any], received_ns: int, finished_ns: int) -> bool:
        """Add an acknowledged event; return whether it is time to report."""
        row = self._receipts.row(event, (ACKNOWLEDGED, None, event.attempt), received_ns, finished_ns)
        self._window.finish(event.record.offset, row, None, event.kept or ())
        return finished_ns - self._reported_ns > REPORT_NS

    def settled(
        self,
        record: Record,
        event: Event[Any] | None,
        attempt: DeliveryAttempt,
        change: Change | None = None,
        outputs: Sequence[Any] = (),
    ) -> None:
        """Add a record whose offset may be committed: acknowledged, parked, or a dead letter."""
        self._window.finish(record.offset, self._row(record, event, attempt), change, outputs)

    def note(
        self,
        record: Record,
        event: Event[Any] | None,
        attempt: DeliveryAttempt,
        change: Change | None = None,
        outputs: Sequence[Any] = (),
    ) -> None:
        """Add an attempt that moves no offset: at a parked event, or at one that comes again."""
        self._window.ready.add(self._row(record, event, attempt), change, outputs)

    def passed(self, record: Record) -> None:
        """Add a record whose receipt was written before."""
        self._window.finish(record.offset)

    def changed(self, change: Change) -> None:
        """Add a change of a parked row that is no attempt."""
        self._window.ready.add(None, change)

    def _row(self, record: Record, event: Event[Any] | None, attempt: DeliveryAttempt) -> Row:
        outcome, number, times_ns, is_handlers = attempt
        reason = None if outcome.reason is None else outcome.reason.value
        result: Result = (OUTCOME_NAMES[type(outcome)], reason, number)
        if event is None:
            row = self._receipts.row_without_event(record, result, *times_ns, self._topic_id)
        else:
            row = self._receipts.row(event, result, *times_ns)
        if not is_handlers:
            self._unseen.add(row)
        return row

    @property
    def are_ready(self) -> bool:
        """Whether there is something to report."""
        return bool(self._window.ready)

    def report(self) -> Sequence[Any]:
        """Hand over receipts, next offset and parked rows of what is done; return what goes with them."""
        self._reported_ns = steady_ns()
        if not self.are_ready:
            return ()
        ready, before, self._reached = self._window.take_ready(), self._reached, self._window.reached
        rows = [row for row in ready.rows if row is not None]
        offset = None if self._reached == before else self._reached - 1
        seen = [row for row in rows if row not in self._unseen] if self._unseen else rows
        self._unseen.difference_update(rows)
        self._receipts.write(self._partition, rows, seen, offset, len(ready))
        for change in ready.changes:
            change()
        return ready.outputs


class ReceiptRows:
    """Makes the delivery receipts of one subscription, and hands them over with the next offset."""

    def __init__(
        self,
        subscription: Subscription,
        receipts: ReceiptLog,
        offsets: OffsetTracker,
        clock: BrokerClock,
        telemetry: Telemetry,
    ) -> None:
        self._subscription = subscription
        self._receipts = receipts
        self._offsets = offsets
        self._clock = clock
        self._telemetry = telemetry

    def row(self, event: Event[Any], result: Result, received_ns: int, finished_ns: int) -> Row:
        """Return the columns `DELIVERY_ROW` of the delivery of an event."""
        record, at_us = event.record, self._clock.at_us
        value: bytes = record.value or b""
        kind, version = (event.origin or event.contract).label
        outcome, reason, attempt = result
        return (
            event.id, event.source, kind, version, event.service, event.transaction or event.id,
            event.causation, outcome, reason, attempt, record.offset, record.timestamp * 1000,
            event.started_us, at_us(received_ns), at_us(finished_ns), len(value), sha256(value).hexdigest(),
        )  # fmt: skip

    def row_without_event(
        self, record: Record, result: Result, received_ns: int, finished_ns: int, topic_id: str
    ) -> Row:
        """Return the same of a record that holds no event which can be read."""
        at_us, broker_us, value = self._clock.at_us, record.timestamp * 1000, record.value or b""
        name = record_name(TopicPartition(record.topic, record.partition), record.offset, topic_id)
        return (
            name, "", "", "", None, name, None, *result, record.offset, broker_us, broker_us,
            at_us(received_ns), at_us(finished_ns), len(value), sha256(value).hexdigest(),
        )  # fmt: skip

    def write(
        self, partition: TopicPartition, rows: list[Row], seen: list[Row], offset: int | None, count: int
    ) -> None:
        """Make receipts and next offset visible to the next commit, in one step.

        Args:
            partition: which.
            rows: the receipts.
            seen: of these, what came to a handler.
            offset: the next offset to commit, if it is another.
            count: how many records and attempts are done.
        """
        subscription = self._subscription
        common = (
            subscription.agency, subscription.name, subscription.purpose, partition.topic,
            partition.partition, self._clock.skew_us,
        )  # fmt: skip
        by_partition: list[list[Row]] = [[] for _ in range(RECEIPTS_PARTITIONS)]
        for row in rows:
            by_partition[partition_of_transaction(row[5])].append(row)
        for index, found in enumerate(by_partition):
            if found:
                self._receipts.add("delivery", common, index, found)
        self._offsets.done(partition, offset, count)
        if self._telemetry.metering:
            self._measure(rows, seen)

    def _measure(self, rows: list[Row], seen: list[Row]) -> None:
        place = self._subscription.topic, self._subscription.group
        self._telemetry.delivered(*place, Counter((row[7], row[8]) for row in rows))
        # An event that is parked, or came back after a rest, was counted at its first attempt.
        first = sum(row[9] == 1 for row in seen)
        seconds = [
            ((row[14] - row[13]) / 1e6, "" if row[7] == ACKNOWLEDGED else row[8] or "") for row in seen
        ]
        self._telemetry.processed(*place, first, seconds)
