"""The records in hand of one partition: which may begin, which wait for their key, what is done. Pure.

Law of this file: of a key one record is at work, and every later one waits for it, in the order of the topic;
records without a key wait for none. What is done counts once everything before it is done: past a gap it is
held. A number is that of what is in hand, never a count kept beside it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from bus.parking.keys import KeyState, ParkedKeys, key_of
from bus.record import Record

_by_offset = attrgetter("offset")


class Ready:
    """What is left to write of what is done, in the order in which it came to be so.

    Nothing is kept of one record alone: the garbage collector would look at each of thousands.
    """

    __slots__ = ("changes", "outputs", "rows")

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...] | None] = []
        """The receipt of each; None if that was written before."""
        self.changes: list[Callable[[], None]] = []
        """What hands changes of parked rows over."""
        self.outputs: list[Any] = []
        """What goes into the transaction: what handlers published, and dead letters."""

    def __len__(self) -> int:
        """Return how many records and attempts are done."""
        return len(self.rows)

    def add(
        self,
        row: tuple[Any, ...] | None = None,
        change: Callable[[], None] | None = None,
        outputs: Sequence[Any] = (),
    ) -> None:
        """Add what is left to write of a record, or of an attempt at one."""
        self.rows.append(row)
        if change is not None:
            self.changes.append(change)
        if outputs:
            self.outputs += outputs


class Window:
    """The records in hand of one partition, by offset.

    Args:
        reached: the offset read next; every earlier record was done before.
    """

    __slots__ = ("_begun", "_done", "_is_leaving", "_lanes", "_taken", "_waiting", "reached", "ready")

    def __init__(self, reached: int = 0) -> None:
        self.reached = reached
        """Every record before this offset is done, here or by the previous holder."""
        self.ready = Ready()
        """What is done, and everything before it too."""
        self._taken: deque[Record] = deque()
        self._waiting: deque[Record] = deque()
        self._lanes: dict[bytes, deque[Record]] = {}
        self._done: dict[int, tuple[Any, ...]] = {}
        self._begun = reached - 1
        self._is_leaving = False

    def __len__(self) -> int:
        """Return how many records are in hand: those past a gap, though done, and those that wait, too."""
        return len(self._taken)

    @property
    def can_begin(self) -> bool:
        """Whether a record waits for nothing but a turn."""
        return bool(self._waiting) and not self._is_over(self._waiting[0])

    def take(self, records: Sequence[Record]) -> None:
        """Take the records that follow."""
        if not self._taken:
            self.reached = records[0].offset  # what lies between are no records of a reader
        self._taken.extend(records)
        self._waiting.extend(records)

    def leave(self) -> None:
        """Begin only what lies before a record that has begun, so that no gap is left behind."""
        self._is_leaving = True

    def abandon(self) -> None:
        """Begin nothing more."""
        self._is_leaving, self._begun = True, -1

    def _is_over(self, record: Record) -> bool:
        return self._is_leaving and record.offset >= self._begun

    # Order

    def next(self, parked: ParkedKeys) -> Record | None:
        """Return the next record that may begin; those whose key is at work wait for it from now on.

        Args:
            parked: the keys that are parked. A record that is or will be parked waits for nobody.
        """
        waiting, lanes = self._waiting, self._lanes
        while waiting:
            if self._is_leaving and waiting[0].offset >= self._begun:
                return None
            record = waiting.popleft()
            if lanes:
                key = key_of(record)
                lane = lanes.get(key)
                if lane is not None and parked.state_of(key, record.offset) is KeyState.FREE:
                    lane.append(record)
                    continue
            self._begun = max(self._begun, record.offset)
            return record
        return None

    def is_at_work(self, key: bytes) -> bool:
        """Whether later records of a key wait."""
        return key in self._lanes

    def occupy(self, key: bytes) -> bool:
        """Let later records of a key wait; return whether they did not wait already."""
        if key in self._lanes:
            return False
        self._lanes[key] = deque()
        return True

    def follow(self, key: bytes) -> Record | None:
        """Return the next record that waits for a key; with the last one, none waits any more."""
        lane = self._lanes[key]
        if lane and not self._is_over(lane[0]):
            return lane.popleft()
        del self._lanes[key]
        return None

    def wait_for(self, key: bytes, record: Record) -> None:
        """Let a record wait for a key that is at work, whatever its own key is."""
        self._lanes[key].append(record)

    def give_back(self, record: Record | None = None, key: bytes | None = None) -> None:
        """Let a record, and all that wait for a key, begin again."""
        back = [] if record is None else [record]
        if key is not None:
            back += self._lanes.pop(key)
        self._waiting = deque(sorted([*back, *self._waiting], key=_by_offset))

    # What is done

    def finish(
        self,
        offset: int,
        row: tuple[Any, ...] | None = None,
        change: Callable[[], None] | None = None,
        outputs: Sequence[Any] = (),
    ) -> None:
        """Note that the record at `offset` is done; it counts once all before it are done.

        Args:
            offset: its offset.
            row: its receipt; None if that was written before.
            change: hands the change of its parked row over.
            outputs: what goes into its transaction.
        """
        done, taken, ready = self._done, self._taken, self.ready
        if not taken or taken[0].offset != offset:
            done[offset] = row, change, outputs
            return
        self.reached = taken.popleft().offset + 1
        ready.add(row, change, outputs)
        while done and taken and (one := done.pop(taken[0].offset, None)) is not None:
            self.reached = taken.popleft().offset + 1
            ready.add(*one)

    def take_ready(self) -> Ready:
        """Return what is done without a gap before it, once."""
        ready, self.ready = self.ready, Ready()
        return ready

    def was_begun(self, offset: int) -> bool:
        """Whether the record at `offset` is done, or at work."""
        if offset < self.reached:
            return True
        queued: Iterable[Record] = (one for lane in (self._waiting, *self._lanes.values()) for one in lane)
        return offset <= self._begun and all(one.offset != offset for one in queued)
