"""Modes: which changes each lets through, and what is said of those it does not."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from contracts.compatibility.modes import DIRECTIONS, breaks, judge
from contracts.contract import Compatibility, Contract, ContractVersion, KeyRule
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12

DIALECTS = pytest.mark.parametrize("dialect", [DRAFT_2020_12, DRAFT_07])


def contract(mode: Compatibility, *schemas: dict[str, Any], **each: Any) -> Contract:
    """A contract whose versions 1.0, 1.1, ... have these schemas."""
    versions = [
        ContractVersion(1, minor, {"$schema": DRAFT_2020_12, **schema}, f"{minor}", **each)
        for minor, schema in enumerate(schemas)
    ]
    return Contract(
        subject="tax.refund-paid",
        title="Refund paid",
        description="A refund has left the treasury.",
        owner="Refunds Unit",
        contact="refunds@tax.example",
        classification="internal",
        personal_fields={},
        legal_basis=None,
        retention_days=30,
        compatibility=mode,
        key=KeyRule("field", "$.reference"),
        versions=tuple(versions),
    )


def broken(mode: Compatibility, *schemas: dict[str, Any], **each: Any) -> list[tuple[str, str, str]]:
    """What the last version breaks: which version, in which direction, by which kind of difference."""
    whole = contract(mode, *schemas, **each)
    return [
        (found.old.number, found.direction, found.causes[0].name)
        for found in breaks(whole.versions[-1], whole.versions, mode)
    ]


def text(**keywords: Any) -> dict[str, Any]:
    """An object with one field of text."""
    return {"type": "object", "properties": {"note": {"type": "string", **keywords}}}


LONG, SHORT = text(maxLength=9), text(maxLength=5)


@pytest.mark.parametrize("mode", get_args(Compatibility))
def test_a_mode_asks_its_own_questions(mode: Compatibility) -> None:
    """Narrowing breaks BACKWARD, widening FORWARD, either FULL; NONE asks nothing."""
    narrowed = broken(mode, LONG, SHORT)
    widened = broken(mode, SHORT, LONG)
    backward, forward = "BACKWARD" in DIRECTIONS[mode], "FORWARD" in DIRECTIONS[mode]
    assert narrowed == ([("1.0", "BACKWARD", "MAX_LENGTH_DECREASED")] if backward else [])
    assert widened == ([("1.0", "FORWARD", "MAX_LENGTH_INCREASED")] if forward else [])


@pytest.mark.parametrize("mode", ["BACKWARD", "FORWARD", "FULL"])
def test_a_transitive_mode_asks_about_every_version(mode: Compatibility) -> None:
    """Version 1.2 is as 1.1; only a transitive mode sees that it breaks 1.0."""
    schemas = (SHORT, LONG, LONG) if mode == "FORWARD" else (LONG, SHORT, SHORT)
    transitive: dict[str, Compatibility] = {
        "BACKWARD": "BACKWARD_TRANSITIVE",
        "FORWARD": "FORWARD_TRANSITIVE",
        "FULL": "FULL_TRANSITIVE",
    }
    assert broken(mode, *schemas) == []
    assert [old for old, _, _ in broken(transitive[mode], *schemas)] == ["1.0"]


@DIALECTS
@pytest.mark.parametrize("closed", [False, True])
def test_an_optional_field_more_is_full_compatible(dialect: str, closed: bool) -> None:
    """The open/closed trap is gone: whether or not the author closed the object, at any depth."""
    model: dict[str, Any] = {"additionalProperties": False} if closed else {}
    child = {"type": "object", "properties": {"name": {"type": "string"}}, **model}
    more = {**child, "properties": {**child["properties"], "age": {"type": "integer"}}}

    def schema(inner: dict[str, Any]) -> dict[str, Any]:
        people = {"type": "array", "items": {"$ref": "#/definitions/person"}}
        return {
            "$schema": dialect,
            "type": "object",
            "properties": {"child": inner, "people": people},
            "definitions": {"person": inner},
            **model,
        }

    assert broken("FULL_TRANSITIVE", schema(child), schema(more), content_model="tolerant") == []
    assert broken("FULL_TRANSITIVE", schema(child), schema(more), content_model="as-written") != []


@DIALECTS
def test_an_optional_field_more_is_full_compatible_where_objects_are_put_together(dialect: str) -> None:
    """Through `allOf` and `$ref`: the object is closed as a whole."""

    def schema(*names: str) -> dict[str, Any]:
        part = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
        base = {"type": "object", "properties": {"id": {"type": "string"}}}
        return {
            "$schema": dialect,
            "allOf": [{"$ref": "#/definitions/base"}, part],
            "definitions": {"base": base},
        }

    assert broken("FULL_TRANSITIVE", schema("a"), schema("a", "b"), content_model="tolerant") == []


def test_a_required_field_more_breaks_under_either_content_model() -> None:
    """Nobody sent it before; the kind names the content model."""
    old = {"type": "object", "properties": {"a": {}}}
    new = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}
    kind = "REQUIRED_PROPERTY_ADDED_TO_TOLERANT_CONTENT_MODEL"
    assert broken("BACKWARD", old, new, content_model="tolerant") == [("1.0", "BACKWARD", kind)]
    assert broken("BACKWARD", old, new)[0][:2] == ("1.0", "BACKWARD")


def test_whether_formats_refuse_decides() -> None:
    """A date asked for is a break where formats are asserted, and none where they only annotate."""
    plain, dated = text(), text(format="date")
    assert broken("BACKWARD", plain, dated, assert_formats=True) == [("1.0", "BACKWARD", "FORMAT_ADDED")]
    assert broken("BACKWARD", plain, dated, assert_formats=False) == []


def test_each_side_takes_formats_as_its_own_contract_does() -> None:
    """The same schema: read with formats asserted, it refuses what was written without."""
    (asserting,) = contract("BACKWARD", text(format="date"), assert_formats=True).versions
    (annotating,) = contract("BACKWARD", text(format="date"), assert_formats=False).versions
    assert judge(annotating, asserting).answer == "incompatible"
    assert judge(asserting, annotating).answer == "compatible"


def test_a_break_says_which_modes_it_would_pass() -> None:
    """The other direction, where that holds; NONE always."""
    one_way = contract("FULL", LONG, SHORT)
    (found,) = breaks(one_way.versions[1], one_way.versions, "FULL")
    assert found.would_pass == "FORWARD and NONE"
    both_ways = contract("BACKWARD", text(pattern="^a"), text(pattern="^b"))
    (found,) = breaks(both_ways.versions[1], both_ways.versions, "BACKWARD")
    assert found.would_pass == "NONE alone"


def test_paths_are_told_in_old_and_new_whichever_way_was_asked() -> None:
    """FORWARD asks with the new schema as the writer's; the paths do not change places."""
    old = {"type": "object", "properties": {"note": {"$ref": "#/$defs/text"}}, "$defs": {"text": SHORT}}
    new = {"type": "object", "properties": {"note": LONG}}
    whole = contract("FORWARD", old, new)
    (found,) = breaks(whole.versions[1], whole.versions, "FORWARD")
    assert (found.old_path or "").startswith("#/$defs/text/properties/note")
    assert (found.new_path or "").startswith("#/properties/note/properties/note")


def test_a_schema_that_cannot_be_used_is_undecided() -> None:
    """It says why; undecided is a break."""
    whole = contract("BACKWARD", text(), {"properties": 7}, content_model="tolerant")
    verdict = judge(*whole.versions)
    assert verdict.answer == "undecided"
    assert verdict.reason
    (found,) = breaks(whole.versions[1], whole.versions, "BACKWARD")
    assert not found.passes


def test_equal_to_python_is_not_equal_to_json() -> None:
    """`1` and `true` are two values."""
    assert broken("BACKWARD", {"const": True}, {"const": 1}) == [("1.0", "BACKWARD", "CONST_CHANGED")]


def test_major_versions_are_not_compared() -> None:
    """A break is what a major version is for."""
    first, second = contract("FULL_TRANSITIVE", LONG, SHORT).versions
    object.__setattr__(second, "major", 2)
    assert list(breaks(second, [first], "FULL_TRANSITIVE")) == []
