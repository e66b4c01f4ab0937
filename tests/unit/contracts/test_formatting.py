"""`fmt`, `lint --fix` and `ls-rules`: what they write, what they leave alone, what they list."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.cli import contracts
from contracts.documents.formatting import format_json, format_yaml
from contracts.lint.lint import RULES, lint
from tests.unit.contracts.catalogs import AGENCY, CONTRACT, SCHEMA, VALID, edit, schema, write

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def run(*words: str | Path) -> Result:
    """Run the command with stdout and stderr apart."""
    return CliRunner().invoke(contracts, [str(word) for word in words], prog_name="govbus contracts")


def test_a_schema_has_its_keywords_in_one_order_and_numbers_as_written() -> None:
    """Properties and examples stay in theirs."""
    text = (
        '{"type": "object", "properties": {"b": {"maximum": 1.50, "type": "number"}, "a": {}}, "title": "x"}'
    )
    assert format_json(text, is_schema=True) == (
        '{\n  "title": "x",\n  "type": "object",\n  "properties": {\n    "b": {\n      "type": "number",\n'
        '      "maximum": 1.50\n    },\n    "a": {}\n  }\n}\n'
    )


@settings(deadline=None, derandomize=True)
@given(JSON, st.booleans())
def test_formatting_changes_no_value_and_has_an_end(value: object, is_schema: bool) -> None:
    """The same value afterwards, and nothing more to do."""
    once = format_json(json.dumps(value), is_schema=is_schema)
    assert json.loads(once) == value
    assert format_json(once, is_schema=is_schema) == once


def test_yaml_keeps_its_comments() -> None:
    """Only line ends change, and not where they are part of a text."""
    assert format_yaml("a: 1 # why  \r\n\r\nb: 2", "x.yaml") == "a: 1 # why\n\nb: 2\n"
    block = "a: |\n  text  \n"
    assert format_yaml(block, "x.yaml") == block


def test_fmt_never_touches_a_schema_whose_hash_is_recorded(root: Path) -> None:
    """It says so; the example beside it is rewritten, and the catalogue stays clean."""
    write(root, VALID, (root / VALID).read_text().replace("\n", ""))
    before = (root / SCHEMA).read_bytes()
    assert run("fmt", "--catalog", root).exit_code == 100
    result = run("fmt", "--catalog", root, "--write")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "v1.0.json: not formatted - its hash is recorded" in result.stderr
    assert (root / SCHEMA).read_bytes() == before
    assert (root / VALID).read_text().count("\n") > 3
    assert run("fmt", "--catalog", root).exit_code == 0
    assert lint(root) == ()


def test_fix_mends_what_needs_no_judgement(root: Path) -> None:
    """A byte order mark, a last line break, the form of a new schema, its hash; then all is clean."""
    write(root, AGENCY, b"\xef\xbb\xbf" + (root / AGENCY).read_bytes().rstrip())
    edit(root, CONTRACT, lambda value: value["versions"][0].pop("sha256"))
    write(root, SCHEMA, json.dumps(schema()))
    result = run("lint", "--catalog", root, "--fix")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (root / SCHEMA).read_text() == format_json(json.dumps(schema()), is_schema=True)
    assert "sha256" in (root / CONTRACT).read_text()
    assert run("lint", "--catalog", root, "--fix").stderr == ""


def test_rules_are_chosen_by_category_and_name(root: Path) -> None:
    """`--use` and `--except` ask less; a name that is none, or one always asked, is wrong usage."""
    edit(root, CONTRACT, lambda value: value.update(contact="ask us", compatibility="NONE"))
    codes = {finding.code for finding in lint(root)}
    assert codes == {"contact-present", "compatibility-promised"}
    assert run("lint", "--catalog", root, "--use", "MINIMAL").exit_code == 0
    assert {finding.code for finding in lint(root, use="BASIC")} == {"contact-present"}
    excepted = [word for code in codes for word in ("--except", code)]
    assert run("lint", "--catalog", root, *excepted).exit_code == 0
    misspelt = run("lint", "--except", "contact-presnt")
    assert misspelt.exit_code == 2
    assert "did you mean `contact-present`?" in misspelt.stderr
    assert run("lint", "--except", "document-syntax").exit_code == 2


def test_every_rule_is_listed() -> None:
    """Those of lint with the categories that ask them, then those of a change."""
    rows = json.loads(run("ls-rules", "--format", "json").stdout)
    assert [row["id"] for row in rows][: len(RULES)] == [rule.code for rule in RULES]
    listed = {row["id"]: row["categories"] for row in rows}
    assert listed["document-syntax"] == ["MINIMAL", "BASIC", "STANDARD"]
    assert listed["SCHEMA_NARROWED"] == ["BREAKING"]
    first, *lines = run("ls-rules").stdout.splitlines()
    assert first.split() == ["ID", "CATEGORIES", "DEFAULT", "PURPOSE"]
    assert len(lines) >= len(rows)
