"""The parked keys of a partition, and which of their events may be tried now. Pure.

Law of this file: of a parked key only its earliest event may be tried; every later one waits behind it, in
the order of its topic. A key is parked as long as one of its events is.
"""

from bisect import bisect_left
from dataclasses import dataclass
from enum import Enum, auto
from heapq import heappop, heappush
from operator import attrgetter

from bus.record import Record

_by_offset = attrgetter("offset")


class KeyState(Enum):
    """How an event stands to the parked events of its key."""

    FREE = auto()
    """Nothing earlier of its key is parked: it may be tried."""
    BEHIND = auto()
    """An earlier event of its key is parked."""
    PARKED = auto()
    """It is parked itself: it was read before, and its offset not committed."""
    OVERRULED = auto()
    """It was parked and tried again, and meanwhile an operator redrove or discarded it."""


@dataclass(slots=True, eq=False)
class ParkedEvent:
    """One parked event; times in microseconds since the epoch, on the broker's clock."""

    offset: int
    """In its own topic; below 0 if that was made again since: it comes before everything of the new one."""
    attempts: int = 0
    """How often it was tried and failed."""
    first_us: int = 0
    """When it was tried first."""
    due_us: int = 0
    """When it may be tried, if nothing earlier of its key is parked."""
    held: bool = False
    """Every attempt failed; it waits for an operator."""
    reason: str = ""
    """Why it waits: a `Reason`, or a word of `bus.parking`."""
    row_offset: int = -1
    """Offset of its latest row in the topic of parked events; -1 while that is being written."""
    record: Record | None = None
    """The event itself, if it is kept in memory."""
    topic_id: str = ""
    """Of the topic it was published to."""

    def wait(self, attempts: int, reason: str, *, due_us: int = 0, held: bool = False) -> None:
        """Wait, until a time or for an operator."""
        self.attempts, self.reason, self.held = attempts, reason, held
        if not held:
            self.due_us = due_us


def key_of(record: Record) -> bytes:
    """Return the key by which order is kept; a record without a key gets one of its own."""
    return b"\0%d" % record.offset if record.key is None else record.key


class ParkedKeys:
    """The parked keys of one partition of one subscription."""

    __slots__ = ("_due", "_held", "_queues", "events")

    def __init__(self) -> None:
        self._queues: dict[bytes, list[ParkedEvent]] = {}
        self._due: list[tuple[int, int, bytes]] = []
        self._held: set[bytes] = set()
        self.events = 0
        """Parked events of all keys."""

    def __len__(self) -> int:
        """Return how many keys are parked."""
        return len(self._queues)

    @property
    def held(self) -> int:
        """Keys whose first event waits for an operator."""
        return len(self._held)

    def queue(self, key: bytes) -> tuple[ParkedEvent, ...]:
        """Return the parked events of a key, earliest first."""
        return tuple(self._queues.get(key, ()))

    def state_of(self, key: bytes, offset: int) -> KeyState:
        """Return how the record at `offset` stands, before it is tried."""
        queue = self._queues.get(key)
        if queue is None or offset < queue[0].offset:
            return KeyState.FREE
        return KeyState.BEHIND if self.find(key, offset) is None else KeyState.PARKED

    def find(self, key: bytes, offset: int) -> ParkedEvent | None:
        """Return the parked event at `offset`; None if it is not parked."""
        queue = self._queues.get(key, [])
        index = bisect_left(queue, offset, key=_by_offset)
        found = queue[index] if index < len(queue) else None
        return found if found is not None and found.offset == offset else None

    def put(self, key: bytes, event: ParkedEvent) -> None:
        """Park an event, or replace its state."""
        queue = self._queues.setdefault(key, [])
        before = queue[0] if queue else None
        index = bisect_left(queue, event.offset, key=_by_offset)
        if index < len(queue) and queue[index].offset == event.offset:
            queue[index] = event
        else:
            queue.insert(index, event)
            self.events += 1
        if queue[0] is not before:
            self._first_changed(key)

    def changed(self, key: bytes, event: ParkedEvent) -> None:
        """Apply a change of an event's due time, or that it is held."""
        if self.is_first(key, event):
            self._first_changed(key)

    def remove(self, key: bytes, offset: int) -> None:
        """Remove an event, and its key with the last one; does nothing if it is not parked."""
        if self.find(key, offset) is None:
            return
        queue = self._queues[key]
        index = bisect_left(queue, offset, key=_by_offset)
        del queue[index]
        self.events -= 1
        if index == 0:
            self._first_changed(key)

    def is_first(self, key: bytes, event: ParkedEvent) -> bool:
        """Whether this event is the first of its key."""
        queue = self._queues.get(key)
        return queue is not None and queue[0] is event

    def next_due_us(self) -> int | None:
        """Return when the next event may be tried; None if none waits for a time."""
        while self._due:
            due_us, offset, key = self._due[0]
            queue = self._queues.get(key)
            if queue and queue[0].offset == offset and queue[0].due_us == due_us and not queue[0].held:
                return due_us
            heappop(self._due)  # its key has moved on
        return None

    def due(self, now_us: int) -> tuple[bytes, ParkedEvent] | None:
        """Return the event that has been due for longest, with its key; it stays parked."""
        due_us = self.next_due_us()
        if due_us is None or due_us > now_us:
            return None
        key = self._due[0][2]
        return key, self._queues[key][0]

    def take_due(self) -> tuple[bytes, ParkedEvent]:
        """Return the same once: it is due again after `changed` or `again`."""
        _, _, key = heappop(self._due)
        return key, self._queues[key][0]

    def again(self, key: bytes) -> None:
        """Let the first event of a key, if it is parked, be due again."""
        if key in self._queues:
            self._first_changed(key)

    def _first_changed(self, key: bytes) -> None:
        """Update `due` and `held` by the first event of the key."""
        queue = self._queues[key]
        self._held.discard(key)
        if not queue:
            del self._queues[key]
        elif queue[0].held:
            self._held.add(key)
        else:
            heappush(self._due, (queue[0].due_us, queue[0].offset, key))
