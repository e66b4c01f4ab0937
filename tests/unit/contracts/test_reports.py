"""The same findings in every form: what each consumer's parser gets out of it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner

from contracts.finding import Finding, Place, Proof, Rule
from contracts.lint.reports import Format, format_option, within, write

RULE = Rule("TYPE_NARROWED", "a reader must accept what was sent before", "publish a new major version")
PLACE = Place("agencies/tax/refund-paid/v1.1.json", 7, 5)
PROOF = Proof(
    "incompatible",
    witness='{"note": "\\u0007 <&|>"}',
    old_path="#/properties/note",
    new_path="#/properties/note/type",
    differences=("TYPE_NARROWED", "MAX_LENGTH_DECREASED"),
    readers=("health (records)",),
)
BREAK = Finding(PLACE, RULE.code, "`note` <was> 100% | text:\nnow", RULE.purpose, RULE.fix, proof=PROOF)
HINT = Finding(PLACE, "RETENTION_SHORTENED", "less", "why", "how", severity="warning")


def written(form: Format) -> str:
    """Both findings in one form."""
    return write([BREAK, HINT], form)


@pytest.mark.parametrize("form", ["text", "json", "github", "markdown"])
def test_nothing_to_say_is_nothing(form: Format) -> None:
    """What a person reads is silent when all is well."""
    assert write([], form) == ""


def test_text_is_a_line_and_what_proves_it() -> None:
    """Line breaks and marks of what is quoted cannot pretend to be another line."""
    assert written("text").splitlines() == [
        "agencies/tax/refund-paid/v1.1.json:7:5 TYPE_NARROWED `note` <was> 100% | text:\\nnow"
        " - a reader must accept what was sent before - publish a new major version",
        '    example event: {"note": "\\u0007 <&|>"}',
        "    before: #/properties/note  now: #/properties/note/type",
        "    also: MAX_LENGTH_DECREASED",
        "    breaks: health (records)",
        "agencies/tax/refund-paid/v1.1.json:7:5 RETENTION_SHORTENED warning: less - why - how",
    ]


def test_json_is_one_object_a_line_with_the_event_in_it() -> None:
    """The witness is JSON, not text about JSON."""
    first, second = (json.loads(line) for line in written("json").splitlines())
    assert (first["code"], first["line"], first["witness"]) == ("TYPE_NARROWED", 7, {"note": "\a <&|>"})
    assert (second["severity"], "witness" in second) == ("warning", False)


def test_junit_parses_and_counts() -> None:
    """One test case each; only an error is a failure."""
    suite = ElementTree.fromstring(written("junit")).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert (failure.get("type"), failure.text) == ("TYPE_NARROWED", written("text").rpartition("\n")[0])


def test_github_commands_are_one_line_each() -> None:
    """Line breaks, per cents, and in properties commas and colons are escaped; what is quoted is visible."""
    lines = written("github").splitlines()
    head = "file=agencies/tax/refund-paid/v1.1.json,line=7,col=5,title="
    assert lines[0].startswith(f"::error {head}TYPE_NARROWED::`note` <was> 100%25 | text:\\nnow - ")
    assert lines[1] == f"::warning {head}RETENTION_SHORTENED::less - why - how"
    assert len(lines) == 2


def test_gitlab_issues_have_fingerprints_of_their_own() -> None:
    """GitLab shows only the first of two equal ones."""
    issues = json.loads(write([BREAK, BREAK, HINT], "gitlab"))
    assert len({issue["fingerprint"] for issue in issues}) == 3
    assert [issue["severity"] for issue in issues] == ["major", "major", "minor"]
    assert issues[0]["location"] == {"path": PLACE.file, "lines": {"begin": 7}}
    assert {issue["check_name"] for issue in issues} == {"TYPE_NARROWED", "RETENTION_SHORTENED"}


def test_sarif_results_name_rules_that_are_there() -> None:
    """Place, level, fingerprint; the witness among the properties."""
    report = json.loads(written("sarif"))
    (run,) = report["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert report["version"] == "2.1.0"
    assert [(result["ruleId"] in rules, result["level"]) for result in run["results"]] == [
        (True, "error"),
        (True, "warning"),
    ]
    (location,) = run["results"][0]["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": PLACE.file},
        "region": {"startLine": 7, "startColumn": 5},
    }
    assert run["results"][0]["properties"]["witness"] == {"note": "\a <&|>"}


def test_markdown_cells_hold_what_they_quote() -> None:
    """A bar or a tag in a message is text."""
    *_, row, _ = written("markdown").splitlines()
    assert row.startswith(
        "| agencies/tax/refund-paid/v1.1.json:7:5 | `TYPE_NARROWED` | `note` &lt;was&gt; 100% \\|"
    )
    assert row.replace("\\|", "").count("|") == 5


def test_a_file_is_shown_as_seen_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fingerprint does not depend on where one stands."""
    monkeypatch.chdir(tmp_path)
    (told,) = (json.loads(line) for line in write([HINT], "json", tmp_path / "catalog").splitlines())
    assert told["file"] == f"catalog/{PLACE.file}"
    assert told["fingerprint"] == HINT.fingerprint


def test_a_fingerprint_outlives_a_moved_line() -> None:
    """It changes with code, file and what it is about, not with line or wording."""
    first = RULE.at(PLACE, "one way to say it", about="1.1 #/properties/note")
    moved = RULE.at(Place(PLACE.file, 99, 1), "another way", about="1.1 #/properties/note")
    other = RULE.at(PLACE, "one way to say it", about="1.2 #/properties/note")
    assert first.fingerprint == moved.fingerprint != other.fingerprint


def test_findings_can_be_limited_to_paths(tmp_path: Path) -> None:
    """A folder means everything in it; no path means everything."""
    assert within([HINT], [], tmp_path) == [HINT]
    assert within([HINT], [tmp_path / "agencies/tax"], tmp_path) == [HINT]
    assert within([HINT], [tmp_path / "agencies/tax/refund"], tmp_path) == []


def test_the_option_has_a_short_form() -> None:
    """`--json` is `--format json`."""

    @click.command()
    @format_option
    def shown(form: str) -> None:
        click.echo(form)

    for words, expected in (([], "text"), (["--json"], "json"), (["--format", "sarif"], "sarif")):
        assert CliRunner().invoke(shown, words).output == f"{expected}\n"
