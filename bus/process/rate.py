"""A line that is logged for each event, at most so often: what was left out is counted and told. Pure."""

from collections.abc import Hashable

BURST = 10
"""Lines of one kind within `WINDOW_NS`."""
WINDOW_NS = 60 * 10**9


class LineRate:
    """Which lines of a kind pass, and how many did not."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[int, int]] = {}
        """By kind: when its window began, and how many lines it had."""

    def passes(self, kind: Hashable, now_ns: int) -> int | None:
        """Return how many lines of this kind were left out before this one; None if it is left out, too.

        Args:
            kind: what has a rate of its own, from a closed set.
            now_ns: steady time.
        """
        began, count = self._kinds.get(kind, (now_ns, 0))
        if now_ns - began >= WINDOW_NS:
            self._kinds[kind] = (now_ns, 1)
            return max(0, count - BURST)
        self._kinds[kind] = (began, count + 1)
        return 0 if count < BURST else None
