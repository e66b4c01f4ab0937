"""The verdict on one crash run: what the bus accepted, compared with what was handled. Pure.

Law of this file: an accepted event is handled, or a dead letter, or parked, or not reached yet; otherwise it
is lost. An event is out of order if it was first handled after a later event of its key. A receipt is on the
broker before the offset of its event is committed, so events after the last receipt of their partition were
not reached.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from bus.receipts.receipts import DeliveryReceipt

RecordPosition = tuple[str | int, ...]
"""Topic, partition and offset; the topic may be left out where there is one only."""


class Accepted(NamedTuple):
    """One event that the bus acknowledged."""

    position: RecordPosition
    key: str
    number: int


class Handling(NamedTuple):
    """One call of a handler that ended well."""

    seconds: float
    """Local time since the epoch."""
    position: RecordPosition
    key: str
    number: int


@dataclass(frozen=True, slots=True)
class CrashVerdict:
    """The findings of one run."""

    accepted: int
    lost: int
    again: int
    """Handled more than once."""
    twice: int
    """Repetitions under exactly-once, which promises none."""
    out_of_order: int
    struck: bool = True
    """Whether the fault happened."""
    restart_seconds: float | None = None
    """From the restart to the first event handled after it."""
    dead_letters: int = 0
    """Not lost: the retry policy of the subscription decided so."""
    waiting: int = 0
    """Parked when the run ended; not lost: the retry policy of the subscription decided so."""
    gone: int = 0
    """Not handled when an operator deleted their topic; not lost: they went with it."""
    unreached: int = 0
    """Not reached when the run ended: too slow, or lost at the very end."""
    differences: tuple[str, ...] = ()
    """What does not add up, as `govbus reconcile` tells it."""
    ended: str = ""
    """The last lines of a process that ended by itself: caused by the bus or a handler."""
    logs: str = ""
    """Where the logs of a broken run are kept."""

    @property
    def broken(self) -> bool:
        """Whether a promise was broken, or the run could not show that it was kept."""
        found = self.lost or self.twice or self.out_of_order or self.unreached
        return bool(found or self.differences or self.ended or not self.struck)


class KeyOrder:
    """Finds events that were first handled after a later event of their key, by line and by clock."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, float]] = {}

    def was_overtaken(self, key: str, number: int, seconds: float) -> bool:
        """Take the first handling of an event, in the order they were recorded."""
        latest, since = self._latest.setdefault(key, (number, seconds))
        if number > latest:
            self._latest[key] = (number, seconds)
        return number < latest and seconds >= since


def judge(
    accepted: Sequence[Accepted], handlings: Sequence[Handling], *, restarted_at: float | None = None
) -> CrashVerdict:
    """Compare what was accepted with what was handled.

    Args:
        accepted: what the bus acknowledged.
        handlings: the calls of a handler, in the order they were recorded.
        restarted_at: local time of a restart.
    """
    counts = Counter(one.position for one in handlings)
    later = [one.seconds for one in handlings if restarted_at is not None and one.seconds > restarted_at]
    return CrashVerdict(
        accepted=len(accepted),
        lost=sum(one.position not in counts for one in accepted),
        again=sum(count - 1 for count in counts.values()),
        twice=0,
        out_of_order=_out_of_order(handlings),
        restart_seconds=min(later) - restarted_at if restarted_at is not None and later else None,
    )


def _out_of_order(handlings: Iterable[Handling]) -> int:
    known: set[RecordPosition] = set()
    order, wrong = KeyOrder(), 0
    for one in handlings:
        if one.position not in known:
            known.add(one.position)
            wrong += order.was_overtaken(one.key, one.number, one.seconds)
    return wrong


def position_of(row: DeliveryReceipt) -> RecordPosition:
    """Return topic, partition and offset of the event of a receipt."""
    return row.topic, row.partition, row.offset


def is_handled(row: DeliveryReceipt) -> bool:
    """Whether a handler ended well; a skipped duplicate does not count."""
    return row.outcome == "ack" and row.reason is None


def is_final(row: DeliveryReceipt) -> bool:
    """Whether the event is handled or a dead letter."""
    return is_handled(row) or row.outcome == "dead-letter"


def judge_receipts(
    accepted: Sequence[Accepted],
    rows: Sequence[DeliveryReceipt],
    parked: Collection[RecordPosition],
    *,
    exactly_once: bool = False,
    restarted_at: float | None = None,
) -> CrashVerdict:
    """Compare what was accepted with the receipts of one subscription.

    Args:
        accepted: what the bus acknowledged on all topics that the subscription reads.
        rows: the subscription's receipts, in the order of their topic.
        parked: the events that are still parked.
        exactly_once: whether an event may be handled only once.
        restarted_at: local time of a restart.
    """
    known = {one.position: one for one in accepted}
    rows = [row for row in rows if position_of(row) in known]
    verdict = judge(
        accepted, [_handling(row, known) for row in rows if is_handled(row)], restarted_at=restarted_at
    )
    missing = known.keys() - {position_of(row) for row in rows if is_handled(row)}
    dead = missing & {position_of(row) for row in rows if row.outcome == "dead-letter"}
    waiting = (missing - dead) & set(parked)
    unreached = _unreached(missing - dead - waiting, rows)
    return replace(
        verdict,
        lost=len(missing - dead - waiting - unreached),
        twice=verdict.again if exactly_once else 0,
        dead_letters=len(dead),
        waiting=len(waiting),
        unreached=len(unreached),
    )


def _handling(row: DeliveryReceipt, known: dict[RecordPosition, Accepted]) -> Handling:
    one = known[position_of(row)]
    return Handling((row.finished_us - row.skew_us) / 1e6, one.position, one.key, one.number)


def _unreached(positions: Collection[RecordPosition], rows: Iterable[DeliveryReceipt]) -> set[RecordPosition]:
    furthest: dict[RecordPosition, int] = {}
    for row in rows:
        partition = row.topic, row.partition
        furthest[partition] = max(furthest.get(partition, -1), row.offset)
    return {position for position in positions if int(position[-1]) >= furthest.get(position[:-1], -1)}
