"""The monitor's now is the broker's, whatever the clock of its machine says."""

from datetime import UTC, datetime, timedelta

import pytest

from bus import StoredRecord, TopicPartition
from observability.clock import TICK_US, BrokerNow

PLACE = TopicPartition("health.receipts", 0)
TRUE = 1_790_000_000_000_000
"""The broker's time when the monitor begins, in microseconds since the epoch."""


class Machine:
    """A machine whose time of day is wrong, and is set."""

    def __init__(self, wrong_us: int) -> None:
        self.passed_us = 0
        self.wrong_us = wrong_us

    def steady(self) -> int:
        """Return nanoseconds since it was started."""
        return (5_000_000 + self.passed_us) * 1000

    def time_of_day(self) -> int:
        """Return what it takes for the time, in nanoseconds since the epoch."""
        return (TRUE + self.passed_us + self.wrong_us) * 1000

    def now(self) -> BrokerNow:
        """Return a monitor's now."""
        return BrokerNow(self.steady, self.time_of_day)


def record(stamped_us: int, offset: int = 0) -> StoredRecord:
    """Return a record of receipts."""
    return StoredRecord(*PLACE, offset, stamped_us // 1000, None, b"", ())


def error_us(now: BrokerNow, machine: Machine) -> int:
    """Return how far a monitor's now is ahead of the broker's."""
    true = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=TRUE + machine.passed_us)
    return round((now() - true) / timedelta(microseconds=1))


@pytest.mark.parametrize("stepped_us", [-3_600_000_000, 3_600_000_000])
def test_a_step_of_the_time_of_day_changes_nothing(stepped_us: int) -> None:
    """As where a machine is set by hand, or by NTP after a long time."""
    machine = Machine(0)
    now = machine.now()
    machine.passed_us, machine.wrong_us = 7_000_000, stepped_us
    assert error_us(now, machine) == 0


@pytest.mark.parametrize("wrong_us", [-3_600_000_000, -2_000_000, 2_000_000, 3_600_000_000])
def test_a_clock_that_is_wrong_is_mended_by_the_next_records(wrong_us: int) -> None:
    """To the time that passes between asking for the ends and reading what came after."""
    machine = Machine(wrong_us)
    now = machine.now()
    assert error_us(now, machine) == wrong_us
    now.ended(now.steady_us, {PLACE: 40})
    machine.passed_us += 300_000
    stamped_us = TRUE + machine.passed_us
    machine.passed_us += 50_000
    now.arrived([record(stamped_us - 86_400_000_000, 39), record(stamped_us, 40)])
    assert -50_000 - TICK_US <= error_us(now, machine) <= 300_000 + TICK_US


def test_a_right_clock_is_not_moved_by_what_is_old_or_slow() -> None:
    """Neither by records from before, nor by one that took long: it lies within what they say."""
    machine = Machine(0)
    now = machine.now()
    now.ended(now.steady_us, {PLACE: 40})
    machine.passed_us += 4_000_000
    now.arrived([record(TRUE - 9_000_000, 39), record(TRUE + 1_000_000, 40)])
    now.arrived([record(TRUE - 9_000_000_000)])
    assert error_us(now, machine) == 0
