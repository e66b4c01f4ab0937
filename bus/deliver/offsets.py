"""Which offset to commit. Pure.

Law of this file: the next offset of a partition is that behind the last record before which nothing is
unfinished; only explicit offsets are committed, and only for partitions that this process holds. How many
records are not committed is counted per partition, and goes with it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bus.record import TopicPartition


@dataclass(slots=True)
class OffsetTracker:
    """The next offset of each partition, and how many finished records are not committed yet."""

    _next: dict[TopicPartition, int] = field(default_factory=dict)
    _pending: Counter[TopicPartition] = field(default_factory=Counter)
    _taken: dict[TopicPartition, int] = field(default_factory=dict)
    _taken_records: Counter[TopicPartition] = field(default_factory=Counter)

    def done(self, partition: TopicPartition, offset: int | None, count: int = 1) -> None:
        """Note that the record at `offset` and all before it are finished: `count` more.

        Args:
            partition: its partition.
            offset: None if parked records were tried, which moves no offset.
            count: how many a kill would repeat.
        """
        if offset is not None:
            self._next[partition] = offset + 1
        self._pending[partition] += count

    def take(self) -> Mapping[TopicPartition, int]:
        """Return the offsets to commit, and begin to collect the next ones.

        One commit at a time; offsets of partitions that leave meanwhile vanish from what was returned.
        """
        self._taken, self._next = self._next, {}
        self._taken_records, self._pending = self._pending, Counter()
        return self._taken

    def committed(self) -> None:
        """Note that the offsets taken last are committed."""
        self._taken, self._taken_records = {}, Counter()

    def give_back(self) -> None:
        """Take back the offsets taken last, which could not be committed; later progress wins."""
        for partition, position in self._taken.items():
            self._next[partition] = max(position, self._next.get(partition, 0))
        self._pending += self._taken_records
        self.committed()

    @property
    def pending_records(self) -> int:
        """Finished records since the last `take`."""
        return self._pending.total()

    @property
    def uncommitted_records(self) -> int:
        """Finished records that are not committed yet: a kill repeats them."""
        return self._pending.total() + self._taken_records.total()

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop partitions that this process no longer holds: their new holder commits them."""
        for partition in partitions:
            for kept in (self._next, self._pending, self._taken, self._taken_records):
                kept.pop(partition, None)
