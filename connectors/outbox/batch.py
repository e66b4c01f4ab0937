"""The rows of the last batch in a checkpoint, so that they are deleted and not published again. Pure.

    {"runs": [[first position, how many], ...], "digest": SHA-256 over the ids, in order of position}

The positions alone are not enough: a restored database gives them to other rows.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.source import Json


@dataclass(frozen=True, slots=True)
class PublishedRows:
    """The rows of a batch that Kafka has.

    Attributes:
        positions: Their positions, ascending.
        digest: A hash of their ids.
    """

    positions: tuple[int, ...]
    digest: str

    @classmethod
    def of(cls, rows: Sequence[tuple[int, str]]) -> "PublishedRows":
        """The batch of these positions and ids."""
        digest = hashlib.sha256("\n".join(event_id for _, event_id in rows).encode()).hexdigest()
        return cls(tuple(position for position, _ in rows), digest)

    @classmethod
    def resume(cls, checkpoint: Mapping[str, Json]) -> "PublishedRows":
        """The batch that a checkpoint describes."""
        positions = (first + step for first, count in checkpoint["runs"] for step in range(count))
        return cls(tuple(positions), str(checkpoint["digest"]))

    def checkpoint(self) -> dict[str, Json]:
        """The batch as JSON."""
        return {"runs": [list(run) for run in self.runs()], "digest": self.digest}

    def runs(self) -> Iterator[tuple[int, int]]:
        """Positions that follow each other: the first, and how many."""
        return _runs(self.positions)


def _runs(positions: Iterable[int]) -> Iterator[tuple[int, int]]:
    first, count = 0, 0
    for position in positions:
        if count and position == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = position, 1
    if count:
        yield first, count
