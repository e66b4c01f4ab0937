"""What the receipts tell of one subscription: what the bus acknowledged, held against each delivery. Pure.

Law of this file: an accepted event is acknowledged after its handler, or a dead letter, or parked, or not
come to yet; else it is lost. A receipt is on the broker before the position that passes its event, so what
lies behind the last receipt of its partition was not come to.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from bus.crash.verdict import Accepted, Handled, Place, Verdict, judge
from bus.receipts.receipts import DeliveryReceipt


def place_of(row: DeliveryReceipt) -> Place:
    """Return where the event of a receipt lies."""
    return row.topic, row.partition, row.offset


def is_handled(row: DeliveryReceipt) -> bool:
    """Whether a handler came to a good end; a duplicate that was passed over is none."""
    return row.outcome == "ack" and row.reason is None


def is_final(row: DeliveryReceipt) -> bool:
    """Whether the event is done with."""
    return is_handled(row) or row.outcome == "dead-letter"


def account(
    accepted: Sequence[Accepted],
    rows: Sequence[DeliveryReceipt],
    parked: Collection[Place],
    *,
    exactly_once: bool = False,
    restarted_at: float | None = None,
) -> Verdict:
    """Hold what was accepted against the receipts of one subscription.

    Args:
        accepted: what the bus acknowledged of all topics that the subscription reads.
        rows: the subscription's receipts, in the order of their topic.
        parked: where the events lie that still wait.
        exactly_once: whether an event may be handled once only.
        restarted_at: local time of a restart.
    """
    known = {one.place: one for one in accepted}
    rows = [row for row in rows if place_of(row) in known]
    verdict = judge(accepted, _handled(rows, known), restarted_at=restarted_at)
    handled = {place_of(row) for row in rows if is_handled(row)}
    missing = known.keys() - handled
    dead = missing & {place_of(row) for row in rows if row.outcome == "dead-letter"}
    waiting = (missing - dead) & set(parked)
    unreached = _unreached(missing - dead - waiting, rows)
    return replace(
        verdict,
        lost=len(missing - dead - waiting) - len(unreached),
        twice=verdict.again if exactly_once else 0,
        dead_letters=len(dead),
        waiting=len(waiting),
        unreached=len(unreached),
    )


def _handled(rows: Iterable[DeliveryReceipt], known: dict[Place, Accepted]) -> list[Handled]:
    found = []
    for row in rows:
        if is_handled(row):
            one = known[place_of(row)]
            found.append(Handled((row.finished_us - row.skew_us) / 1e6, one.place, one.key, one.number))
    return found


def _unreached(places: Collection[Place], rows: Iterable[DeliveryReceipt]) -> set[Place]:
    furthest: dict[Place, int] = {}
    for row in rows:
        partition = row.topic, row.partition
        furthest[partition] = max(furthest.get(partition, -1), row.offset)
    return {place for place in places if int(place[-1]) >= furthest.get(place[:-1], -1)}


def total(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdicts of all subscriptions of one run as one."""
    restarts = [one.restart_seconds for one in verdicts if one.restart_seconds is not None]
    return replace(
        verdicts[0],
        accepted=sum(one.accepted for one in verdicts),
        lost=sum(one.lost for one in verdicts),
        again=sum(one.again for one in verdicts),
        twice=sum(one.twice for one in verdicts),
        out_of_order=sum(one.out_of_order for one in verdicts),
        dead_letters=sum(one.dead_letters for one in verdicts),
        waiting=sum(one.waiting for one in verdicts),
        unreached=sum(one.unreached for one in verdicts),
        restart_seconds=max(restarts, default=None),
    )
