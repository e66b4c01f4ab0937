"""What one run of a conversion may cost. Law: the same document and data cost the same everywhere."""

from __future__ import annotations

from typing import Any, Final

MAX_STEPS: Final = 1_000_000
"""Steps of one run: about a second. An event of the largest size has fewer values than half of them."""
MAX_RESULT_BYTES: Final = 1_048_576
"""Size of a result: that of the largest event."""


class CostError(Exception):
    """A run takes more than `MAX_STEPS`."""


class Run:
    """Counts the steps of one conversion of one event."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            CostError: There are more than `MAX_STEPS`.
        """
        self._left -= steps
        if self._left < 0:
            raise CostError

    def hold(self, made: Any) -> None:
        """Count a value that was made: an item is a step, and so are 16 characters.

        Raises:
            CostError: There are more than `MAX_STEPS`.
        """
        self.spend(
            1 + (len(made) // 16 if isinstance(made, str) else len(made) if isinstance(made, list) else 0)
        )
