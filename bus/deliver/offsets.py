"""Which offset to commit. Pure.

Law of this file: per partition, the next position is one past the last record whose outcome is final; only
explicit positions are ever committed, and only for partitions this process holds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bus.record import TopicPartition


@dataclass(slots=True)
class OffsetTracker:
    """The next position of each partition, and which of them the broker does not know yet."""

    _next: dict[TopicPartition, int] = field(default_factory=dict)
    pending_records: int = 0
    """Finished records since the last `take`."""
    _taken_records: int = 0

    def done(self, partition: TopicPartition, offset: int | None, count: int = 1) -> None:
        """Note that the record at `offset`, and all before it, is done with: `count` more.

        Args:
            partition: where it lies.
            offset: None where parked records were tried, which moves no position.
            count: how many would come again after a kill.
        """
        if offset is not None:
            self._next[partition] = offset + 1
        self.pending_records += count

    def take(self) -> Mapping[TopicPartition, int]:
        """Return the positions to commit, and begin anew."""
        positions, self._next = self._next, {}
        self._taken_records, self.pending_records = self.pending_records, 0
        return positions

    def committed(self) -> None:
        """Note that the broker knows the positions taken last."""
        self._taken_records = 0

    def give_back(self, positions: Mapping[TopicPartition, int]) -> None:
        """Return positions that could not be committed; later progress wins."""
        for partition, position in positions.items():
            self._next[partition] = max(position, self._next.get(partition, 0))
        self.pending_records += self._taken_records
        self._taken_records = 0

    @property
    def uncommitted_records(self) -> int:
        """Finished records the broker does not know of yet: what comes again after a kill."""
        return self.pending_records + self._taken_records

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """Drop partitions this process no longer holds: their new owner commits them."""
        for partition in partitions:
            self._next.pop(partition, None)
