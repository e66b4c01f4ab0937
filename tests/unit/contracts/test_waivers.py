"""A finding that is answered for is silent, until its day; everything else about a waiver is told."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.cli import contracts
from contracts.documents.loading import load
from contracts.finding import Finding, Place, Proof, Rule
from contracts.lint.waivers import FILE, RULES, apply_waivers
from tests.unit.contracts.catalogs import write
from tests.unit.contracts.histories import publish, subscribe

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
    return [finding.code for finding in apply_waivers(findings, load(root), TODAY, **how).kept]


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
    first = apply_waivers([FINDING], load(root), TODAY).kept[1]
    assert first.code in {rule.code for rule in RULES}
    write(root, FILE, [waiver(first)])
    assert told(root, first) == ["waiver-reason", "waiver-used"]


HIT = replace(BREAK, proof=Proof("incompatible", readers=("treasury (ledger)", "statistics (counts)")))


@pytest.mark.parametrize(
    ("approvers", "missing"),
    [
        (["tax"], ("statistics", "treasury")),
        (["tax", "treasury"], ("statistics",)),
        (["treasury", "statistics"], ()),
    ],
)
def test_whoever_a_break_hits_has_approved_its_waiver(
    root: Path, approvers: list[str], missing: tuple[str, ...]
) -> None:
    """Until then the break stays, and the waiver is told of as well."""
    for reader in ("treasury", "statistics"):
        subscribe(root, reader, ["$"])
    write(root, FILE, [waiver(HIT, approvers=approvers)])
    judged = apply_waivers([HIT], load(root), TODAY, check="breaking")
    assert [finding.code for finding in judged.kept] == (
        ["TYPE_NARROWED", "waiver-approver"] if missing else []
    )
    assert [each.missing for each in judged.waived] == [missing]
    for name in missing:
        assert f"`{name}`" in judged.kept[1].what


@pytest.mark.parametrize("approver", ["tax", "Refunds Unit", "treasury"])
def test_a_revocation_is_decided_by_the_owner_or_the_reader(root: Path, approver: str) -> None:
    """The owner of an event decides who reads it; a reader may leave by itself; nobody else may."""
    for reader in ("treasury", "statistics"):
        subscribe(root, reader, ["$"])
    revoked = replace(BREAK, proof=Proof("loss", readers=("treasury (ledger)",), decided_by="tax"))
    write(root, FILE, [waiver(revoked, approvers=[approver])])
    assert told(root, revoked, check="breaking") == []
    write(root, FILE, [waiver(revoked, approvers=["statistics"])])
    assert told(root, revoked, check="breaking") == ["TYPE_NARROWED", "waiver-approver"]


def test_a_waiver_that_has_done_its_work_fails_no_later_change(root: Path) -> None:
    """What was waived is in the earlier catalogue by now: to be removed, but no error."""
    write(root, FILE, [waiver(BREAK)])
    (new,) = apply_waivers([], load(root), TODAY, check="breaking").kept
    (old,) = apply_waivers([], load(root), TODAY, check="breaking", known={BREAK.fingerprint}).kept
    assert [(each.code, each.severity) for each in (new, old)] == [
        ("waiver-used", "error"),
        ("waiver-used", "warning"),
    ]


def run(command: str, root: Path, *words: str | Path) -> Result:
    """One command of the room."""
    said = [command, "--catalog", str(root), *map(str, words)]
    return CliRunner().invoke(contracts, said, prog_name="govbus contracts")


@pytest.fixture
def broken(root: Path) -> Path:
    """A catalogue whose 1.1 breaks a reader of 1.0; the one before it stands beside."""
    subscribe(root, "treasury", ["$.reference"])
    shutil.copytree(root, root.parent / "before")
    publish(root, "1.1", lambda schema: schema["properties"]["reference"].update(maxLength=10))
    return root


def found(command: str, root: Path, *words: str | Path) -> list[dict[str, Any]]:
    """The findings of a command."""
    return [json.loads(line) for line in run(command, root, *words, "--json").stdout.splitlines()]


@pytest.mark.parametrize("from_lint", [False, True])
def test_one_waiver_serves_lint_and_breaking(broken: Path, from_lint: bool) -> None:
    """Whichever of the two named the break, before it is merged and after."""
    against = ("--against", broken.parent / "before")
    (of_lint,) = found("lint", broken)
    (of_breaking,) = found("breaking", broken, *against)
    assert (of_lint["code"], of_breaking["code"]) == ("version-bump-agrees", "MAX_LENGTH_DECREASED")
    assert of_lint["readers"] == of_breaking["readers"] == ["treasury (ledger)"]
    named = of_lint if from_lint else of_breaking
    waived = {"fingerprint": named["fingerprint"], "rule": named["code"], "reason": "None is longer."}
    write(broken, FILE, [{**waived, "approvers": ["tax", "treasury"], "expires": "2999-12-31"}])
    assert (found("lint", broken), found("breaking", broken, *against)) == ([], [])
    assert found("breaking", broken, "--against", shutil.copytree(broken, broken.parent / "merged")) == []


@pytest.mark.parametrize("approvers", [["treasury"], ["tax"]])
def test_a_waived_break_is_shown_as_waived(broken: Path, approvers: list[str]) -> None:
    """In `impact`, `diff`, and on the pages of the site; as a break wherever an approval is missing."""
    against = ("--against", broken.parent / "before")
    (named,) = found("breaking", broken, *against)
    waived = {"fingerprint": named["fingerprint"], "rule": named["code"], "reason": "None is longer"}
    write(broken, FILE, [{**waived, "approvers": approvers, "expires": "2999-12-31"}])
    holds = approvers == ["treasury"]
    words = f"waived until 2999-12-31 by {approvers[0]}{'' if holds else ', not yet approved by treasury'}"
    result = run("impact", broken, *against)
    assert result.exit_code == (0 if holds else 100)
    lines = result.stdout.splitlines()
    assert f"  breaks{', waived' if holds else ''}: treasury (ledger), which reads $.reference" in lines
    assert f"    {words}: None is longer" in lines
    (told,) = [
        json.loads(line) for line in run("impact", broken, *against, "--format", "json").stdout.splitlines()
    ]
    assert (told["effect"], told["waived"]["missing"]) == ("breaks", [] if holds else ["treasury"])
    assert f"under 1.0: no, {words}" in run("diff", broken, *against).stdout
    site = broken.parent / "site"
    assert run("docs", broken, *against, "-o", site).exit_code == 0
    changes, contract, start = (
        (site / page).read_text() for page in ("changes.html", "contract/tax.refund-paid.html", "index.html")
    )
    assert ("1 breaking change, waived" in changes) is ("1 breaking change, waived" in start) is holds
    assert ("breaks readers of 1.0, waived" in contract) is holds
    for page in (changes, contract):
        assert words.replace("waived until", "Waived until") in page
        assert "no breaking changes" not in page
        assert "No reader breaks" not in page
