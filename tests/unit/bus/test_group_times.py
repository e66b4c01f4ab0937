"""The times of a group fit together, whatever a handler may take."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bus import UsageError
from bus.times.group_times import (
    CANCEL_SECONDS,
    CLOSE_SECONDS,
    COMMIT_SECONDS,
    HEARTBEAT_SECONDS,
    LONGEST_WAIT_SECONDS,
    SESSION_SECONDS,
    group_times,
)
from tests.small_catalog import SmallCountry
from tests.worlds import MemoryWorld

LIMITS = st.one_of(st.floats(0.001, 1e9), st.just(math.inf))


@given(LIMITS)
@example(60.0)
@example(LONGEST_WAIT_SECONDS)
def test_a_member_has_handed_over_before_the_broker_gives_it_up(limit: float) -> None:
    """It hears of the rebalance, lets handlers end or interrupts them, commits, closes: all fit in."""
    times = group_times(limit)
    steps = HEARTBEAT_SECONDS + times.finish_seconds + CANCEL_SECONDS + COMMIT_SECONDS + CLOSE_SECONDS
    assert steps < times.rebalance_seconds


@given(LIMITS, st.floats(0, 1))
def test_a_handler_in_hand_may_finish_or_is_moved(limit: float, share: float) -> None:
    """What is left of its own time it has, up to the longest that a group waits."""
    left = limit * share if math.isfinite(limit) else limit
    assert group_times(limit).finish_seconds > min(left, LONGEST_WAIT_SECONDS)


@given(LIMITS, LIMITS)
def test_a_join_is_answered_in_time(limit: float, longer: float) -> None:
    """The answer comes when the slowest member has joined; the more a handler may take, the longer."""
    quick, slow = map(group_times, sorted((limit, longer)))
    assert slow.answer_seconds > slow.rebalance_seconds >= quick.rebalance_seconds


@given(LIMITS)
def test_no_member_leaves_while_its_handler_may_run(limit: float) -> None:
    """Not though one event in hand is all that it may take, so that it polls no more meanwhile."""
    times = group_times(limit)
    assert times.idle_seconds > min(limit, 1_900_000.0)
    assert times.idle_seconds > SESSION_SECONDS >= 3 * HEARTBEAT_SECONDS


@given(LIMITS)
def test_kafka_can_be_told(limit: float) -> None:
    """It counts milliseconds in 31 bits."""
    times = group_times(limit)
    for seconds in (times.rebalance_seconds, times.idle_seconds, times.answer_seconds):
        assert 0 < int(seconds * 1000) < 2**31


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan])
def test_a_handler_that_may_take_no_time_is_refused(tmp_path: Path, seconds: float) -> None:
    """The message names the option."""
    world = MemoryWorld(SmallCountry(tmp_path))
    bus = world.bus(world.country.south)
    with pytest.raises(UsageError, match=r"Expected more than 0 seconds, got .* - at `timeout_seconds`"):
        bus.subscribe(world.country.opened, version=1, purpose="close-cases", timeout_seconds=seconds)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "16", None])
def test_a_concurrency_is_a_whole_number(tmp_path: Path, concurrency: object) -> None:
    """The message names the option."""
    world = MemoryWorld(SmallCountry(tmp_path))
    bus = world.bus(world.country.south)
    options: dict[str, Any] = {"version": 1, "purpose": "close-cases", "concurrency": concurrency}
    with pytest.raises(UsageError, match=r"Expected a whole number of at least 1, .* - at `concurrency`"):
        bus.subscribe(world.country.opened, **options)
