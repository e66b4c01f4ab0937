"""One partition's events from record to outcome: admit, handle, decide, and write the receipt.

Law of this file: an event whose key is parked is never tried before those ahead of it; what fails is parked,
set aside or tried again, and the others go on.
"""

import logging
import math
import random
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum, auto
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any, Protocol

from bus.crash_points import crash_point
from bus.dead_letters.record import DeadLetterRecord, dead_letter, without_value
from bus.deliver.batch_results import Ledger, Scribe
from bus.deliver.handle import handle
from bus.deliver.offsets import OffsetTracker
from bus.deliver.partition import Lane
from bus.errors import BusError, BusUnavailableError, RefusedError
from bus.event import Event, Republisher
from bus.outcome import ACK, DeadLetter, Outcome, Reason, Retry
from bus.parking.keys import ParkedEvent, Standing, key_of
from bus.parking.log import STRAY, RowWriter
from bus.parking.rows import read_row
from bus.pipeline import HANDLE, Verdict, admit
from bus.receipts.writer import ReceiptLog
from bus.record import Record
from bus.telemetry import Telemetry

if TYPE_CHECKING:
    from bus.clock import BrokerClock
    from bus.deliver.subscriber import Subscription

logger = logging.getLogger("govbus.subscriber")

NOT_THE_EVENTS_FAULT = frozenset({Reason.TARGET_UNAVAILABLE, Reason.BUS_UNAVAILABLE})
"""Reasons that are waited out by the whole partition, however long they last."""
RETRIES_PER_TURN = 100
"""How many parked events are tried before new ones have their turn."""
WITHOUT_BROKER_SECONDS = 1.0
EXHAUSTED = "Every retry of the schedule failed"
EXHAUSTED_HELD = f"{EXHAUSTED}; later events of its key wait until it is redriven or discarded"


class Fate(Enum):
    """What becomes of an event that was not simply handled."""

    GONE = auto()
    """It is done with: acknowledged after all, or a dead letter."""
    PARKED = auto()
    """It waits, and its key with it."""
    STUCK = auto()
    """Nothing could be done about it: it comes again as it is."""


class Handled(Protocol):
    """Who wants to know that a handler is done."""

    def __call__(self, *, well: bool) -> None:
        """Take the end of a handler; `well` if the event is acknowledged."""


class Delivery:
    """Takes the records of one subscription to their outcome."""

    def __init__(
        self,
        subscription: "Subscription",
        bus: Republisher,
        receipts: ReceiptLog,
        telemetry: Telemetry,
        clock: "BrokerClock",
        *,
        rows: RowWriter,
        set_aside: Callable[[DeadLetterRecord], Awaitable[object]],
        fetch: Callable[[int], Awaitable[Record]],
        learn: Callable[[Record], Awaitable[bool]] | None = None,
        handled: "Handled | None" = None,
    ) -> None:
        self.subscription = subscription
        self.receipts = receipts
        self.rows = rows
        self.offsets = OffsetTracker()
        self._bus = bus
        self.telemetry = telemetry
        self._clock = clock
        self._scribe = Scribe(subscription, receipts, self.offsets, clock, telemetry)
        self._set_aside = set_aside
        self._fetch = fetch
        self._learn = learn
        self._handled = handled

    async def drain(self, lane: Lane, records: Sequence[Record]) -> None:
        """Handle what is due, then `records` in order, until the last, an outage, or the partition leaves."""
        lane.next_offset = records[0].offset if records else None  # should anything go wrong from here
        lane.ledger = ledger = Ledger(self._scribe, lane.partition)
        if records:
            lane.parked.reached = records[0].offset
        try:
            if lane.parked.keys:
                await self._try_due(lane, ledger)
            if records and lane.resume_at is not None:
                return
            await self._take(lane, records, ledger)
        finally:
            ledger.report()

    async def _take(self, lane: Lane, records: Sequence[Record], ledger: Ledger) -> None:
        expected, window = self.subscription.expected[lane.partition.topic], lane.window
        keys = lane.parked.keys
        now = time_ns()
        for record in records:
            lane.next_offset = record.offset
            if lane.leaving or now > lane.until_ns:
                return
            if lane.end is not None and record.offset >= lane.end:
                lane.resume_at = math.inf
                return
            received = now
            verdict = admit(record, expected, window)
            if isinstance(verdict, Verdict) and await self._learned(verdict, record):
                expected = self.subscription.expected[lane.partition.topic]
                verdict = admit(record, expected, window)
            if isinstance(verdict, Event):
                event = verdict
                if keys and self._waits(lane, event, received, ledger):
                    continue
                outcome = await self._handle(lane, event, lane.attempt_of(record.offset), received)
                now = time_ns()
                if outcome is ACK:
                    window.handled(event)
                    ledger.handled(event, received, now)
                    continue
                verdict = Verdict(outcome, HANDLE, event)
            if not await self._meet(lane, record, verdict, received, ledger):
                return
            now = time_ns()
        lane.next_offset = None
        if records:
            lane.parked.reached = records[-1].offset + 1

    async def _handle(self, lane: Lane, event: Event[Any], attempt: int, received: int) -> Outcome:
        event.attempt, event.replay = attempt, self.subscription.replay
        event.bus = self._bus
        lane.busy_since_ns, lane.timed_out, lane.ignoring = received, False, False
        outcome = await handle(self.subscription, self.telemetry, lane, event)
        crash_point("after-handler")
        if self._handled is not None:
            self._handled(well=outcome is ACK)
        return outcome

    async def _learned(self, verdict: Verdict, record: Record) -> bool:
        """Ask for news of a version that nobody here has heard of; return whether there may be some."""
        outcome = verdict.outcome
        unknown = isinstance(outcome, DeadLetter) and outcome.reason is Reason.UNKNOWN_VERSION
        return unknown and self._learn is not None and await self._learn(record)

    def _waits(self, lane: Lane, event: Event[Any], received: int, ledger: Ledger) -> bool:
        """Let an event wait behind those of its key that are parked; return whether it does."""
        record = event.record
        key = key_of(record)
        standing = lane.parked.keys.standing(key, record.offset)
        if standing is Standing.FREE:
            return False
        if standing is Standing.BEHIND:
            parked = ParkedEvent(record.offset, reason=Reason.KEY_PARKED.value)
            lane.parked.put(key, parked, record)
            self.rows.parked(lane.parked.home, parked, record)
            ledger.settled(record, event, Retry(Reason.KEY_PARKED), 0, (received, received))
        else:
            ledger.passed(record)
        return True

    async def _meet(
        self, lane: Lane, record: Record, verdict: Verdict, received: int, ledger: Ledger
    ) -> bool:
        """Meet what was not simply handled; return whether the record's offset is done with."""
        attempt = lane.attempt_of(record.offset)
        if self._rests(lane, record, verdict.outcome):
            ledger.note(record, verdict.event, verdict.outcome, attempt, (received, time_ns()))
            return False
        state = ParkedEvent(record.offset, first_us=self._broker_us(received))
        outcome, fate = await self._decide(lane, record, state, verdict)
        times = (received, time_ns())
        if fate is Fate.STUCK:
            ledger.note(record, verdict.event, outcome, attempt, times)
            return False
        if fate is Fate.PARKED:
            lane.parked.put(key_of(record), state, record)
            self.rows.parked(lane.parked.home, state, record)
        ledger.settled(record, verdict.event, outcome, attempt, times)
        return True

    async def _try_due(self, lane: Lane, ledger: Ledger) -> None:
        """Try parked events whose time has come, those first that have been due for longest."""
        for _ in range(RETRIES_PER_TURN):
            due = lane.due(self._broker_us(time_ns()))
            late = lane.leaving or time_ns() > lane.until_ns
            if due is None or late or lane.resume_at is not None:
                return
            await self._try_again(lane, *due, ledger)

    async def _try_again(self, lane: Lane, key: bytes, state: ParkedEvent, ledger: Ledger) -> None:
        try:
            record = state.record or await self._read_back(state)
        except BusError as error:
            logger.warning("%s could not read a parked event: %s", self.subscription.group, error)
            lane.resume_at = monotonic() + WITHOUT_BROKER_SECONDS
            return
        if state.reason == STRAY:
            lane.parked.remove(key, state.offset)
            self.rows.released(lane.parked.home, state, record)
            self.offsets.done(lane.partition, None)
            return
        received, attempt, keys = time_ns(), state.attempts + 1, lane.parked.keys
        verdict = admit(record, self.subscription.expected[lane.partition.topic], lane.window)
        if isinstance(verdict, Event):
            verdict = Verdict(await self._handle(lane, verdict, attempt, received), HANDLE, verdict)
        outcome, event, fate = verdict.outcome, verdict.event, Fate.GONE
        if self._rests(lane, record, outcome):
            fate = Fate.STUCK
        elif outcome is ACK and event is not None:
            lane.window.handled(event)
        elif keys.is_first(key, state):
            outcome, fate = await self._decide(lane, record, state, verdict)
        ledger.note(record, event, outcome, attempt, (received, time_ns()))
        if not keys.is_first(key, state):
            return  # an operator has decided otherwise meanwhile
        if fate is Fate.GONE:
            lane.parked.remove(key, state.offset)
            self.rows.released(lane.parked.home, state, record)
        elif fate is Fate.PARKED:
            keys.changed(key, state)
            self.rows.parked(lane.parked.home, state, record)

    async def _read_back(self, state: ParkedEvent) -> Record:
        """Return a parked event that is not kept in memory."""
        if state.row_offset < 0:
            await self.rows.flush()
        row = read_row(await self._fetch(state.row_offset))
        if row is None or row.event is None or row.event.record is None:
            raise BusUnavailableError(f"the parked event is not there - at {state.row_offset}")
        return row.event.record

    def _rests(self, lane: Lane, record: Record, outcome: Outcome) -> bool:
        """Let the whole partition rest where the event is not to blame; return whether it does."""
        if not isinstance(outcome, Retry):
            return False
        attempt, policy = lane.attempt_of(record.offset), self.subscription.retry
        if outcome.reason is Reason.ABANDONED:
            wait = 0.0  # the process stops; whoever holds the partition next begins anew
        elif outcome.reason in NOT_THE_EVENTS_FAULT and policy.unavailable_forever:
            wait = policy.rest_seconds(attempt, _chance(), asked=outcome.after_seconds)
        else:
            return False
        lane.resting_offset, lane.attempts = record.offset, attempt
        lane.resume_at = monotonic() + wait
        self._log(record, outcome, attempt, f"the partition rests for {wait:.1f} s")
        return True

    async def _decide(
        self, lane: Lane, record: Record, state: ParkedEvent, verdict: Verdict
    ) -> "tuple[Outcome, Fate]":
        """Turn a failure into a wait or a dead letter, and note on `state` how the event stands then."""
        outcome, attempts, held = verdict.outcome, state.attempts + 1, False
        if isinstance(outcome, Retry):
            wait = self.subscription.retry.wait_seconds(attempts, _chance(), asked=outcome.after_seconds)
            if wait is not None:
                state.due_us = self._broker_us(time_ns()) + int(wait * 1e6)
                state.attempts, state.reason = attempts, outcome.reason.value
                self._log(record, outcome, attempts, f"its key is parked, again in {wait:.1f} s")
                return outcome, Fate.PARKED
            held = self.subscription.retry.when_exhausted == "hold"
            detail = EXHAUSTED_HELD if held else EXHAUSTED
            outcome = DeadLetter(outcome.reason, detail, outcome.error)
        if not isinstance(outcome, DeadLetter):
            return outcome, Fate.GONE
        if not await self._bury(record, outcome, verdict.stage, state, held):
            lane.resume_at = monotonic() + WITHOUT_BROKER_SECONDS
            return Retry(Reason.BUS_UNAVAILABLE, WITHOUT_BROKER_SECONDS), Fate.STUCK
        state.attempts, state.reason, state.held = attempts, outcome.reason.value, held
        return outcome, Fate.PARKED if held else Fate.GONE

    async def _bury(
        self, record: Record, verdict: DeadLetter, stage: str, state: ParkedEvent, held: bool
    ) -> bool:
        """Write the dead letter; until it is on the broker, the record is not done with."""
        attempts = state.attempts + 1
        letter = dead_letter(
            record,
            verdict,
            subscription=self.subscription.name,
            stage=stage,
            attempts=attempts,
            first_us=state.first_us,
            last_us=self._broker_us(time_ns()),
            held=held,
        )
        try:
            try:
                await self._set_aside(letter)
            except RefusedError:
                await self._set_aside(without_value(letter))
        except BusError as error:
            logger.warning("%s could not set an event aside: %s", self.subscription.group, error)
            return False
        self._log(record, verdict, attempts, "dead letter, its key is held" if held else "dead letter")
        return True

    def _log(self, record: Record, outcome: Retry | DeadLetter, attempt: int, what: str) -> None:
        logger.warning(
            "%s %s/%d/%d attempt %d: %s, %s%s", self.subscription.group, record.topic, record.partition,
            record.offset, attempt, outcome.reason, what, f" ({outcome.error})" if outcome.error else "",
        )  # fmt: skip

    def _broker_us(self, local_ns: int) -> int:
        return local_ns // 1000 + self._clock.offset_us


def _chance() -> float:
    return random.random()  # noqa: S311 - spreads load, keeps no secret
