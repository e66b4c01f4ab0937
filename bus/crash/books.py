"""The books of a long run: millions of lines, read once, kept as a byte for each record.

Law of this file: it judges as `verdict` does, in memory that grows by bytes and not by objects.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = 255


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
    """A count for each record of a topic, by partition and offset, up to 254."""

    def __init__(self) -> None:
        self._partitions: dict[int, bytearray] = {}

    def count(self, partition: int, offset: int) -> int:
        """Count a record once more; return how often it was counted before."""
        page = self._partitions.setdefault(partition, bytearray())
        if offset >= len(page):
            page.extend(bytes(offset + 1 - len(page) + len(page) // 4))
        before = page[offset]
        page[offset] = min(before + 1, MARK - 1)
        return before

    def has(self, partition: int, offset: int) -> bool:
        """Whether a record was counted."""
        page = self._partitions.get(partition, b"")
        return offset < len(page) and page[offset] > 0


def compare(accepted: Path, handled: Path) -> Compared:
    """Hold the writer's journal against the journal of a subscription's processes."""
    seen, again, wrong = Pages(), 0, 0
    latest: dict[str, tuple[int, float]] = {}
    for at, partition, offset, key, number in _lines(handled, 5):
        if seen.count(int(partition), int(offset)):
            again += 1
            continue
        this, seconds = int(number), float(at)
        before = latest.setdefault(key, (this, seconds))
        wrong += this < before[0] and seconds >= before[1]
        if this > before[0]:
            latest[key] = (this, seconds)
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
        near = any(begun <= at < begun + seconds for begun in times)
        (struck if near else calm).append(float(acknowledged) - at)
    return Waits.of(struck), Waits.of(calm)


def _lines(journal: Path, columns: int) -> Iterator[list[str]]:
    """Yield the whole lines; the last of a process that was killed may be cut."""
    if journal.exists():
        with journal.open(encoding="ascii", errors="replace") as file:
            for line in file:
                if len(found := line.split()) == columns:
                    yield found
