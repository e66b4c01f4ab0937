"""The latest events published with an explicit id.

Law of this file: the same source and id with the same data is the same event and is sent once; with other
data it is refused. An event that was not acknowledged is forgotten.
"""

from bus.errors import IdReusedError
from bus.publish.publication import Publication

WINDOW_EVENTS = 10_000
"""How many are remembered at least; twice as many at most."""


class RecentIds:
    """Publications by topic and id, kept in two halves so that forgetting costs nothing."""

    def __init__(self, size: int = WINDOW_EVENTS) -> None:
        self._size = size
        self._new: dict[tuple[str, str, str], Publication] = {}
        self._old: dict[tuple[str, str, str], Publication] = {}

    def first(self, publication: Publication) -> Publication:
        """Return the earlier publication of the same event, or this one, which is remembered.

        Raises:
            IdReusedError: another event has this id.
        """
        stamp, stamper = publication.stamp, publication.stamper
        name = (stamper.source, stamp.id, publication.topic)
        known = self._new.get(name) or self._old.get(name)
        if known is None or known.lost:
            if len(self._new) >= self._size:
                self._old, self._new = self._new, {}
            self._new[name] = publication
            return publication
        if known.digest != publication.digest:
            raise IdReusedError(known.digest, publication.digest)
        return known
