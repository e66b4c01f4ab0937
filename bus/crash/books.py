"""The books of a long run: millions of lines, read once, kept as a byte for each record.

Law of this file: it judges as `verdict` does, in memory that grows by bytes and not by objects.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bus.crash.verdict import Order


@dataclass(frozen=True, slots=True)
class Compared:
    """What was accepted, held against what one subscription handled."""

    accepted: int
    lost: int
    again: int
    out_of_order: int


@dataclass(frozen=True, slots=True)
class Waits:
    """How long publishing took, in seconds from when an event was due to its acknowledgement."""

    events: int
    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Waits":
        """Return the percentiles; all 0 of none."""
        found = sorted(seconds) or [0.0]
        last = len(found) - 1
        return cls(len(seconds), found[int(last * 0.5)], found[int(last * 0.99)], found[last])


class Pages:
    """Whether each record of a topic was met, by partition and offset."""

    def __init__(self) -> None:
        self._partitions: dict[int, bytearray] = {}

    def add(self, partition: int, offset: int) -> None:
        """Note that a record was met."""
        page = self._partitions.setdefault(partition, bytearray())
        if offset >= len(page):
            page.extend(bytes(offset + 1 - len(page) + len(page) // 4))
        page[offset] = 1

    def has(self, partition: int, offset: int) -> bool:
        """Whether a record was met."""
        page = self._partitions.get(partition, b"")
        return offset < len(page) and page[offset] == 1


def compare(accepted: Path, handled: Path) -> Compared:
    """Hold the writer's journal against the journal of a subscription's processes."""
    seen, order, again, wrong = Pages(), Order(), 0, 0
    for at, partition, offset, key, number in _lines(handled, 5):
        place = int(partition), int(offset)
        if seen.has(*place):
            again += 1
            continue
        seen.add(*place)
        wrong += order.was_overtaken(key, int(number), float(at))
    count = lost = 0
    for _, _, partition, offset, _, _ in _lines(accepted, 6):
        count += 1
        lost += not seen.has(int(partition), int(offset))
    return Compared(count, lost, again, wrong)


def waits(accepted: Path, strikes: Iterable[float], seconds: float) -> tuple[Waits, Waits]:
    """Return how long publishing took within `seconds` after a strike, and at all other times."""
    times = sorted(strikes)
    struck: list[float] = []
    calm: list[float] = []
    for due, acknowledged, *_ in _lines(accepted, 6):
        at = float(due)
        before = bisect_right(times, at)
        near = before > 0 and at < times[before - 1] + seconds
        (struck if near else calm).append(float(acknowledged) - at)
    return Waits.of(struck), Waits.of(calm)


def _lines(journal: Path, columns: int) -> Iterator[list[str]]:
    """Yield the whole lines; the last of a process that was killed may be cut."""
    if journal.exists():
        with journal.open(encoding="ascii", errors="replace") as file:
            for line in file:
                if len(found := line.split()) == columns:
                    yield found
