"""Waits double up to a limit, and chance shortens each by at most half."""

import pytest

from bus import Backoff


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"),
    [
        (1, 1.0, 0.5),
        (1, 0.0, 0.25),
        (2, 1.0, 1.0),
        (2, 0.5, 0.75),
        (7, 1.0, 32.0),
        (8, 1.0, 60.0),
        (5_000, 0.0, 30.0),
    ],
)
def test_a_wait_doubles_up_to_its_limit(attempt: int, chance: float, seconds: float) -> None:
    """Every attempt has its step, and chance takes up to half of it away."""
    assert Backoff(0.5, 60.0).wait_seconds(attempt, chance) == seconds
