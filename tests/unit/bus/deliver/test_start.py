"""Where a subscription begins: the table of `bus/deliver/start.py`, row by row."""

import pytest

from bus.deliver.start import Mark, Start, needs_mark, start_of
from bus.outcome import Reason
from bus.standing import CommittedOffset, Standing

HERE, FORMER = "5ac8ec7a-7548-470e-b32c-c6decab72fe0", "4d21f03e-3382-4e28-9be9-f6d2e4fb1353"
OURS, THEIRS = CommittedOffset(50, HERE, 7), CommittedOffset(50)


def standing(committed: CommittedOffset | None, first: int = 0, *, out_of_range: bool = False) -> Standing:
    """Return a topic of 100 offsets."""
    return Standing(HERE, first, 100, committed, out_of_range)


@pytest.mark.parametrize(
    ("found", "mark", "expected"),
    [
        (standing(None, 3), None, Start(3)),
        (standing(OURS), None, Start(50)),
        (standing(OURS, 60), None, Start(60, Reason.RECORDS_LOST, 50, 10, 7)),
        (standing(CommittedOffset(150, HERE, 7)), None, Start(150)),
        (
            standing(CommittedOffset(150, HERE, 7), out_of_range=True),
            None,
            Start(0, Reason.RECORDS_LOST, 150, 0, 7),
        ),
        (standing(CommittedOffset(50, FORMER, 7), 2), None, Start(2, Reason.TOPIC_REPLACED, 50, 2, 7)),
        (standing(None), Mark(FORMER, 50, 7), Start(0, Reason.TOPIC_REPLACED, 50, 0, 7)),
        (standing(None), Mark(HERE, 40, 7), Start(40, Reason.OFFSETS_EXPIRED, 40, 0, 7)),
        (standing(None, 45), Mark(HERE, 40, 7), Start(45, Reason.OFFSETS_EXPIRED, 40, 5, 7)),
        (standing(THEIRS), None, Start(50)),
        (standing(THEIRS), Mark(HERE, 50, 7), Start(50)),
        (standing(THEIRS, 60), Mark(HERE, 50, 7), Start(60, Reason.RECORDS_LOST, 50, 10, 7)),
        (standing(THEIRS), Mark(HERE, 80, 7), Start(50, Reason.GROUP_RESET, 80, 0, 7)),
        (standing(THEIRS), Mark(HERE, 20, 7), Start(50, Reason.GROUP_RESET, 20, 30, 7)),
        (standing(CommittedOffset(1000)), Mark(HERE, 20, 7), Start(20, Reason.GROUP_RESET, 20, 0, 7)),
        (standing(CommittedOffset(1000), 30), Mark(HERE, 20, 7), Start(30, Reason.GROUP_RESET, 20, 10, 7)),
        (standing(CommittedOffset(1000)), None, Start(1000)),
        (
            standing(CommittedOffset(1000), 3, out_of_range=True),
            None,
            Start(3, Reason.RECORDS_LOST, 1000, 0, 0),
        ),
        (standing(None, out_of_range=True), Mark(HERE, 150, 7), Start(0, Reason.RECORDS_LOST, 150, 0, 7)),
        (
            standing(None, out_of_range=True),
            Mark(HERE, 150, 8, by_operator=True),
            Start(0, Reason.RECORDS_LOST, 150, 0, 8),
        ),
        (standing(None), Mark(HERE, 10, 8, by_operator=True), Start(10, since_us=8, by_operator=True)),
        (standing(OURS), Mark(HERE, 10, 8, by_operator=True), Start(10, since_us=8, by_operator=True)),
        (standing(OURS), Mark(HERE, 10, 6, by_operator=True), Start(50)),
        (standing(None), Mark(FORMER, 10, 8, by_operator=True), Start(0, Reason.TOPIC_REPLACED, 10, 0, 8)),
    ],
)
def test_a_subscription_begins_where_it_was_or_says_why_not(
    found: Standing, mark: Mark | None, expected: Start
) -> None:
    """What the group has committed, else the agency's own mark, else the first record."""
    assert start_of(found, mark) == expected


@pytest.mark.parametrize(
    ("found", "mark", "why"),
    [
        (standing(None), Mark(HERE, 40, 7), Reason.OFFSETS_EXPIRED),
        (standing(THEIRS), Mark(HERE, 80, 7), Reason.GROUP_RESET),
        (standing(CommittedOffset(1000)), Mark(HERE, 80, 7), Reason.GROUP_RESET),
        (standing(CommittedOffset(150, HERE, 7), out_of_range=True), None, Reason.RECORDS_LOST),
        (standing(CommittedOffset(150), out_of_range=True), None, Reason.RECORDS_LOST),
    ],
)
def test_exactly_once_begins_nothing_again_by_itself(found: Standing, mark: Mark | None, why: Reason) -> None:
    """It halts until an operator has said where to go on."""
    start = start_of(found, mark, exactly_once=True)
    assert (start.offset, start.why) == (None, why)


def test_exactly_once_goes_on_where_nothing_comes_again() -> None:
    """What is gone is gone, and a new topic holds nothing that was handled."""
    assert start_of(standing(OURS, 60), exactly_once=True).offset == 60
    assert start_of(standing(CommittedOffset(50, FORMER, 7)), exactly_once=True).offset == 0
    assert start_of(standing(None), Mark(HERE, 9, 7, by_operator=True), exactly_once=True).offset == 9


def test_the_mark_is_asked_for_where_the_group_does_not_know() -> None:
    """Nearly never: reading it takes time."""
    assert [needs_mark(standing(at)) for at in (None, THEIRS, OURS)] == [True, True, False]
