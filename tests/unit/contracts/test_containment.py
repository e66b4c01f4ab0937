"""Whether every instance of one schema is an instance of another: keyword by keyword, and bad input."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.compatibility.verdict import NO_WITNESS, decide
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12

PATIENCE_SECONDS = 30.0
A_STRING = {"properties": {"a": {"type": "string"}}}


def chain(value: dict[str, Any]) -> dict[str, Any]:
    """A schema that refers to itself, with a value in each link."""
    return {"$ref": "#/$defs/n", "$defs": {"n": {"properties": {"n": {"$ref": "#/$defs/n"}, "v": value}}}}


# Name: old, new, whether each instance of old is one of new, and whether each of new is one of old.
PAIRS: dict[str, tuple[Any, Any, bool, bool]] = {
    "nothing-everything": (False, True, True, False),
    "type": ({"type": "integer"}, {"type": "number"}, True, False),
    "whole-by-value": ({"const": 2.0}, {"type": "integer"}, True, False),
    "enum-within-type": ({"enum": ["a", "b"]}, {"type": "string"}, True, False),
    "enum-within-range": ({"enum": [1, 2, 3]}, {"minimum": 1, "maximum": 3}, True, False),
    "const-in-enum": ({"const": "a"}, {"enum": ["a", "b"]}, True, False),
    "whole-exclusive": (
        {"type": "integer", "minimum": 1},
        {"type": "integer", "exclusiveMinimum": 0},
        True,
        True,
    ),
    "multiple-of": ({"multipleOf": 6}, {"multipleOf": 1.5}, True, False),
    "pattern-narrowed": ({"pattern": "^[a-c]+$"}, {"pattern": "^[a-z]"}, True, False),
    "pattern-in-length": (
        {"type": "string", "pattern": "^a{2,4}$"},
        {"minLength": 2, "maxLength": 4},
        True,
        False,
    ),
    "required-undeclared": ({"required": ["x"]}, {}, True, False),
    "pattern-property-added": ({"patternProperties": {"^a": {"type": "string"}}}, {}, True, False),
    "pattern-property-covers": ({"patternProperties": {"^a$": {"type": "string"}}}, A_STRING, True, True),
    "property-names": ({"propertyNames": {"maxLength": 3}}, {"propertyNames": {"maxLength": 5}}, True, False),
    "contains-added": ({"contains": {"const": 1}}, {}, True, False),
    "contains-counted": (
        {"contains": {"const": 1}, "minContains": 2},
        {"contains": {"const": 1}, "minContains": 1},
        True,
        False,
    ),
    "unique-added": ({"uniqueItems": True}, {}, True, False),
    "unique-runs-out": (
        {"items": {"type": "boolean"}, "uniqueItems": True},
        {"items": {"type": "boolean"}, "uniqueItems": True, "maxItems": 2},
        True,
        True,
    ),
    "tuple-within-items": (
        {"prefixItems": [{"type": "integer"}], "items": False},
        {"items": {"type": "number"}},
        True,
        False,
    ),
    "then-narrowed": (
        {"if": {"required": ["a"]}, "then": {"required": ["b", "c"]}},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
        True,
        False,
    ),
    "one-of-overlap": (
        {"oneOf": [{"type": "integer"}]},
        {"oneOf": [{"type": "integer"}, {"minimum": 5}]},
        False,
        False,
    ),
    "all-of-flat": (
        {"allOf": [{"minimum": 1}, {"maximum": 2}]},
        {"minimum": 1, "maximum": 2},
        True,
        True,
    ),
    "enum-as-one-of": ({"enum": ["a", "b"]}, {"oneOf": [{"const": "a"}, {"const": "b"}]}, True, True),
    "not-not": ({"not": {"not": {"minLength": 2}}}, {"minLength": 2}, True, True),
    "dependent": (
        {"dependentRequired": {"a": ["b"]}},
        {"dependentSchemas": {"a": {"required": ["b"]}}},
        True,
        True,
    ),
    "unevaluated": (
        {"allOf": [A_STRING], "unevaluatedProperties": False},
        {**A_STRING, "additionalProperties": False},
        True,
        True,
    ),
    "recursive": (
        chain({"const": 1}),
        chain({"minimum": 1}),
        True,
        False,
    ),
    "annotation": ({"title": "A", "x-note": 1}, {"title": "B"}, True, True),
}


def answer(old: Any, new: Any, **options: Any) -> str:
    """The verdict's word, whatever the machine's load."""
    verdict = decide(old, new, dialect=DRAFT_2020_12, limit_seconds=PATIENCE_SECONDS, **options)
    assert (verdict.witness is not NO_WITNESS) == (verdict.answer == "incompatible")
    return verdict.answer


@pytest.mark.parametrize("name", PAIRS)
def test_both_directions_are_decided(name: str) -> None:
    """Compatible by proof, incompatible by witness, in either direction."""
    old, new, onward, back = PAIRS[name]
    words = {True: "compatible", False: "incompatible"}
    assert (answer(old, new), answer(new, old)) == (words[onward], words[back])


def test_a_break_shows_an_event_and_both_places() -> None:
    """The witness is one of old and none of new; the paths are where that is decided."""
    old = {"type": "object", "properties": {"age": {"type": "integer"}}}
    new = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 18}}}
    verdict = decide(old, new, dialect=DRAFT_2020_12)
    assert verdict.answer == "incompatible"
    assert verdict.witness["age"] < 18
    assert (verdict.old_path, verdict.new_path) == ("#/properties/age", "#/properties/age/minimum")


def test_a_dialect_has_its_own_words() -> None:
    """`items` as a list is a tuple in draft-07; a sibling of `$ref` counts only later."""
    pairs = {"items": [{"type": "string"}]}, {"items": {"type": "string"}}
    assert decide(*pairs, dialect=DRAFT_07).answer == "incompatible"
    sibling = {"definitions": {"a": {}}, "$ref": "#/definitions/a", "minimum": 1}
    assert decide(True, sibling, dialect=DRAFT_07).answer == "compatible"
    assert decide(True, sibling, dialect=DRAFT_2020_12).answer == "incompatible"


def test_a_format_counts_where_it_is_asserted() -> None:
    """The contract says whether a format refuses."""
    assert answer({"type": "string"}, {"type": "string", "format": "date"}) == "compatible"
    asserted = answer({"type": "string"}, {"type": "string", "format": "date"}, assert_formats=True)
    assert asserted == "incompatible"


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ({"format": "date"}, {"maxLength": 10}, "compatible"),
        ({"format": "date-time"}, {"maxLength": 10}, "incompatible"),
        ({"format": "uuid"}, {"pattern": "^[0-9a-fA-F-]{36}$"}, "compatible"),
        ({"format": "date"}, {"not": {"format": "email"}}, "compatible"),
        ({"format": "email"}, {"format": "email", "maxLength": 200}, "incompatible"),
        ({"format": "uri"}, {"format": "uri", "maxLength": 2000}, "incompatible"),
        ({"format": "email"}, {"format": "email"}, "compatible"),
    ],
)
def test_an_asserted_format_goes_with_other_limits(old: Any, new: Any, word: str) -> None:
    """What every text of a format looks like proves; sample texts refute."""
    strings = {"type": "string"}
    assert answer({**strings, **old, "title": "A"}, {**strings, **new}, assert_formats=True) == word


def test_a_dynamic_reference_follows_who_asked() -> None:
    """The strict tree is a tree; a tree is not a strict one, at any depth."""
    tree = {
        "$id": "https://example.org/tree",
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {"data": True, "children": {"type": "array", "items": {"$dynamicRef": "#node"}}},
    }
    strict = {
        "$id": "https://example.org/strict",
        "$dynamicAnchor": "node",
        "$ref": "tree",
        "unevaluatedProperties": False,
    }
    known = {"old_references": {tree["$id"]: tree}, "new_references": {tree["$id"]: tree}}
    assert (answer(strict, tree, **known), answer(tree, strict, **known)) == ("compatible", "incompatible")


def test_a_value_that_validators_need_ages_for_is_not_shown_to_them() -> None:
    """Each level needs the next twice: the only instances are too large to be shown."""
    named = {
        f"d{level}": {
            "type": "object",
            "required": ["l", "r"],
            "properties": {side: {"$ref": f"#/$defs/d{level + 1}"} for side in "lr"},
        }
        for level in range(60)
    }
    old = {"$ref": "#/$defs/d0", "$defs": {**named, "d60": {"type": "string"}}}
    assert answer(old, {"type": "string"}) == "undecided"


def test_a_pattern_that_is_not_regular_is_guessed_but_never_proves() -> None:
    """A witness around it is confirmed like any other; nothing is inferred from what it might allow."""
    doubled = {"type": "string", "pattern": r"^(.)\1$"}
    beside = {"properties": {"a": doubled, "b": {"type": "integer"}}, "required": ["a"]}
    narrowed = {"properties": {"a": doubled, "b": {"minimum": 1}}, "required": ["a"]}
    assert answer(beside, {**beside, "title": "A"}) == "compatible"
    assert answer(beside, narrowed) != "compatible"
    assert answer(doubled, {"minLength": 2}) != "compatible"
    assert answer({**doubled, "maxLength": 1}, {"maxLength": 1}) == "compatible"


def test_zero_is_not_false() -> None:
    """To Python they are equal, also as parts of two schemas that are otherwise the same."""
    assert answer({"const": 0}, {"const": False}) == "incompatible"
    assert answer({"const": [1.0]}, {"const": [1]}) == "compatible"


def deep(levels: int) -> dict[str, Any]:
    """Nested by `not`."""
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


def fan_out(levels: int) -> dict[str, Any]:
    """Each definition refers to the next twice."""
    named = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}, {"$ref": f"#/$defs/d{level + 1}"}]}
        for level in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**named, f"d{levels}": {"type": "string"}}}


HOSTILE: dict[str, Any] = {
    "itself": {"$ref": "#"},
    "deep": deep(10_000),
    "fan-out": fan_out(40),
    "remote": {"$ref": "http://127.0.0.1:9/x"},
    "nowhere": {"$ref": "#/$defs/none"},
    "pattern": {"type": "string", "pattern": "(a{1,1000}){1,1000}"},
    "bad-pattern": {"pattern": "("},
    "large": {"enum": [f"{number:050}" for number in range(100_000)]},
    "no-schema": {"properties": 7},
    "number": 7,
    "text": "string",
    "list": [],
    "dialect": {"$schema": "https://example.org/own"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_schema_breaks_the_engine(name: str) -> None:
    """Whatever is asked, on either side: an answer, and a sentence."""
    for old, new in ((HOSTILE[name], {"type": "string"}), ({"type": "string"}, HOSTILE[name])):
        verdict = decide(old, new, dialect=DRAFT_2020_12)
        assert verdict.answer in ("compatible", "incompatible", "undecided")
        assert verdict.reason
