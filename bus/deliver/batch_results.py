"""What a batch has come to: receipts to write and the position to commit, reported together.

Law of this file: a position becomes visible to the next commit in the same step as the receipts of all the
records before it, so that no offset is ever committed ahead of its receipt.
"""

from collections import Counter
from hashlib import sha256
from time import time_ns
from typing import TYPE_CHECKING, Any

from bus import envelope
from bus.event import Event
from bus.outcome import OUTCOME_NAMES, Outcome
from bus.receipts.receipts import RECEIPTS_PARTITIONS, partition_of_transaction
from bus.record import Record, TopicPartition

if TYPE_CHECKING:
    from bus.clock import BrokerClock
    from bus.deliver.offsets import OffsetTracker
    from bus.deliver.subscriber import Subscription
    from bus.receipts.writer import ReceiptLog
    from bus.telemetry import Telemetry

Row = tuple[Any, ...]

REPORT_NS = 100_000_000
"""How often finished records of a batch become visible to the next commit."""


class Ledger:
    """The finished records of one partition since the last report."""

    __slots__ = ("_offset", "_partition", "_passed", "_reported_ns", "_rows", "_scribe")

    def __init__(self, scribe: "Scribe", partition: TopicPartition) -> None:
        self._scribe = scribe
        self._partition = partition
        self._reported_ns = time_ns()
        self._rows: list[Row] = []
        self._offset: int | None = None
        self._passed = 0

    def handled(self, event: Event[Any], received_ns: int, finished_ns: int) -> None:
        """Take an event whose handler is done."""
        record = event.record
        verdict = ("ack", None, event.attempt)
        self._rows.append(self._scribe.row(record, event, verdict, (received_ns, finished_ns)))
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
        """Take a record whose offset is done with: acknowledged, parked, or a dead letter."""
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
        """Take an attempt that moves no offset: at a parked event, or at one that comes again."""
        reason = None if outcome.reason is None else outcome.reason.value
        verdict = (OUTCOME_NAMES[type(outcome)], reason, attempt)
        self._rows.append(self._scribe.row(record, event, verdict, times_ns))

    def passed(self, record: Record) -> None:
        """Take a record whose receipt was written before."""
        self._offset = record.offset
        self._passed += 1

    def report(self) -> None:
        """Hand over what is finished."""
        rows, offset, count = self._rows, self._offset, len(self._rows) + self._passed
        self._rows, self._offset, self._passed, self._reported_ns = [], None, 0, time_ns()
        if count:
            self._scribe.write(self._partition, rows, offset, count)


class Scribe:
    """Writes the delivery receipts and positions of one subscription."""

    def __init__(
        self,
        subscription: "Subscription",
        receipts: "ReceiptLog",
        offsets: "OffsetTracker",
        clock: "BrokerClock",
        telemetry: "Telemetry",
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
        verdict: tuple[str, str | None, int],
        times_ns: tuple[int, int],
    ) -> Row:
        """Return the columns `DELIVERY_ROW` of one delivery."""
        skew_us = self._clock.offset_us
        broker_us = started_us = record.timestamp * 1000
        if event is None:
            place = f"{record.topic}/{record.partition}/{record.offset}"
            named: Row = (place, "", "", "", None, place, None)
        else:
            kind, version = (event.origin or event.contract).label
            transaction = event.transaction or event.id
            named = (event.id, event.source, kind, version, event.service, transaction, event.causation)
            started = event.attributes.get(envelope.STARTED_AT)
            if started is not None:
                started_us = envelope.time_us(started.decode()) or broker_us
        value = record.value or b""
        return (
            *named, *verdict, record.offset, broker_us, started_us, times_ns[0] // 1000 + skew_us,
            times_ns[1] // 1000 + skew_us, len(value), sha256(value).hexdigest(),
        )  # fmt: skip

    def write(self, partition: TopicPartition, rows: list[Row], offset: int | None, count: int) -> None:
        """Make receipts and position visible to the next commit, in one step."""
        subscription = self._subscription
        common = (
            subscription.agency, subscription.name, subscription.purpose, partition.topic,
            partition.partition, self._clock.offset_us,
        )  # fmt: skip
        by_partition: list[list[Row]] = [[] for _ in range(RECEIPTS_PARTITIONS)]
        for some in rows:
            by_partition[partition_of_transaction(some[5])].append(some)
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
