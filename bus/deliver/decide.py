"""What follows from an attempt at an event. Pure: one table, no broker, no clock, no event loop.

The first row that fits decides:

| outcome | condition | decision |
|---|---|---|
| `Ack` | | `Done` |
| `Retry` | the handler was abandoned: the process stops | `RestPartition(0)` |
| `Retry` | target or bus is away, and the policy waits for it | `RestPartition` by the outage schedule |
| any | meanwhile an operator redrove or discarded the event | `Done` |
| `Retry` | an earlier event of its key is parked | `ParkUntil` that one is done |
| `Retry` | the schedule has another attempt | `ParkUntil` that time |
| `Retry` | the schedule is exhausted, and the policy holds the key | `Hold` |
| `Retry` | the schedule is exhausted, and the policy releases the key | `WriteDeadLetter` |
| `DeadLetter` | | `WriteDeadLetter` |

Model: `h11/_state.py` (python-hyper/h11), behaviour as a table of values.
"""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from bus.deliver.retry import RetryPolicy
from bus.outcome import Ack, DeadLetter, Outcome, Reason, Retry
from bus.parking.keys import KeyState

OUTAGES = frozenset({Reason.TARGET_UNAVAILABLE, Reason.BUS_UNAVAILABLE})
"""Failures that pause the whole partition, however long they last: the event is not to blame."""
EXHAUSTED = "Every retry of the schedule failed"
EXHAUSTED_HELD = f"{EXHAUSTED}; later events of its key wait until it is redriven or discarded"


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more is to be done: the offset may be committed, and the key goes on."""


@dataclass(frozen=True, slots=True)
class ParkUntil:
    """The event and all later ones of its key wait; the offset may be committed.

    Attributes:
        due_us: Broker time of the next attempt, in microseconds since the epoch; 0 behind an earlier event.
        attempts: How often it was tried so far.
        reason: Why it waits.
    """

    due_us: int
    attempts: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Hold:
    """A dead letter is written, and the key waits for an operator; the offset may be committed."""

    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class WriteDeadLetter:
    """A dead letter is written, and the key goes on; the offset may be committed."""

    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class RestPartition:
    """The partition rests, then the same event comes again; the offset may not be committed.

    Attributes:
        seconds: How long.
    """

    seconds: float


Decision: TypeAlias = Done | ParkUntil | Hold | WriteDeadLetter | RestPartition

DONE = Done()


def decide(
    outcome: Outcome,
    policy: RetryPolicy,
    *,
    attempts: int,
    rests: int,
    key: KeyState,
    now_us: int,
    chance: float,
) -> Decision:
    """Return what follows from an attempt at an event; see the table above.

    Args:
        outcome: what the stages or the handler said.
        policy: the subscription's retries.
        attempts: how often the event was tried, this attempt included; those that ended in a rest of the
            partition do not count.
        rests: how often it was tried in a row, those included.
        key: how the event stands to the parked events of its key.
        now_us: broker time, in microseconds since the epoch.
        chance: a random number in [0, 1).
    """
    match outcome:
        case Ack():
            return DONE
        case Retry(reason=Reason.ABANDONED):
            return RestPartition(0.0)  # the next holder of the partition handles it
        case Retry(reason=reason) if reason in OUTAGES and policy.unavailable_forever:
            return RestPartition(policy.rest_seconds(rests, chance, requested=outcome.after_seconds))
        case _ if key is KeyState.OVERRULED:
            return DONE
        case Retry(reason=reason) if key is KeyState.BEHIND:
            return ParkUntil(0, 0, reason)
        case Retry():
            return _retry(outcome, policy, attempts, now_us, chance)
        case DeadLetter():
            return WriteDeadLetter(outcome)
        case _:
            assert_never(outcome)


def _retry(outcome: Retry, policy: RetryPolicy, attempts: int, now_us: int, chance: float) -> Decision:
    wait = policy.wait_seconds(attempts, chance, requested=outcome.after_seconds)
    if wait is not None:
        return ParkUntil(now_us + int(wait * 1e6), attempts, outcome.reason)
    if policy.when_exhausted == "hold":
        return Hold(DeadLetter(outcome.reason, EXHAUSTED_HELD, outcome.error))
    return WriteDeadLetter(DeadLetter(outcome.reason, EXHAUSTED, outcome.error))
