"""Where a subscription begins in a partition, and what it must say about that. Pure.

Law of this file: an offset counts for the topic it was committed for, and for no topic of the same name that
was made since. What the group does not know any more, the agency's own mark tells: how far it was, and when.
`exactly_once` begins nothing again without an operator's word.

| the group has committed | and the mark is | begin at | and say |
|---|---|---|---|
| | of an operator, and newer | the mark | that it goes on |
| an offset of another topic id | | the first record | `topic-replaced` |
| nothing | of another topic id | the first record | `topic-replaced` |
| nothing | not there | the first record | nothing |
| nothing | there | the mark; `exactly_once` halts | `offsets-expired` |
| an offset, not by the bus | there, elsewhere | the offset; `exactly_once` halts | `group-reset` |
| an offset behind the end, not by the bus | there | the mark; `exactly_once` halts | `group-reset` |
| an offset before the first record | | the first record | `records-lost` |
| | whatever it is: out of range | the first record; `exactly_once` halts | `records-lost` |
| an offset | | there | nothing |

A place before the first record moves to the first record, and what lies between is counted as lost.
"""

from dataclasses import dataclass

from bus.outcome import Reason
from bus.standing import CommittedOffset, Standing


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a subscription was in a partition, as the agency itself keeps it."""

    topic_id: str
    offset: int
    at_us: int
    """When, in microseconds since the epoch."""
    by_operator: bool = False
    """Whether an operator says to begin there."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin, and why not where the group was."""

    offset: int | None
    """None if an operator must say it."""
    why: Reason | None = None
    was: int = 0
    """The offset that would have been next."""
    lost: int = 0
    """How many offsets are gone unread."""
    since_us: int = 0
    """When that was last known to be the place, in microseconds since the epoch; 0 if that is not known."""
    by_operator: bool = False
    """Whether an operator said so, at `since_us`."""


def needs_mark(standing: Standing) -> bool:
    """Whether what the group has committed does not say where to begin."""
    committed = standing.committed
    return committed is None or not committed.topic_id or standing.out_of_range


def start_of(standing: Standing, mark: Mark | None = None, *, exactly_once: bool = False) -> Start:
    """Return where a subscription begins.

    Args:
        standing: the topic as it is, and what the group has committed.
        mark: the agency's own; it may be None where `needs_mark` is not.
        exactly_once: whether to begin nothing again.
    """
    start = _start_of(standing, mark, exactly_once=exactly_once)
    # An offset behind the end alone says little: a new leader may not know yet how far its log goes.
    if not standing.out_of_range or start.offset is None or start.offset <= standing.end:
        return start
    committed_us = 0 if standing.committed is None else standing.committed.at_us
    since_us = start.since_us or committed_us
    return Start(None if exactly_once else standing.first, Reason.RECORDS_LOST, start.offset, 0, since_us)


def _start_of(standing: Standing, mark: Mark | None, *, exactly_once: bool) -> Start:
    committed = standing.committed
    same = mark if mark is not None and mark.topic_id == standing.topic_id else None
    if same is not None and same.by_operator and (committed is None or same.at_us > committed.at_us):
        return Start(max(same.offset, standing.first), since_us=same.at_us, by_operator=True)
    if committed is not None and committed.topic_id:
        return _known(standing, committed)
    if mark is not None and same is None:
        return Start(standing.first, Reason.TOPIC_REPLACED, mark.offset, standing.first, mark.at_us)
    if same is None:
        return Start(max(standing.first, 0 if committed is None else committed.offset))
    if committed is not None and committed.offset == same.offset:
        return _from(standing, same.offset, None, same)
    why = Reason.OFFSETS_EXPIRED if committed is None else Reason.GROUP_RESET
    if exactly_once:
        return Start(None, why, same.offset, 0, same.at_us)
    # Nobody who moves a group wants it to wait for records that do not exist.
    moved = None if committed is None or committed.offset > standing.end else committed.offset
    return _from(standing, same.offset if moved is None else moved, why, same)


def _known(standing: Standing, committed: CommittedOffset) -> Start:
    first, was, at_us = standing.first, committed.offset, committed.at_us
    if committed.topic_id != standing.topic_id:
        return Start(first, Reason.TOPIC_REPLACED, was, first, at_us)
    if was < first:
        return Start(first, Reason.RECORDS_LOST, was, first - was, at_us)
    return Start(was)


def _from(standing: Standing, offset: int, why: Reason | None, mark: Mark) -> Start:
    """Begin at an offset, or at the first record if that is later; count what nobody will read."""
    at = max(offset, standing.first)
    lost = max(0, at - mark.offset)
    why = why or (Reason.RECORDS_LOST if lost else None)
    return Start(at) if why is None else Start(at, why, mark.offset, lost, mark.at_us)
