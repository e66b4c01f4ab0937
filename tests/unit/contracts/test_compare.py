"""`govbus contracts compare`: one line in, one line out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from contracts.cli import contracts

REMOTE = "https://example.org/word"


def compared(*lines: str, options: tuple[str, ...] = ()) -> tuple[Result, list[dict[str, Any]]]:
    """Run the command on lines; the result and what it wrote."""
    text = "".join(f"{line}\n" for line in lines)
    result = CliRunner().invoke(contracts, ["compare", "--pairs", "-", *options], input=text)
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def pair(old: Any, new: Any, **more: Any) -> str:
    """A line."""
    return json.dumps({"id": "x", "old": old, "new": new, **more})


def test_a_break_has_a_witness_and_both_paths() -> None:
    """What another program needs to show it."""
    result, (told,) = compared(
        pair({"properties": {"age": {"type": "integer"}}}, {"properties": {"age": {"maximum": 5}}})
    )
    assert result.exit_code == 0
    assert set(told) == {"id", "verdict", "witness", "reason", "old_path", "new_path", "ms"}
    assert (told["id"], told["verdict"], told["witness"]["age"] > 5) == ("x", "incompatible", True)
    assert (told["old_path"], told["new_path"]) == ("#/properties/age", "#/properties/age/maximum")


def test_a_proof_has_neither() -> None:
    """A witness may be `null`, so that its absence is the absence of the key."""
    _, (proof, broken) = compared(pair(False, True), pair({"type": "null"}, False))
    assert set(proof) == {"id", "verdict", "reason", "ms"}
    assert broken["witness"] is None


def test_the_dialect_is_for_schemas_without_their_own() -> None:
    """`$schema` wins; without either it is 2020-12."""
    old, new = {"items": [{"type": "string"}]}, {"items": [{"type": "string"}, {}]}
    own = "https://json-schema.org/draft/2020-12/schema"
    lines = (
        pair(old, new, dialect="draft-07"),
        pair(old, new),
        pair({"$schema": own}, {"$schema": own, "contains": {}, "minContains": 0}, dialect="draft-07"),
    )
    assert [told["verdict"] for told in compared(*lines)[1]] == ["compatible", "undecided", "compatible"]


def test_a_reference_reaches_the_remotes_and_nothing_else() -> None:
    """What is not at hand is not fetched."""
    line = {"old": {"$ref": REMOTE}, "new": {"type": "string"}}
    known = pair(**line, remotes={REMOTE: {"const": "a"}})
    assert [told["verdict"] for told in compared(known, pair(**line))[1]] == ["compatible", "undecided"]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"id": 1, "old": {}}',
        '{"old": true, "new": false, "old": false}',
        pair({}, {}, dialect=7),
        pair({}, {}, remotes={"a": 7}),
        '{"id": ' + "[" * 100_000,
    ],
)
def test_a_line_that_is_no_pair_is_answered_and_the_rest_too(line: str) -> None:
    """The exit code tells that something was not compared."""
    result, told = compared(line, "", pair({}, True))
    assert result.exit_code == 100
    assert [one["verdict"] for one in told] == ["undecided", "compatible"]


def test_formats_refuse_where_asserted() -> None:
    """As in a contract."""
    line = pair({"type": "string"}, {"format": "date"})
    assert compared(line)[1][0]["verdict"] == "compatible"
    assert compared(line, options=("--formats", "assertion"))[1][0]["verdict"] == "incompatible"


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    """As with every command."""
    assert CliRunner().invoke(contracts, ["compare", "--pairs", "nowhere.jsonl"]).exit_code == 2
