"""The progress of each subscription during a run, as its receipts show it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bus.crash.verdict import RecordPosition, is_final, position_of
from bus.receipts.receipts import DeliveryReceipt

QUIET_SECONDS = 15.0
"""After so long without receipts nothing more is expected; longer than the default policy's first wait."""

Expected = tuple[str, RecordPosition]
"""A subscription, and an event that it must handle."""


@dataclass(slots=True)
class Progress:
    """The progress of all subscriptions of an agency."""

    seen: set[Expected] = field(default_factory=set)
    """These have a receipt."""
    _final: set[Expected] = field(default_factory=set)
    _furthest: dict[Expected, int] = field(default_factory=dict)
    """The last offset with a receipt, by subscription and partition."""
    _news_at: float = 0.0

    def take(self, rows: Iterable[DeliveryReceipt], now: float) -> None:
        """Take receipts; `now` is in seconds of any clock."""
        for row in rows:
            position = position_of(row)
            self._news_at = now
            self.seen.add((row.subscription, position))
            if is_final(row):
                self._final.add((row.subscription, position))
            partition = row.subscription, position[:-1]
            self._furthest[partition] = max(self._furthest.get(partition, -1), row.offset)

    def is_settled(self, expected: Iterable[Expected], now: float) -> bool:
        """Whether each expected event is final, or was reached and there were no receipts for a while."""
        left = [one for one in expected if one not in self._final]
        return not left or (now > self._news_at + QUIET_SECONDS and all(map(self._was_reached, left)))

    def _was_reached(self, expected: Expected) -> bool:
        subscription, position = expected
        return int(position[-1]) <= self._furthest.get((subscription, position[:-1]), -1)
