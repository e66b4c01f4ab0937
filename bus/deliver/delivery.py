"""One partition's events from record to outcome: admit, handle, act on the decision, write the receipt.

Law of this file: an event whose key is parked is never tried before those ahead of it. What follows from a
failure is decided in `bus/deliver/decide.py`.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, assert_never

from bus.crash_points import crash_point
from bus.dead_letters.record import DeadLetterRecord, dead_letter, without_value
from bus.deliver.batch_results import BatchResults, ReceiptRows
from bus.deliver.decide import Decision, Done, Hold, ParkUntil, RestPartition, WriteDeadLetter, decide
from bus.deliver.handle import handle
from bus.deliver.offsets import OffsetTracker
from bus.deliver.partition import PartitionState
from bus.deliver.subscription import Subscription
from bus.errors import BusError, BusUnavailableError, RefusedError
from bus.event import Event, Republisher
from bus.outcome import ACK, Ack, DeadLetter, Outcome, Reason, Retry
from bus.parking.keys import KeyState, ParkedEvent, key_of
from bus.parking.log import STALE, RowWriter
from bus.parking.rows import read_row
from bus.process.outage import Outage
from bus.receipts.writer import ReceiptLog
from bus.record import Record
from bus.stages.pipeline import HANDLE, RejectedRecord, admit
from bus.telemetry import Telemetry
from bus.times.clock import BrokerClock, steady_ns
from contracts import visible_logger

logger = visible_logger("govbus.subscriber")

RETRIES_PER_TURN = 100
"""How many parked events are tried before new ones have their turn."""
REPLACED = "Its topic was deleted and made again while it waited; redrive it if it still counts"
WITHOUT_BROKER_SECONDS = 1.0
"""How long a partition rests when a dead letter or a parked event cannot be written or read."""


class HandlerEnd(Protocol):
    """Called when a handler has ended."""

    def __call__(self, *, acknowledged: bool) -> None:
        """Take the end of a handler."""


class Delivery:
    """Takes the records of one subscription to their outcome.

    Args:
        subscription: what is read, and how failures are handled.
        bus: publishes for the handlers.
        receipts: takes the delivery receipts.
        telemetry: spans and metrics.
        clock: the broker's clock.
        rows: writes the rows of parked events.
        set_aside: writes a dead letter.
        fetch: reads a row of the parked events again, by its offset.
        learn: looks in the registry for a version that the catalogue does not have.
        handler_ended: called after each handler.
    """

    def __init__(
        self,
        subscription: Subscription,
        bus: Republisher,
        receipts: ReceiptLog,
        telemetry: Telemetry,
        clock: BrokerClock,
        *,
        rows: RowWriter,
        set_aside: Callable[[DeadLetterRecord], Awaitable[object]],
        fetch: Callable[[int], Awaitable[Record]],
        learn: Callable[[Record], Awaitable[bool]] | None = None,
        handler_ended: HandlerEnd | None = None,
    ) -> None:
        self.subscription = subscription
        self.rows = rows
        self.offsets = OffsetTracker()
        self._bus = bus
        self.telemetry = telemetry
        self._clock = clock
        self._receipt_rows = ReceiptRows(subscription, receipts, self.offsets, clock, telemetry)
        self._set_aside = set_aside
        self._fetch = fetch
        self._learn = learn
        self._handler_ended = handler_ended
        self._unwritten = Outage(f"the dead letters of {subscription.group}")
        self._unread = Outage(f"the parked events of {subscription.group}")

    async def drain(self, partition: PartitionState, records: Sequence[Record]) -> None:
        """Handle what is due, then `records` in order, until the last, an outage, or the partition leaves."""
        results = BatchResults(self._receipt_rows, partition.partition, partition.parked.topic_id)
        partition.open_batch(results, records)
        try:
            if partition.parked.keys:
                await self._retry_due(partition)
            if not records or partition.resume_at is None:
                await self._handle_records(partition, records)
        finally:
            partition.report()

    async def _handle_records(self, partition: PartitionState, records: Sequence[Record]) -> None:
        recent, keys, results = partition.recent, partition.parked.keys, partition.results
        expected, topic = self.subscription.expected, partition.partition.topic
        now = steady_ns()
        for record in records:
            if not partition.reach(record.offset, now):
                return
            received = now
            found = admit(record, expected[topic], recent)
            if isinstance(found, RejectedRecord) and await self._learned(found, record):
                expected = self.subscription.expected
                found = admit(record, expected[topic], recent)
            if isinstance(found, Event):
                if keys and self._waits(partition, found, received):
                    continue
                outcome = await self._handle(partition, found, partition.attempt_of(record.offset), received)
                if partition.has_left:
                    return
                now = steady_ns()
                if outcome is ACK:  # the row `Ack` of the table, without the table: nearly all events
                    recent.handled(found)
                    results.handled(found, received, now)
                    continue
                found = RejectedRecord(outcome, HANDLE, found)
            if not await self._settle(partition, record, found, received):
                return
            now = steady_ns()
        partition.close_batch(records)

    async def _learned(self, rejection: RejectedRecord, record: Record) -> bool:
        """Look in the registry for a version that is unknown here; return whether it may be known now."""
        outcome = rejection.outcome
        unknown = isinstance(outcome, DeadLetter) and outcome.reason is Reason.UNKNOWN_VERSION
        return unknown and self._learn is not None and await self._learn(record)

    async def _handle(
        self, partition: PartitionState, event: Event[Any], attempt: int, received: int
    ) -> Outcome:
        event.attempt, event.replay = attempt, self.subscription.replay
        event.bus, event.handled_by = self._bus, self.subscription.read_as
        partition.handler_begins(received)
        outcome = await handle(self.subscription, self.telemetry, partition, event)
        event.handled_by = None
        crash_point("after-handler")
        if partition.has_left:
            logger.warning(
                "%s: a handler has ended after its partition %s/%d had left, so it counts for nothing; the "
                "next holder handles the event",
                self.subscription.group, *partition.partition,
            )  # fmt: skip
        if self._handler_ended is not None:
            self._handler_ended(acknowledged=outcome is ACK and not partition.has_left)
        return outcome

    def _waits(self, partition: PartitionState, event: Event[Any], received: int) -> bool:
        """Park an event behind earlier ones of its key; return whether it waits."""
        record = event.record
        key = key_of(record)
        state = partition.parked.keys.state_of(key, record.offset)
        if state is KeyState.FREE:
            return False
        if state is KeyState.PARKED:  # its row and receipt were written before
            partition.results.passed(record)
            return True
        outcome = Retry(Reason.KEY_PARKED)
        decision = self._decide(partition, record.offset, outcome, 0, state)
        assert isinstance(decision, ParkUntil)  # noqa: S101 - so says the table for `BEHIND`
        parked = ParkedEvent(record.offset, topic_id=partition.parked.topic_id)
        self._park(partition, key, parked, record, decision=decision)
        partition.results.settled(record, event, outcome, 0, (received, received))
        return True

    async def _settle(
        self,
        partition: PartitionState,
        record: Record,
        rejection: RejectedRecord,
        received: int,
    ) -> bool:
        """Settle a record that was not simply handled; return whether its offset may be committed."""
        attempt = partition.attempt_of(record.offset)
        event = ParkedEvent(
            record.offset, first_us=self._clock.at_us(received), topic_id=partition.parked.topic_id
        )
        outcome, decision = await self._act(partition, record, rejection, event, KeyState.FREE)
        times = (received, steady_ns())
        match decision:
            case RestPartition(seconds=seconds):
                partition.rest_for(record.offset, seconds)
                partition.results.note(record, rejection.event, outcome, attempt, times)
                return False
            case ParkUntil() | Hold():
                self._park(partition, key_of(record), event, record, decision=decision)
            case Done() | WriteDeadLetter():
                pass
            case _:
                assert_never(decision)
        partition.results.settled(record, rejection.event, outcome, attempt, times)
        return True

    async def _retry_due(self, partition: PartitionState) -> None:
        """Try parked events that are due, those first that have been due for longest."""
        for _ in range(RETRIES_PER_TURN):
            due = partition.due(self._clock.now_us())
            if due is None or partition.must_stop:
                return
            await self._retry(partition, *due)

    async def _retry(self, partition: PartitionState, key: bytes, parked: ParkedEvent) -> None:
        try:
            record = parked.record or await self._read_back(partition, parked)
        except BusError as error:
            self._unread.begins(error)
            partition.rest(WITHOUT_BROKER_SECONDS)
            return
        self._unread.ends()
        if parked.reason == STALE:
            self._release(partition, key, parked, record)
            self.offsets.done(partition.partition, None)
            return
        received, attempt = steady_ns(), parked.attempts + 1
        found = await self._try_again(partition, parked, record, attempt, received)
        if partition.has_left:
            return
        state = partition.key_state(key, parked)
        outcome, decision = await self._act(partition, record, found, parked, state)
        partition.results.note(record, found.event, outcome, attempt, (received, steady_ns()))
        overruled = partition.key_state(key, parked) is KeyState.OVERRULED
        match decision:
            case RestPartition(seconds=seconds):
                partition.rest_for(parked.offset, seconds)
            case _ if overruled:
                pass  # an operator has decided about the event meanwhile
            case ParkUntil() | Hold():
                self._park(partition, key, parked, record, decision=decision)
            case Done() | WriteDeadLetter():
                self._release(partition, key, parked, record)
            case _:
                assert_never(decision)

    async def _try_again(
        self, partition: PartitionState, parked: ParkedEvent, record: Record, attempt: int, received: int
    ) -> RejectedRecord:
        """Return the outcome of another attempt at a parked event, with the event if it can be read."""
        found = admit(record, self.subscription.expected[partition.partition.topic], partition.recent)
        event = found.event if isinstance(found, RejectedRecord) else found
        if parked.reason == Reason.TOPIC_REPLACED:
            return RejectedRecord(DeadLetter(Reason.TOPIC_REPLACED, REPLACED), HANDLE, event)
        if isinstance(found, RejectedRecord):
            return found
        outcome = await self._handle(partition, found, attempt, received)
        if outcome is ACK and not partition.has_left:
            partition.recent.handled(found)
        return RejectedRecord(outcome, HANDLE, event)

    async def _read_back(self, partition: PartitionState, parked: ParkedEvent) -> Record:
        """Return a parked event that is not kept in memory."""
        if parked.row_offset < 0:
            partition.report()
            await self.rows.flush()
        row = read_row(await self._fetch(parked.row_offset))
        if row is None or row.event is None or row.event.record is None:
            raise BusUnavailableError(f"the parked event is not there - at {parked.row_offset}")
        return row.event.record

    def _decide(
        self, partition: PartitionState, offset: int, outcome: Outcome, attempts: int, state: KeyState
    ) -> Decision:
        return decide(
            outcome,
            self.subscription.retry,
            attempts=attempts,
            rests=partition.attempt_of(offset),
            key=state,
            now_us=self._clock.now_us(),
            chance=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )

    async def _act(
        self,
        partition: PartitionState,
        record: Record,
        rejection: RejectedRecord,
        parked: ParkedEvent,
        state: KeyState,
    ) -> tuple[Outcome, Decision]:
        """Decide, and write the dead letter if there is one; return the final outcome and decision."""
        attempts = parked.attempts + 1
        decision = self._decide(partition, parked.offset, rejection.outcome, attempts, state)
        outcome = rejection.outcome
        match decision:
            case Hold(letter=letter) | WriteDeadLetter(letter=letter):
                if not await self._write_dead_letter(record, letter, rejection.stage, parked, decision):
                    outcome = Retry(Reason.BUS_UNAVAILABLE, WITHOUT_BROKER_SECONDS)
                    return outcome, RestPartition(WITHOUT_BROKER_SECONDS)
                return letter, decision
            case RestPartition(seconds=seconds):
                attempts = partition.attempt_of(parked.offset)
                self._log(record, outcome, attempts, f"the partition rests for {seconds:.1f} s")
            case ParkUntil(due_us=due_us):
                wait = (due_us - self._clock.now_us()) / 1e6
                self._log(record, outcome, attempts, f"its key is parked, next attempt in {wait:.1f} s")
            case Done():
                pass
            case _:
                assert_never(decision)
        return outcome, decision

    async def _write_dead_letter(
        self,
        record: Record,
        letter: DeadLetter,
        stage: str,
        parked: ParkedEvent,
        decision: Hold | WriteDeadLetter,
    ) -> bool:
        """Write a dead letter; return whether the broker has it."""
        held = isinstance(decision, Hold)
        attempts = parked.attempts + 1
        written = dead_letter(
            record,
            letter,
            subscription=self.subscription.name,
            stage=stage,
            attempts=attempts,
            first_us=parked.first_us,
            last_us=self._clock.now_us(),
            held=held,
            topic_id=parked.topic_id,
        )
        try:
            try:
                await self._set_aside(written)
            except RefusedError:
                await self._set_aside(without_value(written))
        except BusError as error:
            self._unwritten.begins(error)
            return False
        self._unwritten.ends()
        self._log(record, letter, attempts, "dead letter, its key is held" if held else "dead letter")
        return True

    def _park(
        self,
        partition: PartitionState,
        key: bytes,
        parked: ParkedEvent,
        record: Record,
        *,
        decision: ParkUntil | Hold,
    ) -> None:
        """Let an event wait as decided, and write its row with the next commit."""
        match decision:
            case ParkUntil(due_us=due_us, attempts=attempts, reason=reason):
                parked.wait(attempts, reason.value, due_us=due_us)
            case Hold(letter=letter):
                parked.wait(parked.attempts + 1, letter.reason.value, held=True)
            case _:
                assert_never(decision)
        partition.park(key, parked, record)
        partition.results.parked_row(partial(self.rows.parked, partition.parked.home, parked, record))

    def _release(self, partition: PartitionState, key: bytes, parked: ParkedEvent, record: Record) -> None:
        """Let an event wait no more, and write that with the next commit."""
        partition.release(key, parked.offset)
        partition.results.parked_row(partial(self.rows.released, partition.parked.home, parked, record))

    def _log(self, record: Record, outcome: Outcome, attempt: int, what: str) -> None:
        error = "" if isinstance(outcome, Ack) else outcome.error
        logger.warning(
            "%s %s/%d/%d attempt %d: %s, %s%s", self.subscription.group, record.topic, record.partition,
            record.offset, attempt, outcome.reason, what, f" ({error})" if error else "",
        )  # fmt: skip
