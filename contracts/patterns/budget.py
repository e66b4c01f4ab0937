"""How much work a question about strings may cost, in steps: the answer never depends on a clock."""

from __future__ import annotations

from contracts.patterns.errors import TooLargeError

MAX_TEXT = 20_000
"""Code points of a pattern."""
MAX_DEPTH = 64
"""Groups within groups."""
MAX_PROGRAM = 40_000
"""Steps of the compiled pattern, each counted repetition written out."""
MAX_STATES = 6_000
"""States of one automaton."""
MAX_CELLS = 250_000
"""States times classes of characters of one automaton."""
MAX_WORK = 250_000
"""Elementary steps of one construction or one search."""


class Budget:
    """Steps left for one construction."""

    def __init__(self, steps: int = MAX_WORK) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps off.

        Raises:
            TooLargeError: None is left.
        """
        self._left -= steps
        if self._left < 0:
            raise TooLargeError(
                "Expected patterns of bounded size, got ones whose automata are too large to build"
            )
