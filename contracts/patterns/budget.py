"""Limits on the work for patterns, counted in steps, so that results never depend on a clock."""

from __future__ import annotations

from contracts.patterns.errors import TooLargeError

MAX_TEXT = 20_000
"""Maximum length of a pattern, in code points."""
MAX_DEPTH = 64
"""Maximum nesting of groups."""
MAX_PROGRAM = 40_000
"""Maximum steps of a compiled pattern, with counted repetitions expanded."""
MAX_STATES = 6_000
"""Maximum states of an automaton."""
MAX_CELLS = 250_000
"""Maximum states times classes of characters of an automaton."""
MAX_WORK = 250_000
"""Maximum elementary steps of one construction or search."""


class Budget:
    """The steps left for one construction."""

    def __init__(self, steps: int = MAX_WORK) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Use some steps.

        Raises:
            TooLargeError: No steps are left.
        """
        self._left -= steps
        if self._left < 0:
            raise TooLargeError(
                "Expected patterns of bounded size, got ones whose automata are too large to build"
            )
