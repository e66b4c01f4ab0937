"""Deduplicate: an event that a subscription handled before is not handled again.

The latest events are remembered in memory, per partition: that catches what a connector or producer sends
twice. Events that come again because a process died before its commit are handled again (at least once).
"""

from typing import Any

from bus.event import Event
from bus.outcome import Ack, Reason

NAME = "deduplicate"

RECENT_EVENTS = 10_000
"""How many of the latest events of a partition are remembered."""


class RecentEvents:
    """The latest handled events of one partition, by source and id."""

    __slots__ = ("_older", "_recent", "_size")

    def __init__(self, size: int = RECENT_EVENTS) -> None:
        self._size = size // 2
        self._recent: set[tuple[str, str]] = set()
        self._older: set[tuple[str, str]] = set()

    def handled(self, event: Event[Any]) -> None:
        """Remember an acknowledged event."""
        # Two halves that change places: forgetting is one assignment, and at least half is always remembered.
        if len(self._recent) >= self._size:
            self._older, self._recent = self._recent, set()
        self._recent.add((event.source, event.id))

    def check(self, event: Event[Any]) -> Ack | None:
        """Return the acknowledgement of a repeated event, or None for a new one."""
        known = (event.source, event.id)
        if known in self._recent or known in self._older:
            return Ack(Reason.DUPLICATE)
        return None
