"""What receipts have told so far, while a run goes on: how far each subscription is. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bus.crash.account import is_final, place_of
from bus.crash.verdict import Place
from bus.receipts.receipts import DeliveryReceipt

QUIET_SECONDS = 15.0
"""With no news for so long, what is parked or passed over is left; longer than the default's first wait."""

Owed = tuple[str, Place]
"""One event that one subscription is owed."""


@dataclass(slots=True)
class Heard:
    """How far each subscription of an agency is."""

    seen: set[Owed] = field(default_factory=set)
    """Of these there is a receipt."""
    _final: set[Owed] = field(default_factory=set)
    _furthest: dict[Owed, int] = field(default_factory=dict)
    """The last offset with a receipt, by subscription and partition."""
    _news_at: float = 0.0

    def take(self, rows: Iterable[DeliveryReceipt], now: float) -> None:
        """Take receipts; `now` is in seconds of any clock."""
        for row in rows:
            place = place_of(row)
            self._news_at = now
            self.seen.add((row.subscription, place))
            if is_final(row):
                self._final.add((row.subscription, place))
            partition = row.subscription, place[:-1]
            self._furthest[partition] = max(self._furthest.get(partition, -1), row.offset)

    def is_settled(self, owed: Iterable[Owed], now: float) -> bool:
        """Whether each event that is owed is done with, or, with no news for a while, was come to."""
        left = [one for one in owed if one not in self._final]
        return not left or (now > self._news_at + QUIET_SECONDS and all(map(self._was_come_to, left)))

    def _was_come_to(self, owed: Owed) -> bool:
        subscription, place = owed
        return int(place[-1]) <= self._furthest.get((subscription, place[:-1]), -1)
