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

    def known(self, publication: Publication) -> Publication | None:
        """Return the earlier publication of the same event, if there is one.

        Raises:
            IdReusedError: another event has this id.
        """
        name = _name(publication)
        known = self._new.get(name) or self._old.get(name)
        if known is None or known.lost:
            return None
        if known.digest != publication.digest:
            raise IdReusedError(known.digest, publication.digest)
        return known

    def first(self, publication: Publication) -> Publication:
        """Return the earlier publication of the same event, or this one, which is remembered.

        Raises:
            IdReusedError: another event has this id.
        """
        known = self.known(publication)
        if known is not None:
            return known
        if len(self._new) >= self._size:
            self._old, self._new = self._new, {}
        self._new[_name(publication)] = publication
        return publication


def _name(publication: Publication) -> tuple[str, str, str]:
    return publication.stamper.source, publication.stamp[0], publication.topic
