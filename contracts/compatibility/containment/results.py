"""How a search for a value ends: found, proved empty, or unknown; and the limits on its work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

MAX_FORMULAS: Final = 400_000
MOST_BUILT: Final = 10_000
"""Most items or properties of one array or object that is built for a witness."""


@dataclass(frozen=True, slots=True)
class Found:
    """A value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Empty:
    """No value exists."""


@dataclass(frozen=True, slots=True)
class PatternDoubt:
    """A pattern that stands in the way; where it stands is found when the reason is told.

    Attributes:
        pattern: Its text.
        why: What is wrong with it, such as `which is no regular language`.
    """

    pattern: str
    why: str


Why: TypeAlias = str | PatternDoubt
"""What stands in the way of an answer."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither found nor excluded, and why."""

    why: Why


EMPTY: Final = Empty()
Result: TypeAlias = Found | Empty | Unknown


class NotUnderstoodError(Exception):
    """A construct that cannot be reasoned about; `why` names it. Never leaves the package."""

    def __init__(self, why: Why) -> None:
        super().__init__(str(why))
        self.why = why


class OutOfTimeError(Exception):
    """The time or the memory for one pair is used up. Never leaves the package."""


class ComparisonBudget:
    """The time for one comparison; reads the clock every twentieth step."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._until_read = 0

    def spend(self) -> None:
        """Take one step.

        Raises:
            OutOfTimeError: There is no time left.
        """
        self._until_read -= 1
        if self._until_read < 0:
            self._until_read = 20
            if self._clock() > self._end:
                raise OutOfTimeError

    def extend(self, seconds: float) -> None:
        """Allow this much from now on."""
        self._end = self._clock() + seconds
        self._until_read = 0
