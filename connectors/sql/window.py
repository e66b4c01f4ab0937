"""The law of late commits: what has been read, and from where to read again. Pure; the clock comes in.

A database hands out numbers when a row is written and shows the row when its transaction commits, so row 5
may appear after row 6. A reader that goes on from the highest row it saw loses row 5. This one goes on from
`low`, the last row it will never look behind, and knows what it has `seen` above it:

    ... | low |  seen  seen  (a gap, still open)  seen  |  not yet read ...

`low` moves up to a row only after a row at least as high was visible for `settle_seconds`. A row that
becomes visible within `settle_seconds` of any higher one is therefore read.

The order is always the database's own (its collation is not Python's): the window never compares two
positions, it only follows the order in which they are found.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from connectors.source import Json
from connectors.sql.translate import Position, decode_position, encode_position

MOST_SEEN = 10_000
"""Rows kept in the window; when it is full the source waits until the oldest have settled."""

MOST_SEEN_BYTES = 524_288
"""The longest `seen` that a checkpoint holds, in bytes of JSON."""


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row that a look behind `low` has found.

    Attributes:
        position: Its place in the reading order.
        settled: Whether it stands at or below the horizon.
    """

    position: Position
    settled: bool


@dataclass(slots=True)
class SqlWindow:
    """Where a table has been read.

    Attributes:
        settle_seconds: How long a transaction may stay open behind a later one.
        low: The last settled position, None before the first.
        seen: Positions above `low` that were read.
        horizon: A value of the position column that was visible `settle_seconds` ago, None before that.
    """

    settle_seconds: float
    low: Position | None = None
    seen: dict[Position, None] = field(default_factory=dict)
    horizon: Any = None
    _marks: deque[tuple[float, Any]] = field(default_factory=deque)

    @classmethod
    def resume(cls, settle_seconds: float, checkpoint: Mapping[str, Json] | None) -> "SqlWindow":
        """The window a checkpoint describes; what it has seen settles anew, since its age is not known."""
        window = cls(settle_seconds)
        if checkpoint is not None:
            low = checkpoint["low"]
            window.low = None if low is None else decode_position(low)
            window.seen = dict.fromkeys(decode_position(position) for position in checkpoint["seen"])
        return window

    def checkpoint(self) -> dict[str, Json]:
        """The window as JSON.

        Where `seen` would not fit a record of Kafka it is left out: rows above `low` are then read again,
        under the same identities.
        """
        seen = [encode_position(position) for position in self.seen]
        return {
            "low": None if self.low is None else encode_position(self.low),
            "seen": seen if len(orjson.dumps(seen, default=str)) <= MOST_SEEN_BYTES else [],
        }

    def mark(self, highest: Any, now: float) -> None:
        """Note that a row with this value of the position column is visible now.

        Args:
            highest: The highest value of the position column.
            now: Seconds on a clock that never goes back.
        """
        if highest is not None:
            self._marks.append((now, highest))

    def look(self, now: float) -> None:
        """Set the horizon for a look that begins now, on the clock of `mark`."""
        while self._marks and now - self._marks[0][0] >= self.settle_seconds:
            self.horizon = self._marks.popleft()[1]

    def take(self, found: Sequence[FoundRow], most: int, *, complete: bool) -> list[int]:
        """Choose what to read of the rows found behind `low`, and move `low` up.

        Args:
            found: Rows in the database's order, from `low` on, none left out between two of them.
            most: How many new ones may be taken.
            complete: Whether they are all there are; then what was seen and is not found was deleted.

        Returns:
            The indexes of the new ones taken, the lowest first.
        """
        new = [index for index, row in enumerate(found) if row.position not in self.seen]
        taken = new[: max(0, min(most, MOST_SEEN - len(self.seen)))]
        left = new[len(taken)] if len(taken) < len(new) else len(found)
        settled = 0
        while settled < left and found[settled].settled:
            settled += 1
        if settled:
            self.low = found[settled - 1].position
        chosen = set(taken)
        known = {} if complete else dict(self.seen)
        for index, row in enumerate(found):
            kept = index in chosen or row.position in self.seen
            known.pop(row.position, None)
            if index >= settled and kept:
                known[row.position] = None
        self.seen = known
        return taken
