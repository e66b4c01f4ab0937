"""One partition's events from record to outcome: admit, handle, act on the decision, write the receipt.

Law of this file: an event is never tried before those of its key that are ahead of it, whether they are at
work or parked. What follows from a failure is decided in `bus/deliver/decide.py`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, assert_never

from bus.crash_points import crash_point
from bus.dead_letters.record import DeadLetterRecord, dead_letter, without_value
from bus.deliver.batch_results import BatchResults, Change, DeliveryAttempt, ReceiptRows
from bus.deliver.decide import DONE, Decision, Done, Hold, ParkUntil, RestPartition, WriteDeadLetter, decide
from bus.deliver.handle import handle, outcome_of_error
from bus.deliver.offsets import OffsetTracker
from bus.deliver.partition import PartitionState
from bus.deliver.refused import RefusedRecords
from bus.deliver.subscription import Subscription
from bus.deliver.worker import PartitionWorker, WaitingCall, begin, uncancelled
from bus.errors import BusError, BusUnavailableError, RefusedError
from bus.event import Event, Republisher
from bus.outcome import ACK, Ack, DeadLetter, Outcome, Reason, Retry
from bus.parking.keys import KeyState, ParkedEvent, key_of
from bus.parking.log import STALE, RowWriter
from bus.parking.rows import read_row
from bus.process.outage import Outage
from bus.process.overdue import Overdue
from bus.process.rate import LineRate
from bus.receipts.writer import ReceiptLog
from bus.record import Record
from bus.stages.pipeline import HANDLE, RejectedRecord, admit
from bus.telemetry import Telemetry
from bus.times.clock import BrokerClock, steady_ns
from contracts import visible_logger

logger = visible_logger("govbus.subscriber")

REPLACED = "Its topic was deleted and made again while it waited; redrive it if it still counts"
LETTERS, PARKED = "the dead letters", "the parked events"
WITHOUT_BROKER_SECONDS = 1.0
"""How long a partition rests when a dead letter or a parked event cannot be written or read."""


SetAside = Callable[[DeadLetterRecord], Awaitable[object]]
"""Sends a dead letter, and returns when the broker has it."""


async def write_letter(letter: DeadLetterRecord, set_aside: SetAside, *, whole: bool = True) -> None:
    """Write a dead letter, without its value where the broker does not take it whole.

    Args:
        letter: the dead letter.
        set_aside: sends it.
        whole: whether it is tried with its value.

    Raises:
        BusError: the broker did not acknowledge it.
    """
    if whole:
        with suppress(RefusedError):
            await set_aside(letter)
            return
    await set_aside(without_value(letter))


class Attempted(NamedTuple):
    """A record that is to be settled, the outcome of its attempt, and how it waits, or would."""

    record: Record
    rejection: RejectedRecord
    parked: ParkedEvent
    state: KeyState


class Delivery:
    """Takes the records of one subscription to their outcome.

    Args:
        subscription: what is read, and how failures are handled.
        bus: publishes for the handlers.
        receipts: takes the delivery receipts.
        telemetry: spans and metrics.
        clock: the broker's clock.
        rows: writes the rows of parked events.
        set_aside: writes a dead letter; None where it goes with the transaction that counts its event as
            handled, as what handlers publish does.
        fetch: reads a row of the parked events again, by its offset.
        learn: looks in the registry for a version that the catalogue does not have.
        refused: the events that have failed, since the broker refused what their handlers published.
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
        set_aside: SetAside | None,
        fetch: Callable[[int], Awaitable[Record]],
        learn: Callable[[Record], Awaitable[bool]] | None = None,
        refused: RefusedRecords | None = None,
    ) -> None:
        self.subscription = subscription
        self.rows = rows
        self.offsets = OffsetTracker()
        self._read_as = subscription.read_as
        self._bus = bus
        self.telemetry = telemetry
        self._clock = clock
        self._receipt_rows = ReceiptRows(subscription, receipts, self.offsets, clock, telemetry)
        self._set_aside = set_aside
        self._rate = LineRate()
        self._holds = set_aside is None
        self._fetch = fetch
        self._learn = learn
        self._refused = refused
        self._unwritten = Outage(f"the dead letters of {subscription.group}")
        self._unread = Outage(f"the parked events of {subscription.group}")
        self.overdue = Overdue()

    def open(self, partition: PartitionState) -> BatchResults:
        """Return what collects the results of a partition."""
        topic_id = partition.parked.topic_id
        return BatchResults(self._receipt_rows, partition.partition, topic_id, partition.window)

    def report(self, partition: PartitionState) -> None:
        """Let what is done count with the next commit."""
        partition.results.report()

    async def flush(self, partition: PartitionState) -> None:
        """Return when the broker has the rows of what is done.

        Raises:
            BusError: some could not be written.
        """
        self.report(partition)
        await self.rows.flush()

    def go_on(self, partition: PartitionState) -> None:
        """Let another worker of a partition begin, if it may."""
        if partition.may_begin(self.subscription.concurrency, self._clock.now_us()):
            worker = PartitionWorker()
            partition.workers.add(worker)
            worker.task = asyncio.create_task(self._work(partition, worker))

    async def _work(self, partition: PartitionState, worker: PartitionWorker) -> None:
        """Handle what is due and what is read, in turns, until nothing may begin."""
        try:
            await self._handle_each(partition, worker)
        except Exception as error:  # noqa: BLE001 - the loop of the subscription passes it on
            partition.ended(worker, error)
        except BaseException:
            partition.ended(worker)
            raise
        else:
            partition.ended(worker)

    async def _handle_each(self, partition: PartitionState, worker: PartitionWorker) -> None:
        keys, at_work = partition.parked.keys, partition.at_work
        now, tried = steady_ns(), False
        while not worker.was_cancelled:  # then the next worker goes on, in another task
            record = partition.follow(worker) if worker.key is not None else None
            if record is None and keys.events and not tried and await self._retry_due(partition, worker):
                now, tried = steady_ns(), True  # in turns: neither what is due nor what is new waits for all
                continue
            tried, record = False, record or partition.next_record(worker)
            if record is None:
                if keys.events and partition.has_due(self._clock.now_us()):
                    continue
                return
            received = now
            found = admit(record, self.subscription.expected[record.topic], partition.recent)
            if isinstance(found, RejectedRecord) and self._may_learn(found):
                found = await self._learned(partition, worker, found, record)
            if isinstance(found, Event):
                is_behind = keys.events and self._waits(partition, found, received)
                if is_behind or (at_work and partition.waits_for_twin(found)):
                    continue
                attempt = partition.attempt_of(record.offset)
                outcome = self._begin(partition, worker, found, attempt, received)
                if isinstance(outcome, WaitingCall):
                    outcome = await self._awaited(partition, worker, found, outcome)
                now = steady_ns()
                if outcome is ACK and not partition.has_left():  # nearly all events, without the table
                    partition.handled(found, received, now)
                    continue
                found = RejectedRecord(outcome, HANDLE, found)
            await self._settle(partition, worker, record, found, received)
            now = steady_ns()

    def _may_learn(self, rejection: RejectedRecord) -> bool:
        outcome = rejection.outcome
        unknown = isinstance(outcome, DeadLetter) and outcome.reason is Reason.UNKNOWN_VERSION
        return unknown and self._learn is not None

    async def _learned(
        self, partition: PartitionState, worker: PartitionWorker, rejection: RejectedRecord, record: Record
    ) -> Event[Any] | RejectedRecord:
        """Look in the registry for a version that is unknown here; return what is found with it."""
        assert self._learn is not None  # noqa: S101 - see `_may_learn`
        partition.occupy(worker, record)
        self.go_on(partition)
        if not await self._learn(record) or partition.has_left():
            return rejection
        return admit(record, self.subscription.expected[partition.partition.topic], partition.recent)

    def _begin(
        self,
        partition: PartitionState,
        worker: PartitionWorker,
        event: Event[Any],
        attempt: int,
        received: int,
    ) -> Outcome | WaitingCall[Outcome]:
        """Call the handler; return its outcome, or what goes on with it where it waits."""
        event.attempt, event.replay = attempt, self.subscription.replay
        if self._refused is not None and (error := self._refused.error_of(event)) is not None:
            return outcome_of_error(error)
        event.bus, event.handled_by = self._bus, self._read_as
        if self._holds:
            event.kept = []
        worker.handler_begins(event, received)
        outcome = begin(handle(self.subscription, self.telemetry, worker, event))
        return outcome if isinstance(outcome, WaitingCall) else self._ended(partition, event, outcome)

    async def _awaited(
        self,
        partition: PartitionState,
        worker: PartitionWorker,
        event: Event[Any],
        call: WaitingCall[Outcome],
    ) -> Outcome:
        """Return the outcome of a handler that waits, as later records of its key do; others go on."""
        partition.occupy(worker, event.record)
        self.go_on(partition)
        return self._ended(partition, event, await call.result())

    def _ended(self, partition: PartitionState, event: Event[Any], outcome: Outcome) -> Outcome:
        event.handled_by = None
        crash_point("after-handler")
        if partition.at_work:
            partition.at_work.pop((event.source, event.id), None)
        if self._holds:  # from now on nothing can be added
            event.kept = tuple(event.kept or ()) if isinstance(outcome, Ack) else ()
        if partition.has_left():
            logger.warning(
                "%s: a handler has ended after its partition %s/%d had left, so it counts for nothing; the "
                "next holder handles the event",
                self.subscription.group, *partition.partition,
            )  # fmt: skip
        return outcome

    def _waits(self, partition: PartitionState, event: Event[Any], received: int) -> bool:
        """Park an event behind parked ones of its key; return whether it waits for those, or is parked."""
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
        change = self._park(partition, parked, record, decision)
        attempt = DeliveryAttempt(outcome, 0, (received, received), is_handlers=False)
        partition.results.settled(record, event, attempt, change)
        return True

    async def _settle(
        self,
        partition: PartitionState,
        worker: PartitionWorker,
        record: Record,
        rejection: RejectedRecord,
        received: int,
    ) -> None:
        """Settle a record that was not simply handled."""
        attempt = partition.attempt_of(record.offset)
        event = ParkedEvent(
            record.offset, first_us=self._clock.at_us(received), topic_id=partition.parked.topic_id
        )
        attempted = Attempted(record, rejection, event, KeyState.FREE)
        outcome, decision, outputs = await self._act(partition, worker, attempted)
        if partition.has_left():
            return
        is_handlers = rejection.stage == HANDLE
        tried = DeliveryAttempt(outcome, attempt, (received, steady_ns()), is_handlers)
        if isinstance(decision, RestPartition):
            partition.results.note(record, rejection.event, tried)
            partition.rest_for(record.offset, decision.seconds, outcome)
            partition.give_back(worker)
            return
        change = None
        if isinstance(decision, ParkUntil | Hold):
            change = self._park(partition, event, record, decision)
        partition.attempted(record.offset)
        worker.record = None
        partition.results.settled(record, rejection.event, tried, change, outputs)

    async def _retry_due(self, partition: PartitionState, worker: PartitionWorker) -> bool:
        """Try a parked event that is due; return whether there was one."""
        parked = partition.take_due(worker, self._clock.now_us())
        if parked is None:
            return False
        self.go_on(partition)
        try:
            record = parked.record or await self._read_back(partition, parked)
        except BusError as error:
            self._unread.begins(error)
            self.overdue.fails(PARKED, partition.partition, error)
            partition.rest(WITHOUT_BROKER_SECONDS)
            return True
        self._unread.ends()
        self.overdue.ends(PARKED, partition.partition)
        if parked.reason == STALE:
            partition.results.changed(self._release(partition, parked, record))
        else:
            await self._retry(partition, worker, parked, record)
        return True

    async def _retry(
        self, partition: PartitionState, worker: PartitionWorker, parked: ParkedEvent, record: Record
    ) -> None:
        received, key = steady_ns(), key_of(record)
        found = await self._try_again(partition, worker, parked, record)
        attempted = Attempted(record, found, parked, partition.key_state(key, parked))
        outcome, decision, outputs = await self._act(partition, worker, attempted)
        if partition.has_left():
            return
        is_handlers = found.stage == HANDLE and found.outcome.reason != Reason.TOPIC_REPLACED
        attempt = DeliveryAttempt(outcome, parked.attempts + 1, (received, steady_ns()), is_handlers)
        change: Change | None = None
        overruled = partition.key_state(key, parked) is KeyState.OVERRULED
        if isinstance(decision, RestPartition):
            partition.rest_for(parked.offset, decision.seconds, outcome)
        else:
            partition.attempted(parked.offset)
            if not overruled:  # an operator may have decided about the event meanwhile
                change = self._concluded(partition, parked, record, decision)
        partition.results.note(record, found.event, attempt, change, outputs)

    def _concluded(
        self, partition: PartitionState, parked: ParkedEvent, record: Record, decision: Decision
    ) -> Change | None:
        """Let a parked event wait as decided, or no more; return what writes that with the next commit."""
        match decision:
            case ParkUntil() | Hold():
                return self._park(partition, parked, record, decision)
            case Done() | WriteDeadLetter():
                return self._release(partition, parked, record)
            case RestPartition():
                return None
            case _:
                assert_never(decision)

    async def _try_again(
        self,
        partition: PartitionState,
        worker: PartitionWorker,
        parked: ParkedEvent,
        record: Record,
    ) -> RejectedRecord:
        """Return the outcome of another attempt at a parked event, with the event if it can be read."""
        found = admit(record, self.subscription.expected[partition.partition.topic], partition.recent)
        event = found.event if isinstance(found, RejectedRecord) else found
        if parked.reason == Reason.TOPIC_REPLACED:
            return RejectedRecord(DeadLetter(Reason.TOPIC_REPLACED, REPLACED), HANDLE, event)
        if isinstance(found, RejectedRecord):
            return found
        outcome = self._begin(partition, worker, found, parked.attempts + 1, steady_ns())
        if isinstance(outcome, WaitingCall):
            outcome = await self._awaited(partition, worker, found, outcome)
        if outcome is ACK and not partition.has_left():
            partition.recent.handled(found)
        return RejectedRecord(outcome, HANDLE, event)

    async def _read_back(self, partition: PartitionState, parked: ParkedEvent) -> Record:
        """Return a parked event that is not kept in memory."""
        if parked.row_offset < 0:
            await partition.flush()
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
        worker: PartitionWorker,
        attempted: Attempted,
    ) -> tuple[Outcome, Decision, Sequence[Any]]:
        """Decide, and write the dead letter if there is one.

        Returns:
            The final outcome and decision, and what goes into the transaction, if there is one.
        """
        record, rejection, parked, state = attempted
        if partition.has_left():
            return rejection.outcome, DONE, ()  # the next holder decides
        attempts = parked.attempts + 1
        decision = self._decide(partition, parked.offset, rejection.outcome, attempts, state)
        outcome, event = rejection.outcome, rejection.event
        match decision:
            case Hold(letter=letter) | WriteDeadLetter(letter=letter):
                written = self._dead_letter(attempted, letter, held=isinstance(decision, Hold))
                outputs: Sequence[Any] = (written,)
                if self._set_aside is not None:
                    partition.occupy(worker, record)
                    self.go_on(partition)
                    writing = self._is_written(partition, written, self._set_aside)
                    if not await (uncancelled(writing) if worker.was_cancelled else writing):
                        outcome = Retry(Reason.BUS_UNAVAILABLE, WITHOUT_BROKER_SECONDS)
                        return outcome, RestPartition(WITHOUT_BROKER_SECONDS), ()
                    outputs = ()
                held = isinstance(decision, Hold)
                what = "dead letter, its key is held" if held else "dead letter"
                self._log(record, letter, attempts, what, worker.failed_at)
                return letter, decision, outputs
            case RestPartition(seconds=seconds):
                attempts = partition.attempt_of(parked.offset)
                self._log(
                    record, outcome, attempts, f"the partition rests for {seconds:.1f} s", worker.failed_at
                )
            case ParkUntil(due_us=due_us):
                wait = (due_us - self._clock.now_us()) / 1e6
                self._log(
                    record,
                    outcome,
                    attempts,
                    f"its key is parked, next attempt in {wait:.1f} s",
                    worker.failed_at,
                )
            case Done():
                return outcome, decision, () if event is None else event.kept or ()
            case _:
                assert_never(decision)
        return outcome, decision, ()

    def _dead_letter(self, attempted: Attempted, letter: DeadLetter, *, held: bool) -> DeadLetterRecord:
        parked = attempted.parked
        return dead_letter(
            attempted.record,
            letter,
            subscription=self.subscription.name,
            stage=attempted.rejection.stage,
            attempts=parked.attempts + 1,
            first_us=parked.first_us,
            last_us=self._clock.now_us(),
            held=held,
            topic_id=parked.topic_id,
        )

    async def _is_written(
        self, partition: PartitionState, letter: DeadLetterRecord, set_aside: SetAside
    ) -> bool:
        """Write a dead letter; return whether the broker has it."""
        try:
            await write_letter(letter, set_aside)
        except BusError as error:
            self._unwritten.begins(error)
            self.overdue.fails(LETTERS, partition.partition, error)
            return False
        self._unwritten.ends()
        self.overdue.ends(LETTERS, partition.partition)
        return True

    def _park(
        self, partition: PartitionState, parked: ParkedEvent, record: Record, decision: ParkUntil | Hold
    ) -> Change:
        """Let an event wait as decided; return what writes its row with the next commit."""
        match decision:
            case ParkUntil(due_us=due_us, attempts=attempts, reason=reason):
                parked.wait(attempts, reason.value, due_us=due_us)
            case Hold(letter=letter):
                parked.wait(parked.attempts + 1, letter.reason.value, held=True)
            case _:
                assert_never(decision)
        partition.park(key_of(record), parked, record)
        return partial(self.rows.parked, partition.parked.home, parked, record)

    def _release(self, partition: PartitionState, parked: ParkedEvent, record: Record) -> Change:
        """Let an event wait no more; return what writes that with the next commit."""
        partition.release(key_of(record), parked.offset)
        return partial(self.rows.released, partition.parked.home, parked, record)

    def _log(self, record: Record, outcome: Outcome, attempt: int, what: str, failed_at: str) -> None:
        left_out = self._rate.passes((outcome.reason, what.partition(",")[0]), steady_ns())
        if left_out is None:
            return
        error = "" if isinstance(outcome, Ack) else outcome.error
        error += f" at {failed_at}" if error and failed_at else ""
        logger.warning(
            "%s %s/%d/%d attempt %d: %s, %s%s%s", self.subscription.group, record.topic, record.partition,
            record.offset, attempt, outcome.reason, what, f" ({error})" if error else "",
            f"; {left_out} such lines were left out" if left_out else "",
        )  # fmt: skip
