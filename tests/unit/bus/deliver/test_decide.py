"""What follows from an attempt at an event: every row of the table, without a broker or an event loop."""

from itertools import product

import pytest

from bus import Ack, DeadLetter, Outcome, Reason, Retry, RetryPolicy
from bus.deliver.decide import (
    EXHAUSTED,
    EXHAUSTED_HELD,
    OUTAGES,
    Decision,
    Done,
    Hold,
    ParkUntil,
    RestPartition,
    WriteDeadLetter,
    decide,
)
from bus.parking.keys import KeyState

FREE, BEHIND, OVERRULED = KeyState.FREE, KeyState.BEHIND, KeyState.OVERRULED
HOLDS = RetryPolicy((10.0, 30.0), jitter=0.1)
RELEASES = RetryPolicy((10.0, 30.0), jitter=0.1, when_exhausted="release")
BLAMES = RetryPolicy((10.0, 30.0), jitter=0.1, unavailable_forever=False)
NOW_US = 1_000_000_000
FAILED, AWAY, REJECTED = Reason.HANDLER_FAILED, Reason.TARGET_UNAVAILABLE, Reason.TARGET_REJECTED


def after(seconds: float) -> int:
    """Return broker time so many seconds from now."""
    return NOW_US + int(seconds * 1e6)


@pytest.mark.parametrize(
    ("outcome", "policy", "attempts", "rests", "key", "chance", "expected"),
    [
        # An acknowledged event is done with, whatever its key waits for, and also as a duplicate.
        (Ack(), HOLDS, 1, 1, FREE, 0.5, Done()),
        (Ack(Reason.DUPLICATE), HOLDS, 1, 1, FREE, 0.5, Done()),
        (Ack(), HOLDS, 99, 9, OVERRULED, 0.5, Done()),
        # The process stops: nothing is decided, the next holder of the partition tries it.
        (Retry(Reason.ABANDONED), HOLDS, 1, 1, FREE, 0.5, RestPartition(0.0)),
        (Retry(Reason.ABANDONED, 60.0), HOLDS, 99, 9, OVERRULED, 0.5, RestPartition(0.0)),
        # An outage is not the event's fault: the partition rests, longer each time, and without an end.
        (Retry(AWAY), HOLDS, 1, 1, FREE, 0.5, RestPartition(0.1)),
        (Retry(AWAY), HOLDS, 1, 3, FREE, 0.5, RestPartition(2.0)),
        (Retry(AWAY), HOLDS, 99, 99, FREE, 0.5, RestPartition(30.0)),
        (Retry(AWAY), HOLDS, 1, 1, FREE, 0.0, RestPartition(0.1 * 0.9)),
        (Retry(AWAY, 7.0), HOLDS, 1, 1, FREE, 0.5, RestPartition(7.0)),
        (Retry(Reason.BUS_UNAVAILABLE), HOLDS, 1, 1, FREE, 0.5, RestPartition(0.1)),
        (Retry(AWAY), HOLDS, 1, 1, OVERRULED, 0.5, RestPartition(0.1)),
        # Unless the policy says that it is: then it is a failure like any other.
        (Retry(AWAY), BLAMES, 1, 1, FREE, 0.5, ParkUntil(after(10), 1, AWAY)),
        # What an operator has decided meanwhile stands.
        (Retry(FAILED), HOLDS, 1, 1, OVERRULED, 0.5, Done()),
        (Retry(FAILED), HOLDS, 3, 1, OVERRULED, 0.5, Done()),
        (DeadLetter(REJECTED), HOLDS, 1, 1, OVERRULED, 0.5, Done()),
        # An event behind a parked one waits for it, not for a time, and was not tried.
        (Retry(Reason.KEY_PARKED), HOLDS, 0, 1, BEHIND, 0.5, ParkUntil(0, 0, Reason.KEY_PARKED)),
        # A failure is tried again by the schedule, chance moves the wait, the error may say another one.
        (Retry(FAILED), HOLDS, 1, 1, FREE, 0.5, ParkUntil(after(10), 1, FAILED)),
        (Retry(FAILED), HOLDS, 2, 1, FREE, 0.5, ParkUntil(after(30), 2, FAILED)),
        (Retry(FAILED), HOLDS, 1, 1, FREE, 0.0, ParkUntil(after(9), 1, FAILED)),
        (Retry(FAILED, 5.0), HOLDS, 2, 1, FREE, 0.9, ParkUntil(after(5), 2, FAILED)),
        (Retry(FAILED, -1.0), HOLDS, 1, 1, FREE, 0.9, ParkUntil(NOW_US, 1, FAILED)),
        # The schedule is over: a dead letter, and the key is held or released. No error asks for more.
        (Retry(FAILED, error="KeyError"), HOLDS, 3, 1, FREE, 0.5,
         Hold(DeadLetter(FAILED, EXHAUSTED_HELD, "KeyError"))),
        (Retry(FAILED, 5.0), HOLDS, 3, 1, FREE, 0.5, Hold(DeadLetter(FAILED, EXHAUSTED_HELD))),
        (Retry(FAILED, error="KeyError"), RELEASES, 3, 1, FREE, 0.5,
         WriteDeadLetter(DeadLetter(FAILED, EXHAUSTED, "KeyError"))),
        (Retry(AWAY), BLAMES, 3, 1, FREE, 0.5, Hold(DeadLetter(AWAY, EXHAUSTED_HELD))),
        (Retry(FAILED), RetryPolicy(()), 1, 1, FREE, 0.5, Hold(DeadLetter(FAILED, EXHAUSTED_HELD))),
        # A fault that stays is a dead letter at once, and the key goes on.
        (DeadLetter(REJECTED, "no"), HOLDS, 1, 1, FREE, 0.5, WriteDeadLetter(DeadLetter(REJECTED, "no"))),
        (DeadLetter(AWAY), HOLDS, 1, 1, FREE, 0.5, WriteDeadLetter(DeadLetter(AWAY))),
    ],
)  # fmt: skip
def test_a_row_of_the_table(
    *,
    outcome: Outcome,
    policy: RetryPolicy,
    attempts: int,
    rests: int,
    key: KeyState,
    chance: float,
    expected: Decision,
) -> None:
    """The first row of the table that fits decides."""
    found = decide(
        outcome, policy, attempts=attempts, rests=rests, key=key, now_us=NOW_US, chance=chance
    )  # fmt: skip
    assert found == expected


OUTCOMES: list[Outcome] = [
    Ack(),
    *(Retry(reason) for reason in Reason),
    *(DeadLetter(reason) for reason in Reason),
]


@pytest.mark.parametrize("policy", [HOLDS, RELEASES, BLAMES])
def test_every_combination_has_a_decision(policy: RetryPolicy) -> None:
    """No outcome, reason, state of the key or number of attempts is left without one of the five."""
    kinds = set()
    for outcome, key, attempts in product(OUTCOMES, KeyState, (0, 1, 2, 3, 100)):
        found = decide(
            outcome, policy, attempts=max(attempts, 1), rests=1, key=key, now_us=NOW_US, chance=0.5
        )  # fmt: skip
        kinds.add(type(found))
        if isinstance(outcome, Retry) and outcome.reason in OUTAGES and policy.unavailable_forever:
            assert isinstance(found, RestPartition)
    exhausted = Hold if policy.when_exhausted == "hold" else WriteDeadLetter
    assert kinds == {Done, ParkUntil, RestPartition, WriteDeadLetter, exhausted}
