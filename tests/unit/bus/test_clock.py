"""The broker's clock: a steady clock and an offset, which the shortest round trip tells best."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.times.clock import STALE_AFTER_NS, STEP_US, BrokerClock

MS, SECOND, HOUR = 1_000_000, 1_000_000_000, 3_600_000_000_000
EPOCH = 1_700_000_000 * SECOND


class Machine:
    """The two clocks of a machine, set by hand."""

    def __init__(self) -> None:
        self.steady = 17 * HOUR
        self.day = EPOCH

    def passes(self, nanoseconds: int) -> None:
        """Let time go by."""
        self.steady += nanoseconds
        self.day += nanoseconds

    def clock(self) -> BrokerClock:
        """Return a broker's clock on this machine."""
        return BrokerClock(lambda: self.steady, lambda: self.day)


def read(machine: Machine, clock: BrokerClock, broker_ahead: int = 0, round_trip: int = 2 * MS) -> None:
    """Send a record and take its acknowledgement; the broker's clock is ahead of the first time of day."""
    sent, broker = machine.steady, EPOCH + broker_ahead + machine.steady - 17 * HOUR + round_trip // 2
    machine.passes(round_trip)
    clock.read(sent, broker // MS * 1000, machine.steady)


def test_without_a_reading_the_time_of_day_serves() -> None:
    """There is no better one yet."""
    machine = Machine()
    clock = machine.clock()
    machine.passes(SECOND)
    assert (clock.now_us(), clock.skew_us) == ((EPOCH + SECOND) // 1000, 0)


@pytest.mark.parametrize("ahead", [0, 250 * MS, -HOUR, HOUR])
def test_one_reading_tells_time_and_skew(ahead: int) -> None:
    """A round trip of 2 ms tells them to the millisecond, however far the time of day is off."""
    machine = Machine()
    clock = machine.clock()
    read(machine, clock, ahead)
    assert abs(clock.skew_us * 1000 - ahead) <= MS
    assert abs(clock.now_us() * 1000 - machine.day - ahead) <= MS
    assert clock.at_us(machine.steady + HOUR) == clock.now_us() + HOUR // 1000


@pytest.mark.parametrize("step", [45 * SECOND, -45 * SECOND, HOUR])
def test_broker_time_does_not_move_when_the_time_of_day_is_set(step: int) -> None:
    """What was due in a minute is due in a minute; the skew alone is another, once it is noticed."""
    machine = Machine()
    clock = machine.clock()
    read(machine, clock)
    before = clock.now_us()
    machine.day += step
    assert clock.now_us() == before
    assert clock.has_stepped()
    assert not clock.has_stepped()
    assert abs(clock.skew_us * 1000 + step) <= MS


def test_after_a_step_any_reading_is_better_than_none() -> None:
    """The steady clock may have stood still with the machine, while the broker's went on."""
    machine = Machine()
    clock = machine.clock()
    read(machine, clock)
    machine.day += HOUR
    assert clock.has_stepped()
    read(machine, clock, HOUR, round_trip=40 * MS)
    assert abs(clock.now_us() * 1000 - machine.day) <= 21 * MS


def test_a_small_adjustment_is_no_step() -> None:
    """NTP moves a clock by less, all the time."""
    machine = Machine()
    clock = machine.clock()
    read(machine, clock)
    machine.day += STEP_US * 1000 - SECOND // 100
    assert not clock.has_stepped()


def test_a_longer_round_trip_changes_nothing() -> None:
    """Until the reading is stale: it may be off by half its round trip, and by another broker's clock."""
    machine = Machine()
    clock = machine.clock()
    read(machine, clock, round_trip=MS)
    best = clock.skew_us
    ahead = 3 * SECOND // 2
    read(machine, clock, ahead, round_trip=SECOND)
    assert clock.skew_us == best
    machine.passes(STALE_AFTER_NS)
    read(machine, clock, ahead, round_trip=SECOND)
    assert abs(clock.skew_us * 1000 - ahead) <= MS


@pytest.mark.parametrize("step", [300 * SECOND, -300 * SECOND, 3 * SECOND])
def test_a_clock_of_the_broker_that_is_set_is_followed_at_once(step: int) -> None:
    """Else durations would be off by that for a minute: no longer round trip explains it."""
    machine = Machine()
    clock = machine.clock()
    read(machine, clock, round_trip=MS)
    read(machine, clock, step, round_trip=SECOND)
    assert abs(clock.now_us() * 1000 - machine.day - step) <= SECOND // 2
    assert abs(clock.skew_us * 1000 - step) <= SECOND // 2


def test_a_clock_of_the_broker_that_runs_fast_is_followed() -> None:
    """As one that is 5 min behind and slewed, by 8 % at most with chrony."""
    machine = Machine()
    clock, ahead = machine.clock(), 0
    read(machine, clock, round_trip=MS)
    for _ in range(600):
        machine.passes(SECOND // 2)
        ahead += SECOND // 24
        read(machine, clock, ahead, round_trip=2 * MS)
        assert abs(clock.now_us() * 1000 - machine.day - ahead) <= 1.1 * SECOND


def test_an_acknowledgement_before_its_sending_is_no_reading() -> None:
    """It says nothing."""
    machine = Machine()
    clock = machine.clock()
    clock.read(machine.steady, EPOCH // 1000 + 5, machine.steady - 1)
    assert clock.skew_us == 0


@given(st.integers(-HOUR // 1000, HOUR // 1000), st.integers(0, 100_000), st.integers(0, 100_000))
def test_the_error_is_half_the_round_trip_and_a_tick_at_most(skew_us: int, there: int, back: int) -> None:
    """NTP's bound, plus the broker's whole millisecond."""
    machine = Machine()
    clock, sent = machine.clock(), machine.steady
    ticked = (EPOCH // 1000 + there + skew_us) // 1000 * 1000
    machine.passes((there + back) * 1000)
    clock.read(sent, ticked, machine.steady)
    assert abs(clock.skew_us - skew_us) <= (there + back) / 2 + 1_002
