"""A finding that is answered for is silent, until its day; everything else about a waiver is told."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contracts.documents.loading import load
from contracts.finding import Finding, Place, Rule
from contracts.lint.waivers import FILE, RULES, apply_waivers
from tests.unit.contracts.catalogs import write

TODAY = date(2026, 5, 4)
FINDING = Rule("field-bounded", "why", "how").at(Place("agencies/tax/refund-paid/v1.0.json", 3), "no bound")
BREAK = Rule("TYPE_NARROWED", "why", "how").at(Place("agencies/tax/refund-paid/v1.1.json", 3), "narrower")


def waiver(finding: Finding, **changes: Any) -> dict[str, Any]:
    """A sound waiver of a finding, or one with something wrong."""
    sound = {
        "fingerprint": finding.fingerprint,
        "rule": finding.code,
        "reason": "Agreed with all three readers.",
        "approvers": ["Refunds Unit", "tax"],
        "expires": "2026-05-04",
    }
    return {name: value for name, value in {**sound, **changes}.items() if value is not None}


def told(root: Path, *findings: Finding, **how: Any) -> list[str]:
    """The codes left after waivers."""
    return [finding.code for finding in apply_waivers(findings, load(root), TODAY, **how)]


def test_a_waived_finding_is_silent_until_its_last_day(root: Path) -> None:
    """On the last day it still holds; other findings stay."""
    write(root, FILE, [waiver(FINDING)])
    assert told(root, FINDING, BREAK) == ["TYPE_NARROWED"]


def test_without_the_file_nothing_changes(root: Path) -> None:
    """It may be absent."""
    assert told(root, FINDING) == ["field-bounded"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reason": " "}, "waiver-reason"),
        ({"reason": None}, "waiver-reason"),
        ({"approvers": []}, "waiver-approver"),
        ({"approvers": ["Someone"]}, "waiver-approver"),
        ({"expires": "2026-05-03"}, "waiver-expired"),
    ],
)
def test_a_faulty_waiver_waives_nothing_and_is_told(root: Path, changes: dict[str, Any], code: str) -> None:
    """Missing reason, missing or unknown approver, over."""
    write(root, FILE, [waiver(FINDING, **changes)])
    assert told(root, FINDING) == ["field-bounded", code]


@pytest.mark.parametrize("changes", [{"fingerprint": "0" * 16}, {"rule": "another-rule"}])
def test_a_waiver_that_silences_nothing_is_told(root: Path, changes: dict[str, Any]) -> None:
    """The finding is mended, or the fingerprint is wrong."""
    write(root, FILE, [waiver(FINDING, **changes)])
    assert told(root, FINDING) == ["field-bounded", "waiver-used"]


@pytest.mark.parametrize(
    "content", ["{", "a: b", [{"fingerprint": "x"}], [waiver(FINDING, expires=None)], [waiver(FINDING, by=1)]]
)
def test_a_file_that_says_something_else_waives_nothing(root: Path, content: object) -> None:
    """Every fault has its place; the findings stay."""
    write(root, FILE, content)
    codes = told(root, FINDING)
    assert codes[0] == "field-bounded"
    assert set(codes[1:]) <= {"waiver-fields", "document-syntax"}
    assert len(codes) > 1


def test_each_check_uses_its_own_waivers(root: Path) -> None:
    """Lint does not call a waiver of a break unused, nor the other way round."""
    write(root, FILE, [waiver(FINDING), waiver(BREAK)])
    assert told(root, FINDING) == []
    assert told(root, BREAK, check="breaking") == []


def test_a_rule_that_is_not_asked_leaves_its_waivers_alone(root: Path) -> None:
    """A smaller category of rules does not make a waiver unused."""
    write(root, FILE, [waiver(FINDING)])
    assert told(root, left=["field-bounded"]) == []


def test_what_is_wrong_with_a_waiver_cannot_be_waived(root: Path) -> None:
    """Otherwise a waiver could excuse itself."""
    write(root, FILE, [waiver(FINDING, reason="")])
    first = apply_waivers([FINDING], load(root), TODAY)[1]
    assert first.code in {rule.code for rule in RULES}
    write(root, FILE, [waiver(first)])
    assert told(root, first) == ["waiver-reason", "waiver-used"]
