"""What the broker refused of an exactly-once partition, and which events failed for it. Pure.

Law of this file: a record that is refused for good fails the event whose handler published it, and no other.
The transaction that held it is aborted, and what it held is handled again, but for that event: its handler
has had it, and its outcome is the refusal. So is a dead letter that its topic refuses written without its
data. Either is forgotten once it is committed: an operator may redrive the event when its record is taken,
and a later letter is tried whole.
"""

from typing import Any

from bus.errors import RefusedError
from bus.event import Event

_Place = tuple[int, str]
"""Offset and id of an event: one that was parked may come from an earlier topic of the same name."""


class RefusedRecords:
    """What was refused of one partition since its last commit, however often it is opened anew."""

    def __init__(self) -> None:
        self._errors: dict[_Place, RefusedError] = {}
        self._told: set[_Place] = set()
        self._letter_bytes: int | None = None
        self._is_letter_told = False
        self._is_news = False

    def begin(self) -> None:
        """Note that the partition is opened: nothing of it is settled yet."""
        self._told.clear()
        self._is_letter_told = False

    def add(self, offset: int, event_id: str, error: RefusedError) -> None:
        """Note that a record was refused which the handler of an event had published."""
        self._is_news = self._is_news or (offset, event_id) not in self._errors
        self._errors.setdefault((offset, event_id), error)

    def add_letter(self, size_bytes: int) -> None:
        """Note that a dead letter of that size was refused."""
        if self._letter_bytes is None or size_bytes < self._letter_bytes:
            self._letter_bytes, self._is_news = size_bytes, True

    def takes_letter(self, size_bytes: int) -> bool:
        """Return whether none of that size, or smaller, was refused; else it goes without its data."""
        takes = self._letter_bytes is None or size_bytes < self._letter_bytes
        self._is_letter_told = self._is_letter_told or not takes
        return takes

    def take_news(self) -> bool:
        """Return whether anything was learnt since this was asked last: it will not be refused again."""
        is_news, self._is_news = self._is_news, False
        return is_news

    def error_of(self, event: Event[Any]) -> RefusedError | None:
        """Return why an event has failed already, if it has; its outcome goes with the next commit."""
        if not self._errors:
            return None
        place = event.record.offset, event.id
        error = self._errors.get(place)
        if error is not None:
            self._told.add(place)
        return error

    def committed(self, reached: int) -> None:
        """Forget what is settled.

        Args:
            reached: every record before this offset was settled when the commit began.
        """
        for place in [place for place in self._told if place[0] < reached]:
            self._told.remove(place)
            del self._errors[place]
        if self._is_letter_told:
            self._letter_bytes, self._is_letter_told = None, False
