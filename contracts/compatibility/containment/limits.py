"""How much work one comparison may be, and how it ends when it would be more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MAX_FORMULAS: Final = 400_000


class NotUnderstoodError(Exception):
    """A construct that cannot be reasoned about; the message names it. Never leaves the package."""


class OutOfTimeError(Exception):
    """The time or the memory for one pair is used up. Never leaves the package."""


class Budget:
    """Counts down; asks the clock now and then."""

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._until_asked = 0

    def spend(self) -> None:
        """Take one step.

        Raises:
            OutOfTimeError: There is no time left.
        """
        self._until_asked -= 1
        if self._until_asked < 0:
            self._until_asked = 20
            if self._clock() > self._end:
                raise OutOfTimeError

    def extend(self, seconds: float) -> None:
        """Allow this much from now on."""
        self._end = self._clock() + seconds
        self._until_asked = 0
