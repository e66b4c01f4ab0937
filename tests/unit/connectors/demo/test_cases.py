"""The demo's clerks: the same seed types the same forms."""

from __future__ import annotations

import unicodedata
from datetime import date
from random import Random

import pytest

from connectors.demo.cases import BIRTH, BUSINESS, FLAWS, MOVE, draw_cases
from connectors.demo.people import draw_day, draw_person, leap_day

TODAY = date(2026, 11, 23)


def test_the_same_seed_gives_the_same_cases() -> None:
    """A run can be repeated: seed, run and day decide everything."""
    first = draw_cases(60, seed=7, run="a1", today=TODAY, faults=True)
    assert first == draw_cases(60, seed=7, run="a1", today=TODAY, faults=True)
    assert first != draw_cases(60, seed=8, run="a1", today=TODAY, faults=True)


def test_the_services_take_turns_and_references_are_unique() -> None:
    """Each service gets its third, and no two cases share a reference a contract would refuse."""
    cases = draw_cases(31, seed=1, run="a1", today=TODAY, faults=False)
    counts = {service: sum(case.service == service for case in cases) for service in (BIRTH, BUSINESS, MOVE)}
    assert counts == {BIRTH: 11, BUSINESS: 10, MOVE: 10}
    assert len({case.reference for case in cases}) == 31
    assert all(8 <= len(case.reference) <= 64 for case in cases)


def test_a_country_without_faults_has_no_flaw() -> None:
    """Turning faults off turns all of them off."""
    assert all(case.flaw is None for case in draw_cases(90, seed=1, run="a", today=TODAY, faults=False))


@pytest.mark.parametrize("count", [24, 200])
def test_every_kind_of_flaw_is_among_the_cases(count: int) -> None:
    """Even a small run has each flaw of each service, and a large one stays mostly right."""
    cases = draw_cases(count, seed=3, run="a", today=TODAY, faults=True)
    for service, kinds in FLAWS.items():
        assert set(kinds) == {case.flaw for case in cases if case.service == service and case.flaw}
    assert sum(case.flaw is not None for case in cases) <= count / 3


def test_even_the_smallest_country_is_mostly_right() -> None:
    """Never more than half of the cases are flawed."""
    for count in range(1, 20):
        cases = draw_cases(count, seed=1, run="a", today=TODAY, faults=True)
        assert sum(case.flaw is not None for case in cases) <= count / 2


def test_names_come_in_many_scripts_and_awkward_forms() -> None:
    """A few hundred people include right-to-left, ideographic, Indic and decomposed names."""
    random = Random(1)
    people = [draw_person(random, today=TODAY, born_since_days=100) for _ in range(400)]
    words = {unicodedata.name(person.name[0], "?").split()[0] for person in people}
    assert {"LATIN", "GREEK", "CYRILLIC", "ARABIC", "DEVANAGARI", "CJK", "GEORGIAN", "HEBREW"} <= words
    assert any(" " not in person.name for person in people)
    assert any(person.name == "Ada Null" for person in people)
    assert any("\u200f" in person.name for person in people)
    assert any(unicodedata.normalize("NFC", person.name) != person.name for person in people)


def test_days_include_the_ones_calendars_get_wrong() -> None:
    """29 February, 1 January 1900 and today all occur, and no day lies in the future."""
    random = Random(1)
    days = {draw_day(random, today=TODAY, since_days=30) for _ in range(400)}
    assert {date(2024, 2, 29), date(1900, 1, 1), TODAY} <= days
    assert max(days) == TODAY


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 11, 23), date(2024, 2, 29)),
        (date(2024, 2, 28), date(2020, 2, 29)),
        (date(1903, 1, 1), date(1896, 2, 29)),
    ],
)
def test_the_last_leap_day_is_not_after_today(today: date, expected: date) -> None:
    """1900 had no 29 February."""
    assert expected == leap_day(today)
