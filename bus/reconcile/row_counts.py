"""What a source counts of its own rows, in its checkpoints: the control totals of a connector. Pure.

A row is counted when the checkpoint that covers it is saved, so that a row which is read again after a crash
counts once. Each count is of a topic and of a day (UTC) of the broker's clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple, get_args

RowFate = Literal["published", "set-aside", "skipped", "repeated"]
"""What became of a row: an event, a dead letter, nothing as its mapping wants, or another row's event."""

KEPT_DAYS = 40
"""How long counts are kept; longer than receipts and dead letters."""


class CountedRows(NamedTuple):
    """So many rows of one fate, on one day, for one topic."""

    topic: str
    day: str
    fate: str
    rows: int


class RowCounts:
    """Counts of rows by topic, day and fate."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def count(self, topic: str, day: date, fate: RowFate) -> None:
        """Count one row."""
        self._counts[topic, day.isoformat(), fate] += 1

    def plus(self, other: RowCounts) -> RowCounts:
        """Return the sum, without the days that are too old."""
        found = RowCounts()
        found._counts = self._counts + other._counts
        newest = max((row.day for row in found), default="")
        if newest:
            oldest = (date.fromisoformat(newest) - timedelta(days=KEPT_DAYS)).isoformat()
            found._counts = Counter({key: rows for key, rows in found._counts.items() if key[1] >= oldest})
        return found

    def __iter__(self) -> Iterator[CountedRows]:
        for (topic, day, fate), count in sorted(self._counts.items()):
            yield CountedRows(topic, day, fate, count)

    def as_json(self) -> list[list[Any]]:
        """The counts as JSON."""
        return [list(row) for row in self]

    @classmethod
    def of_json(cls, written: object) -> RowCounts:
        """The counts in JSON; what is malformed is no count."""
        found = cls()
        fates = get_args(RowFate)
        for row in written if isinstance(written, list) else ():
            match row:
                case [str(topic), str(day), str(fate), int(rows)] if fate in fates and _is_day(day):
                    found._counts[topic, day, fate] += rows
                case _:
                    continue
        return found


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def counts_in(checkpoint: Mapping[str, Any]) -> RowCounts:
    """The counts in a checkpoint as it is stored."""
    return RowCounts.of_json(checkpoint.get("rows"))
