"""The broker's clock, as seen from this process.

Law of this file: broker time is a steady clock of this machine plus an offset, so that nothing moves when the
local time of day is set. The time of day matters for the skew alone, by which it differs from the broker's.

An acknowledgement carries the broker's time of a record, between the steady times at which it was sent and
acknowledged. As in NTP (RFC 5905, section 8) the offset is the broker's time minus the middle of those two;
the reading with the shortest round trip is the best, wrong by at most half of it. Two readings that cannot
both be right tell that the broker's clock was set between them: the newer one counts.
"""

import time
from collections.abc import Callable
from functools import partial

STALE_AFTER_NS = 60_000_000_000
BROKERS_US = 1_000_000
"""By how much the clocks of one cluster's brokers may differ, each of which is read in turn."""
STEP_US = 100_000
"""By how much the time of day must move against the steady clock to have been set."""

# While a machine sleeps, Linux' monotonic clock stands still and the broker's goes on.
steady_ns: Callable[[], int] = (
    partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic_ns
)
"""A clock of this machine that is never set, in nanoseconds."""


class BrokerClock:
    """Estimates the broker's time. Until the first reading it is the local time of day.

    Args:
        steady: a clock that is never set, in nanoseconds.
        time_of_day: the local time since the epoch, in nanoseconds.
    """

    def __init__(
        self, steady: Callable[[], int] = steady_ns, time_of_day: Callable[[], int] = time.time_ns
    ) -> None:
        self._steady, self._time_of_day = steady, time_of_day
        self._local_us = self._local_offset_us()
        self._offset_us = self._local_us
        self._round_trip_ns = 1 << 62
        self._taken_ns = 0
        self.skew_us = 0
        """The broker's clock minus the local time of day, as of the latest reading or step."""

    def _local_offset_us(self) -> int:
        return (self._time_of_day() - self._steady()) // 1000

    def read(self, sent_ns: int, broker_us: int, acknowledged_ns: int) -> None:
        """Take one reading; it replaces one that is stale, has a longer round trip, or contradicts it.

        Args:
            sent_ns: steady time at which the batch was handed to the network.
            broker_us: the broker's append time of the batch.
            acknowledged_ns: steady time of the acknowledgement.
        """
        round_trip = acknowledged_ns - sent_ns
        # The broker's clock ticks in whole milliseconds: the middle of the tick is the best guess.
        offset_us = broker_us + 500 - (sent_ns + acknowledged_ns) // 2000
        stale = acknowledged_ns - self._taken_ns > STALE_AFTER_NS
        error_us = (round_trip + self._round_trip_ns) // 2000 + BROKERS_US
        contradicts = abs(offset_us - self._offset_us) > error_us
        if round_trip < 0 or (round_trip > self._round_trip_ns and not stale and not contradicts):
            return
        self._offset_us = offset_us
        self._round_trip_ns, self._taken_ns = round_trip, acknowledged_ns
        self._local_us = self._local_offset_us()
        self.skew_us = self._offset_us - self._local_us

    def has_stepped(self) -> bool:
        """Notice whether the time of day was set since the latest reading; then the next reading is taken.

        Either the time of day is another, or the steady clock stood still while the machine did.
        """
        local_us = self._local_offset_us()
        if abs(local_us - self._local_us) < STEP_US:
            return False
        self._local_us = local_us
        self._round_trip_ns = 1 << 62
        self.skew_us = self._offset_us - local_us
        return True

    def now_us(self) -> int:
        """Return the broker's time now, in microseconds since the epoch."""
        return self._steady() // 1000 + self._offset_us

    def at_us(self, steady_at_ns: int) -> int:
        """Return the broker's time at a time of the steady clock."""
        return steady_at_ns // 1000 + self._offset_us
