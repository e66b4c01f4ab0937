"""Retries: a schedule is a table, chance moves a wait by its share, an outage is waited out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import RetryPolicy

STEADY = RetryPolicy((1.0, 5.0), jitter=0)
NEVER = RetryPolicy(())
DEFAULT = RetryPolicy(jitter=0)


@pytest.mark.parametrize(
    ("policy", "attempt", "requested", "expected"),
    [
        (STEADY, 1, None, 1.0),
        (STEADY, 2, None, 5.0),
        (STEADY, 3, None, None),
        (STEADY, 1, 60.0, 60.0),
        (STEADY, 1, -1.0, 0.0),
        (STEADY, 3, 60.0, None),
        (NEVER, 1, None, None),
        (DEFAULT, 1, None, 10.0),
        (DEFAULT, 11, None, 12 * 3600.0),
        (DEFAULT, 12, None, None),
    ],
)
def test_the_wait_after_an_attempt(
    policy: RetryPolicy, attempt: int, requested: float | None, expected: float | None
) -> None:
    """Attempt, and what the error asked for, say how long, or that it is over."""
    assert policy.wait_seconds(attempt, 0.5, requested=requested) == expected


def test_the_default_schedule_lasts_a_night_and_a_day() -> None:
    """11 retries within 34 h 46 min 40 s."""
    waits = DEFAULT.schedule_seconds
    assert (len(waits), sum(waits)) == (11, 34 * 3600 + 46 * 60 + 40)


@pytest.mark.parametrize(
    ("attempt", "requested", "expected"),
    [(1, None, 0.1), (7, None, 30.0), (999, None, 30.0), (999, 60.0, 60.0)],
)
def test_an_outage_is_waited_out_without_end(attempt: int, requested: float | None, expected: float) -> None:
    """The last rest repeats; what the error asks for wins."""
    assert STEADY.rest_seconds(attempt, 0.5, requested=requested) == expected


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 1), st.integers(1, 11))
def test_chance_moves_a_wait_by_its_share_at_most(chance: float, jitter: float, attempt: int) -> None:
    """Many subscribers spread, and none waits less than nothing."""
    policy = RetryPolicy(jitter=jitter)
    plain, found = policy.schedule_seconds[attempt - 1], policy.wait_seconds(attempt, chance)
    assert found is not None
    assert plain * (1 - jitter) * 0.999 <= found <= plain * (1 + jitter) * 1.001
    assert found >= 0
