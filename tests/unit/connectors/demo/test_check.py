"""The account at the end of the demo can fail, and says which way."""

from __future__ import annotations

from typing import Literal

from connectors.demo.check import Account, Effect, Rejection, Submission, Tally, settle

ENDS = {"birth": ("health.opened", "social.granted")}


def submitted(*references: str) -> list[Submission]:
    """The start system's books."""
    return [Submission("birth", reference) for reference in references]


def done(*references: str) -> list[Effect]:
    """The receiving books with both ends of each case."""
    return [Effect(end, reference) for reference in references for end in ENDS["birth"]]


def turned_away(reference: str | None, kind: Literal["refused", "dead-lettered"] = "refused") -> Rejection:
    """What the bus says of a case."""
    return Rejection(kind, "tax", "contract-violation", "validate", "BUSINESS/7", reference)


def account(
    submissions: list[Submission], effects: list[Effect], rejections: list[Rejection] | None = None
) -> Account:
    """The account of the one service."""
    return settle(submissions=submissions, effects=effects, rejections=rejections or [], ends=ENDS)


def test_a_case_is_completed_when_every_end_is_in_the_receiving_books() -> None:
    """Both ends once: nothing to find."""
    result = account(submitted("a", "b"), done("a", "b"))
    assert result.clean
    assert result.last_line == "accepted 2, completed 2, refused 0, dead-lettered 0, 0 lost, 0 handled twice"


def test_a_missing_end_is_a_lost_case() -> None:
    """One end of two is not a completed service."""
    result = account(submitted("a", "b"), [*done("a"), Effect("health.opened", "b")])
    assert result.lost == ("b",)
    assert not result.clean
    assert Tally(accepted=2, completed=1, lost=1) == result.total


def test_an_end_in_the_books_twice_was_handled_twice() -> None:
    """The case is completed all the same, and the finding stands."""
    result = account(submitted("a"), [*done("a"), Effect("social.granted", "a")])
    assert (Effect("social.granted", "a"),) == result.doubled
    assert result.last_line == "accepted 1, completed 1, refused 0, dead-lettered 0, 0 lost, 1 handled twice"
    assert not result.clean


def test_a_step_on_the_way_counts_as_handled_twice_too() -> None:
    """An effect needs no place among the ends to be one too many."""
    number = Effect("tax.number", "a")
    assert not account(submitted("a"), [*done("a"), number, number]).clean


def test_a_rejection_with_a_reason_accounts_for_a_case() -> None:
    """Refused before dead-lettered: the contract is the stronger reason."""
    rejections = [
        turned_away("a", "dead-lettered"),
        turned_away("a"),
        turned_away("b", "dead-lettered"),
        turned_away("b", "dead-lettered"),
    ]
    result = account(submitted("a", "b", "c"), done("c"), rejections)
    assert result.clean
    assert Tally(accepted=3, completed=1, refused=1, dead_lettered=1) == result.total


def test_the_line_adds_up() -> None:
    """Accepted is always the sum of the four ends a case can have."""
    result = account(
        submitted("a", "b", "c", "d"), done("a"), [turned_away("b"), turned_away("c", "dead-lettered")]
    )
    total = result.total
    assert total.accepted == total.completed + total.refused + total.dead_lettered + total.lost
    assert result.states == {"a": "completed", "b": "refused", "c": "dead-lettered", "d": "lost"}


def test_the_same_case_entered_twice_is_one_case() -> None:
    """A clerk who presses the button twice has accepted one matter."""
    assert account(submitted("a", "a"), done("a")).total.accepted == 1


def test_an_effect_nobody_asked_for_is_a_finding() -> None:
    """Books at the end may hold no case that the books at the start don't."""
    result = account(submitted("a"), done("a", "ghost"))
    assert {"ghost"} == {effect.reference for effect in result.orphans}
    assert not result.clean


def test_a_rejection_that_belongs_to_no_case_is_a_finding() -> None:
    """What cannot be traced to a case is not accounted for."""
    assert not account(submitted("a"), done("a"), [turned_away(None)]).clean
