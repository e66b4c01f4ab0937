"""Where a subscription begins in a partition, and what it must say about that. Pure.

Law of this file: an offset counts for the topic it was committed for, and for no topic of the same name that
was made since. What is missing between the offset and the first record that still exists is counted.

| the group has committed | the topic | begin at | and say |
|---|---|---|---|
| nothing | | the first record | nothing |
| an offset of a topic with another id | was made again | the first record | `topic-replaced` |
| an offset before the first record | has expired so far | the first record | `lost` |
| an offset that is out of range | has lost its end | the first record | `lost` |
| an offset | | there | nothing |
"""

from dataclasses import dataclass
from enum import StrEnum

from bus.standing import Standing


class Displacement(StrEnum):
    """Why a subscription does not go on where it was; a closed set, safe as a label."""

    LOST = "lost"
    """Records that it had not read are gone."""
    TOPIC_REPLACED = "topic-replaced"
    """The topic was deleted and made again."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin, and why not where the group had committed."""

    offset: int
    why: Displacement | None = None
    count: int = 0
    """How many offsets are gone."""
    since_us: int = 0
    """When the group had committed last, in microseconds since the epoch; 0 if that is not known."""


def start_of(standing: Standing) -> Start:
    """Return where a subscription begins.

    Args:
        standing: the topic as it is, and what the group has committed.
    """
    committed = standing.committed
    if committed is None:
        return Start(standing.first)
    if committed.topic_id not in ("", standing.topic_id):
        return Start(standing.first, Displacement.TOPIC_REPLACED, standing.first, committed.at_us)
    # An offset behind the end alone says little: a new leader may not know yet how far its log goes.
    if committed.offset < standing.first or (standing.out_of_range and committed.offset > standing.end):
        gone = max(standing.first - committed.offset, 0)
        return Start(standing.first, Displacement.LOST, gone, committed.at_us)
    return Start(committed.offset)
