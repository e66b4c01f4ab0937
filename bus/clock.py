"""The broker's clock, as seen from this process. Pure: readings come in, an estimate goes out.

An acknowledgement carries the broker's time of a record, between the local times at which it was sent and
acknowledged. As in NTP (RFC 5905, section 8) the offset is the broker's time minus the middle of those two;
the reading with the shortest round trip is the best, wrong by at most half of it.
"""

from dataclasses import dataclass

STALE_AFTER_US = 60_000_000


@dataclass(slots=True)
class BrokerClock:
    """Estimates broker clock minus local clock, in microseconds."""

    offset_us: int = 0
    """What to add to local time to have broker time."""
    _round_trip_us: int = 1 << 62
    _taken_us: int = 0

    def read(self, sent_us: int, broker_us: int, acknowledged_us: int) -> None:
        """Take one reading; a shorter round trip, or a stale estimate, replaces the offset.

        Args:
            sent_us: local time at which the batch was handed to the network.
            broker_us: the broker's append time of the batch.
            acknowledged_us: local time of the acknowledgement.
        """
        round_trip = acknowledged_us - sent_us
        stale = acknowledged_us - self._taken_us > STALE_AFTER_US
        if round_trip < 0 or (round_trip > self._round_trip_us and not stale):
            return
        # The broker's clock ticks in whole milliseconds: the middle of the tick is the best guess.
        self.offset_us = broker_us + 500 - (sent_us + acknowledged_us) // 2
        self._round_trip_us, self._taken_us = round_trip, acknowledged_us
