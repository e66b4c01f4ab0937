"""What a crash run shows: what was accepted, held against what was seen. Pure.

Law of this file: lost is what was accepted and never handled; out of order is what was first handled before
an earlier event of its key; twice is what a reader of the result sees more than once.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

Place = tuple[str | int, ...]


class Accepted(NamedTuple):
    """One event that the bus acknowledged."""

    place: Place
    key: str
    number: int


class Handled(NamedTuple):
    """One handling that came to a good end, as its process wrote it down."""

    seconds: float
    """Local time since the epoch."""
    place: Place
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run has come to."""

    accepted: int
    lost: int
    again: int
    """Handled more often than once."""
    twice: int
    """Seen twice by whoever reads what the handlers published."""
    out_of_order: int
    struck: bool = True
    """Whether the fault came at all."""
    restart_seconds: float | None = None
    """From the restart to the first event handled after it."""
    dead_letters: int = 0
    """Set aside, as the subscription says; not lost."""
    waiting: int = 0
    """Parked when the run ended, as the subscription says; not lost."""
    unreached: int = 0
    """Not come to when the run ended: too slow, or lost at the very end."""
    ended: str = ""
    """The last words of a process that ended by itself; the bus or a handler is to blame, not the fault."""
    logs: str = ""
    """Where the logs of a broken run are kept."""

    @property
    def broken(self) -> bool:
        """Whether a promise was broken, or not all of it was put to the test."""
        found = self.lost or self.twice or self.out_of_order or self.unreached
        return bool(found or self.ended or not self.struck)

    def with_logs(self, folder: str) -> Self:
        """Return the same, with where its logs are kept."""
        return replace(self, logs=folder)


class Order:
    """Tells which first handlings come, on paper and in time, after one of a later event of their key."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, float]] = {}

    def was_overtaken(self, key: str, number: int, seconds: float) -> bool:
        """Take a first handling, in the order they were written down."""
        latest, since = self._latest.setdefault(key, (number, seconds))
        if number > latest:
            self._latest[key] = (number, seconds)
        return number < latest and seconds >= since


def judge(
    accepted: Sequence[Accepted],
    handled: Sequence[Handled],
    *,
    published: Iterable[int] | None = None,
    restarted_at: float | None = None,
    struck: bool = True,
    ended: str = "",
) -> Verdict:
    """Hold what was accepted against what was seen.

    Args:
        accepted: what the bus acknowledged.
        handled: what the handlers did, in the order they wrote it down.
        published: numbers of the events that a reader of the handlers' results sees; None where they
            publish nothing.
        restarted_at: local time of a restart.
        struck: whether the fault came at all.
        ended: the last words of a process that ended by itself.
    """
    places = Counter(one.place for one in handled)
    seen = None if published is None else Counter(published)
    missing = {one.number for one in accepted if one.place not in places}
    if seen is not None:
        missing |= {one.number for one in accepted if one.number not in seen}
    first = None
    if restarted_at is not None:
        later = [one.seconds for one in handled if one.seconds > restarted_at]
        first = min(later) - restarted_at if later else None
    return Verdict(
        accepted=len(accepted),
        lost=len(missing),
        again=sum(count - 1 for count in places.values()),
        twice=0 if seen is None else sum(count - 1 for count in seen.values()),
        out_of_order=_out_of_order(handled),
        struck=struck,
        restart_seconds=first,
        ended=ended,
    )


def _out_of_order(handled: Iterable[Handled]) -> int:
    known: set[Place] = set()
    order, wrong = Order(), 0
    for one in handled:
        if one.place not in known:
            known.add(one.place)
            wrong += order.was_overtaken(one.key, one.number, one.seconds)
    return wrong
