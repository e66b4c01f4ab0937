"""Now, on the broker's clock, as the monitor learns it from what it reads.

Law of this file: the broker's time is a steady clock of this machine plus an offset, so that nothing moves
when the local time of day is set. The offset is that of the time of day until the cluster is there, then that
of a record written to learn it, and moves with those that are read.

A record that has arrived was stamped before. One that was not there when the ends of the topics were asked
for was stamped after that. The offset moves only as far as these two say.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from time import time_ns

from bus import Record, TopicPartition, steady_ns

TICK_US = 1_000
"""The broker stamps in whole milliseconds."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BrokerNow:
    """The current time on the broker's clock; call it.

    Args:
        steady: a clock that is never set, in nanoseconds.
        time_of_day: the local time since the epoch, in nanoseconds, which counts until `learn`.
    """

    def __init__(
        self, steady: Callable[[], int] = steady_ns, time_of_day: Callable[[], int] = time_ns
    ) -> None:
        self._steady = steady
        self._offset_us = (time_of_day() - steady()) // 1000
        self._asked_us = 0
        self._ends: Mapping[TopicPartition, int] = {}

    def __call__(self) -> datetime:
        """Return the time."""
        return _EPOCH + timedelta(microseconds=self._steady() // 1000 + self._offset_us)

    @property
    def steady_us(self) -> int:
        """The steady clock, in microseconds."""
        return self._steady() // 1000

    def learn(self, offset_us: int) -> None:
        """Take the broker's time minus the steady clock, in microseconds, as it was read."""
        self._offset_us = offset_us

    def ended(self, asked_us: int, ends: Mapping[TopicPartition, int]) -> None:
        """Note where partitions ended, and the steady time at which that was asked."""
        self._asked_us, self._ends = asked_us, ends

    def arrived(self, records: Iterable[Record]) -> None:
        """Learn from records that have just been read."""
        arrived_us = self.steady_us
        for record in records:
            stamped_us = record.timestamp * 1000
            self._offset_us = max(self._offset_us, stamped_us - arrived_us)
            end = self._ends.get(TopicPartition(record.topic, record.partition))
            if end is not None and record.offset >= end:
                self._offset_us = min(self._offset_us, stamped_us + TICK_US - self._asked_us)
