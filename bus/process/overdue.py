"""Work that must succeed again and again, and since when some of it has not.

Law of this file: that a cluster answers is not that it takes what a process must write. A topic whose
settings were changed refuses each commit, while all questions are answered.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import monotonic

from bus.record import TopicPartition

LATE_SECONDS = 60.0
"""How long a process may be without a success before it counts as ill."""


@dataclass(slots=True)
class _Wait:
    since: float
    why: str = ""


class Overdue:
    """What a process waits for, by what it is and whose partition it concerns.

    Args:
        steady: seconds of a clock that is never set.
    """

    def __init__(self, steady: Callable[[], float] = monotonic) -> None:
        self._steady = steady
        self._waits: dict[tuple[str, TopicPartition | None], _Wait] = {}

    def begins(self, what: str, place: TopicPartition | None = None) -> None:
        """Note that something must succeed from now on, unless that is so already."""
        if (what, place) not in self._waits:
            self._waits[what, place] = _Wait(self._steady())

    def fails(self, what: str, place: TopicPartition | None, why: object) -> None:
        """Note why it has not succeeded."""
        self.begins(what, place)
        self._waits[what, place].why = str(why).partition("\n")[0]

    def ends(self, what: str, place: TopicPartition | None = None) -> None:
        """Note that it has succeeded, or that nothing is left to do."""
        self._waits.pop((what, place), None)

    def forget(self, places: Collection[TopicPartition]) -> None:
        """Leave partitions to their new holder."""
        self._waits = {key: wait for key, wait in self._waits.items() if key[1] not in places}

    @property
    def fault(self) -> str | None:
        """What has not succeeded for longer than `LATE_SECONDS`, and why; None if there is nothing."""
        now = self._steady()
        for (what, place), wait in self._waits.items():
            if (seconds := now - wait.since) > LATE_SECONDS:
                where = "" if place is None else f" of {place.topic}/{place.partition}"
                return f"{what}{where}: without success for {seconds:.0f} s ({wait.why or 'no answer'})"
        return None
