"""The verdict from the receipts of a run: handled, dead letter, parked, not reached, or lost."""

import pytest

from bus.crash.verdict import CrashVerdict, judge_receipts
from tests.unit.bus.crash.receipts import ACCEPTED, row, rows


def test_a_whole_run_is_kept() -> None:
    """Every event was handled, each key in its order."""
    assert judge_receipts(ACCEPTED, rows(1, 0, 2, 3, 5, 4), ()) == CrashVerdict(6, 0, 0, 0, 0)


def test_what_was_passed_over_is_lost() -> None:
    """Something later of its partition has a receipt, so its own position was passed."""
    verdict = judge_receipts(ACCEPTED, rows(0, 1, 3, 4, 5), ())
    assert (verdict.lost, verdict.unreached, verdict.broken) == (1, 0, True)


def test_what_lies_behind_the_last_receipt_was_not_come_to() -> None:
    """It is no loss, and no proof either; the same for one that a resting partition tries again."""
    verdict = judge_receipts(ACCEPTED, [*rows(0, 1, 2), row(3, "retry", "target-unavailable")], ())
    assert (verdict.lost, verdict.unreached, verdict.broken) == (0, 3, True)


def test_what_is_set_aside_or_parked_is_not_lost() -> None:
    """The subscription's own policy says so; a promise is kept."""
    found = [*rows(0, 1), row(2, "dead-letter", "handler-failed"), row(4, "retry", "key-parked"), *rows(3, 5)]
    verdict = judge_receipts(ACCEPTED, found, {("t", 0, 4)})
    assert (verdict.dead_letters, verdict.waiting, verdict.lost, verdict.broken) == (1, 1, 0, False)


def test_what_was_parked_and_is_there_no_more_is_lost() -> None:
    """A receipt that says `retry` is no proof that the event still waits."""
    found = [*rows(0, 1, 2, 3), row(4, "retry", "key-parked"), *rows(5)]
    assert judge_receipts(ACCEPTED, found, ()).lost == 1


def test_a_duplicate_that_was_passed_over_is_no_handling() -> None:
    """Neither does it count again, nor does it make up for a handling that never was."""
    again = [*rows(0, 1, 2, 3, 4, 5), row(3, reason="duplicate")]
    assert judge_receipts(ACCEPTED, again, ()).again == 0
    assert judge_receipts(ACCEPTED, [*rows(0, 1, 2, 4, 5), row(3, reason="duplicate")], ()).lost == 1


@pytest.mark.parametrize(("exactly_once", "twice"), [(True, 1), (False, 0)])
def test_twice_is_broken_where_it_may_be_once_only(*, exactly_once: bool, twice: int) -> None:
    """At least once it may come again."""
    verdict = judge_receipts(ACCEPTED, rows(0, 1, 2, 3, 4, 5, 5), (), exactly_once=exactly_once)
    assert (verdict.again, verdict.twice, verdict.broken) == (1, twice, exactly_once)


def test_an_order_is_broken_if_paper_and_time_say_so() -> None:
    """A receipt that was sent again stands late in its topic, and is no proof."""
    assert judge_receipts(ACCEPTED, rows(0, 1, 4, 3, 2, 5), ()).out_of_order == 1
    late = [row(0, at=0), row(1, at=1), row(4, at=4), row(3, at=3), row(2, at=2), row(5, at=5)]
    assert judge_receipts(ACCEPTED, late, ()).out_of_order == 0


def test_other_events_of_the_topic_do_not_count() -> None:
    """What somebody else published is none of the run's."""
    assert judge_receipts(ACCEPTED, [*rows(0, 1, 2, 3, 4, 5), row(99)], ()) == judge_receipts(
        ACCEPTED, rows(0, 1, 2, 3, 4, 5), ()
    )
