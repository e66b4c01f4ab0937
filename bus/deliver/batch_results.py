"""Receipts, parked rows and next offset of one batch, reported together.

Law of this file: a row and a next offset become visible to the next commit in the same step as the receipts
of all attempts before them, so that neither is on the broker ahead of a receipt.
"""

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from bus.deliver.offsets import OffsetTracker
from bus.deliver.subscription import Subscription
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

ACKNOWLEDGED = OUTCOME_NAMES[Ack]

REPORT_NS = 100_000_000
"""How often finished records of a batch become visible to the next commit."""


class BatchResults:
    """The finished records of one partition since the last report."""

    __slots__ = (
        "_changes",
        "_is_over",
        "_offset",
        "_partition",
        "_passed",
        "_receipts",
        "_reported_ns",
        "_rows",
        "_topic_id",
    )

    def __init__(self, receipts: "ReceiptRows", partition: TopicPartition, topic_id: str) -> None:
        self._receipts = receipts
        self._partition = partition
        self._topic_id = topic_id
        self._reported_ns = steady_ns()
        self._rows: list[Row] = []
        self._changes: list[Callable[[], None]] = []
        self._offset: int | None = None
        self._passed = 0
        self._is_over = False

    def handled(self, event: Event[Any], received_ns: int, finished_ns: int) -> None:
        """Add an acknowledged event."""
        record = event.record
        result: Result = (ACKNOWLEDGED, None, event.attempt)
        self._rows.append(
            self._receipts.row(record, event, result, (received_ns, finished_ns), self._topic_id)
        )
        self._offset = record.offset
        if finished_ns - self._reported_ns > REPORT_NS:
            self.report()

    def settled(
        self,
        record: Record,
        event: Event[Any] | None,
        outcome: Outcome,
        attempt: int,
        times_ns: tuple[int, int],
    ) -> None:
        """Add a record whose offset may be committed: acknowledged, parked, or a dead letter."""
        self.note(record, event, outcome, attempt, times_ns)
        self._offset = record.offset

    def note(
        self,
        record: Record,
        event: Event[Any] | None,
        outcome: Outcome,
        attempt: int,
        times_ns: tuple[int, int],
    ) -> None:
        """Add an attempt that moves no offset: at a parked event, or at one that comes again."""
        reason = None if outcome.reason is None else outcome.reason.value
        result: Result = (OUTCOME_NAMES[type(outcome)], reason, attempt)
        self._rows.append(self._receipts.row(record, event, result, times_ns, self._topic_id))

    def passed(self, record: Record) -> None:
        """Add a record whose receipt was written before."""
        self._offset = record.offset
        self._passed += 1

    def parked_row(self, write: Callable[[], None]) -> None:
        """Add a change of a parked row, handed to the `RowWriter` with the receipts before it."""
        self._changes.append(write)

    def report(self) -> None:
        """Hand over receipts, parked rows and next offset of the finished records."""
        if self._is_over:
            return
        rows, offset, count = self._rows, self._offset, len(self._rows) + self._passed
        self._rows, self._offset, self._passed, self._reported_ns = [], None, 0, steady_ns()
        if count:
            self._receipts.write(self._partition, rows, offset, count)
        changes, self._changes = self._changes, []
        for write in changes:
            write()

    def end(self) -> None:
        """Hand over what is finished, and nothing that comes later: the partition leaves."""
        self.report()
        self._is_over = True


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

    def row(
        self,
        record: Record,
        event: Event[Any] | None,
        result: Result,
        times_ns: tuple[int, int],
        topic_id: str,
    ) -> Row:
        """Return the columns `DELIVERY_ROW` of one delivery."""
        at_us = self._clock.at_us
        broker_us = record.timestamp * 1000
        if event is None:
            started_us = broker_us
            name = record_name(TopicPartition(record.topic, record.partition), record.offset, topic_id)
            named: Row = (name, "", "", "", None, name, None)
        else:
            kind, version = (event.origin or event.contract).label
            transaction = event.transaction or event.id
            named = (event.id, event.source, kind, version, event.service, transaction, event.causation)
            started_us = event.started_us
        value = record.value or b""
        return (
            *named, *result, record.offset, broker_us, started_us, at_us(times_ns[0]), at_us(times_ns[1]),
            len(value), sha256(value).hexdigest(),
        )  # fmt: skip

    def write(self, partition: TopicPartition, rows: list[Row], offset: int | None, count: int) -> None:
        """Make receipts and next offset visible to the next commit, in one step."""
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
            self._measure(rows)

    def _measure(self, rows: list[Row]) -> None:
        outcomes = Counter((row[7], row[8]) for row in rows)
        seconds = [(row[14] - row[13]) / 1e6 for row in rows]
        self._telemetry.delivered(self._subscription.topic, self._subscription.group, outcomes, seconds)
