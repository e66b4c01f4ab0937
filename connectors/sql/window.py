"""Which rows of a table were read, and from where to read again, so that no late commit is lost. Pure.

A database gives a row its number when it is written and shows it when its transaction commits, so row 5 may
appear after row 6. A reader that goes on from the highest row it saw loses row 5. This one reads again from
`low`, below which everything is settled, and knows which rows above it were `seen`:

    ... | low |  seen  seen  (a gap, still open)  seen  |  not yet read ...

`low` moves up to a row only after a row at least as high was visible for `settle_seconds`, and, where the
database tells of its transactions, after all that wrote by then have ended. A row is therefore read however
late its transaction commits; elsewhere, if it becomes visible within `settle_seconds` of any higher one.

The order is that of the database, whose collation is not Python's: positions are never compared here, only
taken in the order in which they are found.
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
    """A row found above `low`.

    Attributes:
        position: Its place in the reading order.
        settled: Whether it is at or below the horizon.
    """

    position: Position
    settled: bool


@dataclass(frozen=True, slots=True)
class OpenTransactions:
    """The numbers of a database's transactions at a moment.

    Attributes:
        oldest: The lowest that is still open; all before it have ended.
        following: The lowest that none has yet.
    """

    oldest: int
    following: int


@dataclass(slots=True)
class SqlWindow:
    """How far a table was read.

    Attributes:
        settle_seconds: How late a transaction may commit behind a later row; where the database tells of its
            transactions, how long after it took the row's number it may begin to write.
        low: The last settled position, None before the first.
        seen: Positions above `low` that were read.
        horizon: A value of the position column behind which nothing comes any more, None at first.
    """

    settle_seconds: float
    low: Position | None = None
    seen: dict[Position, None] = field(default_factory=dict)
    horizon: Any = None
    _marks: deque[tuple[float, Any]] = field(default_factory=deque)
    _fences: deque[tuple[int, Any]] = field(default_factory=deque)

    @classmethod
    def resume(cls, settle_seconds: float, checkpoint: Mapping[str, Json] | None) -> "SqlWindow":
        """The window of a checkpoint; its rows settle again, since their age is not known."""
        window = cls(settle_seconds)
        if checkpoint is not None:
            low = checkpoint["low"]
            window.low = None if low is None else decode_position(low)
            window.seen = dict.fromkeys(decode_position(position) for position in checkpoint["seen"])
        return window

    def checkpoint(self) -> dict[str, Json]:
        """The window as JSON.

        `seen` is left out where it would not fit a record of Kafka; rows above `low` are then read again and
        get the same ids.
        """
        seen = [encode_position(position) for position in self.seen]
        return {
            "low": None if self.low is None else encode_position(self.low),
            "seen": seen if len(orjson.dumps(seen, default=str)) <= MOST_SEEN_BYTES else [],
        }

    def mark(self, highest: Any, now: float) -> None:
        """Record that a row with this value of the position column is visible now.

        Args:
            highest: The highest value of the position column.
            now: Seconds on a clock that never goes back.
        """
        if highest is not None and (not self._marks or self._marks[-1][1] != highest):
            self._marks.append((now, highest))

    def set_horizon(self, now: float, transactions: OpenTransactions | None = None) -> None:
        """Set the horizon for a read that begins now, on the clock of `mark`.

        Args:
            now: Seconds on that clock.
            transactions: Those of the database now, None where it does not say.
        """
        while self._marks and now - self._marks[0][0] >= self.settle_seconds:
            highest = self._marks.popleft()[1]
            if not self._fences or self._fences[-1][1] != highest:
                self._fences.append((0 if transactions is None else transactions.following, highest))
        while self._fences and (transactions is None or transactions.oldest >= self._fences[0][0]):
            self.horizon = self._fences.popleft()[1]

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken until rows have settled."""
        return len(self.seen) >= MOST_SEEN

    def take(self, found: Sequence[FoundRow], most: int, *, complete: bool) -> list[int]:
        """Choose which of the rows found above `low` to read, and move `low` up.

        Args:
            found: Rows in the database's order, from `low` on, none left out between two of them.
            most: How many new ones may be taken.
            complete: Whether these are all rows; a row that was seen and is not among them was then deleted.

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
