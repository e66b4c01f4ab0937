"""The journals of a long run compared: millions of lines, read once.

Law of this file: it judges as `verdict` does, in one byte of memory for each record.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bus.crash.verdict import KeyOrder


@dataclass(frozen=True, slots=True)
class JournalVerdict:
    """What was accepted, compared with what one subscription handled."""

    accepted: int
    lost: int
    again: int
    out_of_order: int


@dataclass(frozen=True, slots=True)
class PublishLatency:
    """Seconds from when events were due to their acknowledgement."""

    events: int
    p50: float
    p99: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "PublishLatency":
        """Return the percentiles; all 0 of none."""
        found = sorted(seconds) or [0.0]
        last = len(found) - 1
        return cls(len(seconds), found[int(last * 0.5)], found[int(last * 0.99)], found[last])


class SeenOffsets:
    """Whether each record of a topic was seen, by partition and offset."""

    def __init__(self) -> None:
        self._partitions: dict[int, bytearray] = {}

    def add(self, partition: int, offset: int) -> None:
        """Note that a record was seen."""
        seen = self._partitions.setdefault(partition, bytearray())
        if offset >= len(seen):
            seen.extend(bytes(offset + 1 - len(seen) + len(seen) // 4))
        seen[offset] = 1

    def has(self, partition: int, offset: int) -> bool:
        """Whether a record was seen."""
        seen = self._partitions.get(partition, b"")
        return offset < len(seen) and seen[offset] == 1


def compare(accepted: Path, handled: Path) -> JournalVerdict:
    """Compare the journal of the publisher with that of a subscription."""
    seen, order, again, wrong = SeenOffsets(), KeyOrder(), 0, 0
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
    return JournalVerdict(count, lost, again, wrong)


def publish_latency(
    accepted: Path, faults: Iterable[float], seconds: float
) -> tuple[PublishLatency, PublishLatency]:
    """Return the latency of publishing within `seconds` after a fault, and at all other times."""
    times = sorted(faults)
    near: list[float] = []
    far: list[float] = []
    for due, acknowledged, *_ in _lines(accepted, 6):
        at = float(due)
        before = bisect_right(times, at)
        (near if before and at < times[before - 1] + seconds else far).append(float(acknowledged) - at)
    return PublishLatency.of(near), PublishLatency.of(far)


def _lines(journal: Path, columns: int) -> Iterator[list[str]]:
    """Yield the complete lines; the last one of a killed process may be cut."""
    if journal.exists():
        with journal.open(encoding="ascii", errors="replace") as file:
            for line in file:
                if len(found := line.split()) == columns:
                    yield found
