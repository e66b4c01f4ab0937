"""The broker's clock: the shortest round trip is the best reading, and a stale one gives way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.clock import STALE_AFTER_US, BrokerClock

HOUR_US = 3_600_000_000


@pytest.mark.parametrize("skew_us", [0, 250_000, -HOUR_US, HOUR_US])
def test_the_offset_is_the_brokers_time_less_the_middle(skew_us: int) -> None:
    """A round trip of 2 ms tells the skew to the millisecond."""
    clock = BrokerClock()
    clock.read(HOUR_US, HOUR_US + 1_000 + skew_us, HOUR_US + 2_000)
    assert abs(clock.offset_us - skew_us) <= 1_000


def test_a_longer_round_trip_changes_nothing() -> None:
    """Until the reading is stale."""
    clock = BrokerClock()
    clock.read(HOUR_US, HOUR_US, HOUR_US + 1_000)
    best = clock.offset_us
    clock.read(HOUR_US + 5_000, HOUR_US + 900_000, HOUR_US + 1_000_000)
    assert clock.offset_us == best
    late = HOUR_US + STALE_AFTER_US + 10_000
    clock.read(late, late + 500_000, late + 1_000_000)
    assert clock.offset_us == 500


def test_a_clock_that_ran_backwards_is_no_reading() -> None:
    """An acknowledgement before its sending says nothing."""
    clock = BrokerClock()
    clock.read(HOUR_US, HOUR_US, HOUR_US - 1)
    assert clock.offset_us == 0


@given(st.integers(-HOUR_US, HOUR_US), st.integers(0, 100_000), st.integers(0, 100_000))
def test_the_error_is_half_the_round_trip_and_a_tick_at_most(skew_us: int, there: int, back: int) -> None:
    """NTP's bound, plus the broker's whole millisecond."""
    clock, sent = BrokerClock(), 10 * HOUR_US
    ticked = (sent + there + skew_us) // 1000 * 1000
    clock.read(sent, ticked, sent + there + back)
    assert abs(clock.offset_us - skew_us) <= (there + back) / 2 + 1_001
