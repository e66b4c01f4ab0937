"""Whose times topics keep, as far as a monitor has seen it."""

from collections.abc import Mapping
from typing import NamedTuple

from bus import TopicPartition


class Dating(NamedTuple):
    """Whose times topics keep, as far as it was not the broker's once.

    Attributes:
        topics: those that kept the times of their publishers.
        since: the first offset of a partition of those that has the broker's time.
    """

    topics: frozenset[str] = frozenset()
    since: Mapping[TopicPartition, int] = {}
