"""Kinds of difference: each has a row and a pair of schemas that differ in it alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.compatibility.differences import differences
from contracts.compatibility.kinds import KINDS, RULES, VERDICT_RULES
from contracts.compatibility.verdict import decide
from contracts.schema.content_model import closed, opened
from contracts.schema.dialect import DRAFT_2020_12

FIXTURES = Path(__file__).parent / "fixtures" / "differences"


def fixture(name: str) -> dict[str, Any]:
    """The pair of schemas for one kind: `old`, `new`, and whether the content model is `tolerant`.

    `verdict: false` where whom it breaks depends on more than the difference.
    """
    pair: dict[str, Any] = json.loads((FIXTURES / f"{name}.json").read_text("utf-8"))
    return pair


def in_2020(**schema: Any) -> dict[str, Any]:
    """A schema of draft 2020-12."""
    return {"$schema": DRAFT_2020_12, **schema}


def test_every_kind_has_a_pair_and_a_rule() -> None:
    """At least sixty; no pair without a kind."""
    assert len(KINDS) >= 60
    assert {path.stem for path in FIXTURES.iterdir()} == set(KINDS)
    assert {rule.code for rule in RULES} == {*KINDS, *(rule.code for rule in VERDICT_RULES)}
    assert [rule.code for rule in RULES if not rule.purpose or not rule.fix] == []


@pytest.mark.parametrize("name", KINDS)
def test_a_pair_differs_in_its_kind_alone(name: str) -> None:
    """Exactly one difference, of exactly that kind, found in both schemas."""
    pair = fixture(name)
    (found,) = differences(pair["old"], pair["new"], tolerant=pair.get("tolerant", False))
    assert found.name == name
    assert found.old_path.startswith("#")
    assert found.new_path.startswith("#")


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_says_whom_it_breaks_as_the_proof_does(name: str) -> None:
    """The row's word against the verdict that is proved."""
    pair, kind = fixture(name), KINDS[name]
    old, new = pair["old"], pair["new"]
    model = pair.get("tolerant", False)
    back = _decide(closed(old), opened(new)) if model else _decide(old, new)
    forth = _decide(closed(new), opened(old)) if model else _decide(new, old)
    if pair.get("verdict", True):
        assert (back, forth) == (_expected(kind.narrows), _expected(kind.widens))


def _decide(old: dict[str, Any], new: dict[str, Any]) -> str:
    return decide(old, new, assert_formats=True, limit_seconds=60).answer


def _expected(breaks: bool) -> str:
    return "incompatible" if breaks else "compatible"


def test_written_flat_or_in_parts_is_no_difference() -> None:
    """`$ref` and `allOf` are looked through."""
    flat = in_2020(properties={"a": {"type": "string", "maxLength": 5}, "b": {}}, required=["a"])
    parts = in_2020(
        allOf=[{"$ref": "#/$defs/base"}, {"properties": {"b": {}}}],
        **{"$defs": {"base": {"properties": {"a": {"$ref": "#/$defs/text"}}, "required": ["a"]}}},
    )
    parts["$defs"]["text"] = {"allOf": [{"type": "string"}, {"maxLength": 5}]}
    assert differences(flat, parts) == ()


def test_a_difference_is_told_where_it_is_written() -> None:
    """Behind a reference, the path is that of the definition; the field is that of the data."""
    old = in_2020(
        properties={"people": {"items": {"$ref": "#/$defs/person"}}},
        **{"$defs": {"person": {"properties": {"name": {"maxLength": 9}}}}},
    )
    new = in_2020(properties={"people": {"items": {"properties": {"name": {"maxLength": 5}}}}})
    (found,) = differences(old, new)
    assert (found.name, found.field) == ("MAX_LENGTH_DECREASED", "$.people[*].name")
    assert found.old_path == "#/$defs/person/properties/name/maxLength"
    assert found.new_path == "#/properties/people/items/properties/name/maxLength"
    assert found.what == "`maxLength` from `9` to `5`"


def test_schemas_that_lead_to_themselves_end() -> None:
    """A tree is compared once, however it is entered."""
    old = in_2020(properties={"left": {"$ref": "#"}, "right": {"$ref": "#"}, "age": {"minimum": 0}})
    new = in_2020(properties={"left": {"$ref": "#"}, "right": {"$ref": "#"}, "age": {"minimum": 1}})
    assert [found.name for found in differences(old, new)] == ["MINIMUM_INCREASED"]
    loop = in_2020(**{"$ref": "#"})
    assert differences(loop, loop) == ()


def test_referenced_documents_are_entered() -> None:
    """A change in a document reached by its `$id` is a change."""
    schema = in_2020(properties={"owner": {"$ref": "urn:example:person"}})
    before = in_2020(**{"$id": "urn:example:person", "properties": {"name": {"type": "string"}}})
    now = in_2020(**{"$id": "urn:example:person", "properties": {"name": {"type": "integer"}}})
    (found,) = differences(
        schema,
        schema,
        old_references={"urn:example:person": before},
        new_references={"urn:example:person": now},
    )
    assert (found.name, found.new_path) == ("TYPE_CHANGED", "urn:example:person#/properties/name/type")
