"""What stands elsewhere in a schema costs no verdict: slow patterns, broken references, odd scripts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import thread_time
from types import MappingProxyType
from typing import Any

import pytest

from contracts.compatibility.readings import Readings
from contracts.compatibility.verdict import NO_WITNESS, Verdict, decide
from contracts.patterns.errors import SlowPatternError
from contracts.patterns.matching import finds
from contracts.patterns.spelling import strictly_spelled
from contracts.schema.reference_validator import Obstacle, ReferenceValidator

SLOW = r"^(([a-z0-9]+)[-_.]?)+$"
"""Tries exponentially many ways on a long text that it refuses."""
LONG_NAME = "registrationAuthority"


def record(beside: Mapping[str, Any] = MappingProxyType({}), **properties: Any) -> dict[str, Any]:
    """An object with a long property name and a `kind`, and further keywords."""
    named = {LONG_NAME: {"type": "string"}, "kind": {"type": "string"}, **properties}
    return {"type": "object", "properties": named, "required": [LONG_NAME], **beside}


def shorter(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, and `kind` has at most 3 characters."""
    kind = {**schema["properties"]["kind"], "maxLength": 3}
    return {**schema, "properties": {**schema["properties"], "kind": kind}}


ELSEWHERE: dict[str, dict[str, Any]] = {
    "slow-pattern": record(attachment={"type": "string", "pattern": SLOW}),
    "slow-pattern-in-unused-definition": record({"$defs": {"unused": {"pattern": SLOW}}}),
    "slow-pattern-of-names": record({"patternProperties": {r"^(x_(([a-z]+)-?)+)$": {"type": "integer"}}}),
    "reference-out-of-the-documents": record(place={"$ref": "place.json#/$defs/address"}),
    "reference-to-nothing": record(place={"$ref": "#/$defs/missing"}),
    "reference-to-no-anchor": record({"$defs": {"act": {}}}, acts={"items": {"$ref": "#defs/act"}}),
    "reference-among-items": record(acts={"type": "array", "items": {"$ref": "act.json"}}),
    "generic-name": record({"$defs": {"List`1": {"type": "array"}}}, list={"$ref": "#/$defs/List`1"}),
    "generic-name-with-brackets": record({"$defs": {"a.B<C>": {}}}, list={"$ref": "#/$defs/a.B<C>"}),
    "name-with-space-and-percent": record({"$defs": {"50% of it": {}}}, share={"$ref": "#/$defs/50% of it"}),
    "escape-of-another-language": record(code={"type": "string", "pattern": r"\A[a-z]\Z"}),
    "escape-of-a-letter": record(code={"type": "string", "pattern": r"^\h\_\-$"}),
    "class-with-loose-hyphen": record(code={"type": "string", "pattern": r"^[\w-.]+$"}),
    "pattern-with-backreference": record(code={"type": "string", "pattern": r"^(.)\1+$"}),
    "bracket-on-its-own": record(code={"type": "string", "pattern": "^[a[]]$"}),
    "unreadable-pattern-of-names": record(more={"patternProperties": {r"\A(?<a.b>x)": {"type": "integer"}}}),
}


@pytest.mark.parametrize("dialect", ["draft-07", "2020-12"])
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_break_is_shown_whatever_stands_elsewhere(name: str, dialect: str) -> None:
    """A witness counts if it does not meet what a validator cannot read, or cannot read in time."""
    keyword = "definitions" if dialect == "draft-07" else "$defs"
    old = json.loads(json.dumps(ELSEWHERE[name]).replace("$defs", keyword))
    verdict = decide(old, shorter(old), dialect=dialect)
    assert (verdict.answer, verdict.new_path) == ("incompatible", "#/properties/kind/maxLength"), verdict


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_stands_the_same_on_both_sides_proves_nothing_and_hinders_no_proof(name: str) -> None:
    """A part that cannot be read is the same as itself: a wider schema around it is compatible."""
    old = ELSEWHERE[name]
    assert decide(shorter(old), old, limit_seconds=30).answer == "compatible"


def test_a_broken_reference_in_the_new_schema_alone_hides_no_break_beside_it() -> None:
    """Whatever `place` means there, the event is refused because of `kind`."""
    old = record(place={"type": "string"}, kind={"type": "string"})
    old["required"] = [LONG_NAME, "place"]
    new = shorter({**old, "properties": {**old["properties"], "place": {"$ref": "place.json"}}})
    assert decide(old, new).new_path == "#/properties/kind/maxLength"


def undecided(old: Any, new: Any, **options: Any) -> Verdict:
    """The verdict, which is none."""
    verdict = decide(old, new, **options)
    assert (verdict.answer, verdict.witness) == ("undecided", NO_WITNESS)
    return verdict


def test_the_reference_that_stands_in_the_way_is_named_with_its_place() -> None:
    """An event needs it, so nothing is known of any event."""
    old = {"properties": {"a": {"$ref": "b.json"}, "c": {}}, "required": ["a"], "type": "object"}
    new = {**old, "properties": {"a": {"$ref": "b.json"}, "c": {"type": "string"}}, "maxProperties": 1}
    reason = undecided(old, new).reason
    assert "`$ref` `b.json`" in reason
    assert "at #/properties/a/$ref of the old schema" in reason


@pytest.mark.parametrize("sides", ["both", "old", "new"])
def test_a_break_beside_a_reference_that_every_event_meets_is_told(sides: str) -> None:
    """No witness can be confirmed; the reason says what breaks where the reference would hold."""
    broken, whole = {"$ref": "b.json"}, {"type": "integer"}
    old = {"type": "object", "properties": {"a": whole if sides == "new" else broken}, "required": ["a"]}
    new = {**old, "properties": {"a": whole if sides == "old" else broken, "c": {"type": "string"}}}
    if sides == "new":
        assert decide(old, new).new_path == "#/properties/c/type"
        return
    verdict = undecided(old, new)
    assert "`$ref` `b.json`" in verdict.reason
    where = "#/properties/a/type" if sides == "old" else "#/properties/c/type"
    assert f"would hold, `type` at {where} refuses an instance that the old schema allows." in verdict.reason
    assert verdict.new_path == where


def test_where_only_the_broken_reference_differs_the_reason_says_so() -> None:
    """Nothing else breaks; what the reference means decides."""
    old = record(place={"type": "string"})
    new = {**old, "properties": {**old["properties"], "place": {"$ref": "place.json"}}}
    reason = undecided(old, new).reason
    assert "`$ref` `place.json` leads out of the documents at hand" in reason
    assert "would hold, every instance of the old schema is one of the new schema." in reason


def test_a_second_look_keeps_the_limit() -> None:
    """Both together end within the time of one."""
    many = {f"p{at}": {"anyOf": [{"$ref": f"{at}.json"}, {"minimum": at}]} for at in range(400)}
    old = {"type": "object", "properties": many, "required": list(many)}
    new = {**old, "properties": {**many, "p0": {"type": "string"}}}
    started = thread_time()
    undecided(old, new, limit_seconds=0.5)
    assert thread_time() - started < 1.5


def test_the_pattern_that_stands_in_the_way_is_named_with_its_place() -> None:
    """No regular language has a back-reference, and no word in the schema settles it."""
    old = {"properties": {"a": {"type": "string", "pattern": r"^(ab*)c\1$"}}, "required": ["a"]}
    new = {"properties": {"a": {"type": "string", "pattern": r"^(ab*)d\1$"}}, "required": ["a"]}
    reason = undecided({"type": "object", **old}, {"type": "object", **new}).reason
    assert r"`^(ab*)c\1$`" in reason or r"`^(ab*)d\1$`" in reason
    assert "at #/properties/a/pattern of the" in reason


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"^(ab*)c\1$", "got a back-reference"),
        ("(", "expected each `(` to be closed"),
        ("[z-a]", "expected a range of characters in order"),
        (r"\p{Foo}", "expected a known Unicode property"),
        ("a{1000000}", "expected a pattern of at most 40000 expanded steps"),
    ],
)
def test_why_a_pattern_stands_in_the_way_is_told(pattern: str, why: str) -> None:
    """What is no regular expression is not called too large."""
    old = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}, "required": ["a"]}
    reason = undecided(old, {**old, "properties": {"a": {"type": "integer"}}}).reason
    assert why in reason
    assert "at #/properties/a/pattern of the old schema" in reason


def test_schemas_that_apply_many_others_are_counted_once() -> None:
    """As many as take a validator more than once through each; not anew for each instance."""
    wide = {"allOf": [{"maxLength": 1000 + at} for at in range(2000)]}
    some = {f"p{at}": {"allOf": [{"$ref": "#/$defs/w"}, {"$ref": "#/$defs/w"}]} for at in range(300)}
    old = {"type": "object", "$defs": {"w": wide}, "properties": {**some, "a": {"maximum": 10}}}
    new = {**old, "properties": {**some, "a": {"maximum": 5}}}
    started = thread_time()
    decide(old, new, limit_seconds=0.3)
    assert thread_time() - started < 1.5


PASSWORD = r"^(?=.*\d)(?=.*[A-Z]).{8,64}$"
r"""Validators differ on it: to one of them `\d` is any digit of Unicode here."""


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        (PASSWORD, r"^(?=.*\d)(?=.*[A-Z]).{9,64}$", "incompatible"),
        (PASSWORD, r"^(?=.*\d)(?=.*[A-Z]).{6,80}$", "compatible"),
        (PASSWORD, r"[A-Z]", "compatible"),
        (PASSWORD, r"[0-9]", "undecided"),
        (r"^[0-9]+$", r"^(?=.*\d)", "compatible"),
        (r"^(?=.*\d)", r"^(?=.*\d)(?=.*[a-z])", "incompatible"),
        (r"^(?!.*\s).+$", r"^[!-~]+$", "incompatible"),
        (r"^(?!.*\s)[ -~]+$", r"^[!-~]+$", "compatible"),
        (r"\btax\b", r"tax", "compatible"),
        (r"tax", r"\btax\b", "incompatible"),
    ],
)
def test_a_pattern_that_validators_read_in_two_ways_is_judged_in_both(
    old: str, new: str, answer: str
) -> None:
    """A proof holds in both readings, a witness is one in both; else the pattern is named."""
    verdict = decide({"type": "string", "pattern": old}, {"type": "string", "pattern": new})
    assert verdict.answer == answer
    assert ("one meaning in all validators" in verdict.reason) == (answer == "undecided")


def test_a_required_text_of_a_pattern_read_in_two_ways_hides_no_break_elsewhere() -> None:
    """The witness has a text that all validators take."""
    old = record(password={"type": "string", "pattern": PASSWORD})
    old = {**old, "required": [LONG_NAME, "password"]}
    verdict = decide(old, shorter(old))
    assert (verdict.answer, verdict.new_path) == ("incompatible", "#/properties/kind/maxLength")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"^\p{L}+$", "^[A-Za-z]+$"),
        (r"^\p{L}+$", r"^\p{Lu}+$"),
        (r"^[\p{L}\p{M} '.-]{1,60}$", r"^[\p{L} '.-]{1,60}$"),
        (r"^[\p{L}\p{M} -]{1,500}$", r"^[\p{L} -]{1,500}$"),
        (r"^\p{Script=Greek}+$", r"^\p{Lu}+$"),
        (".", r"^\P{Lu}"),
        (r"^[^\p{N}]+$", r"^[\p{L}\p{P}\s]+$"),
    ],
)
def test_properties_of_unicode_are_proved_by_both_validators(old: str, new: str) -> None:
    """The second validator reads them too, as a pattern of texts and of names."""
    assert decide({"type": "string", "pattern": old}, {"pattern": new}).answer == "incompatible"
    names = [{"propertyNames": {"pattern": pattern}, "type": "object"} for pattern in (old, new)]
    assert decide(*names).answer == "incompatible"
    declared = [{"patternProperties": {old: {"type": of}}, "type": "object"} for of in ("number", "integer")]
    assert decide(*declared).answer == "incompatible"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strng"},
        {"properties": 5},
        {"required": True},
        {"properties": {"a": {"minLength": "9"}}},
        {"$defs": {"unused": {"enum": 1}}},
        {"allOf": [""]},
    ],
)
def test_what_is_no_schema_under_its_dialect_gets_no_verdict(schema: dict[str, Any]) -> None:
    """Not even beside itself or a schema that accepts everything; the reason says where it is none."""
    for old, new in ((schema, schema), (schema, {}), ({}, schema), (schema, {"title": "a"})):
        assert "is no schema under its dialect" in undecided(old, new).reason


def test_a_referenced_document_that_is_no_schema_is_named() -> None:
    """One that nothing refers to does not matter."""
    old = {"$ref": "other.json"}
    broken = {"other.json": {"type": "strng"}}
    reason = undecided(old, {"type": "string"}, old_references=broken).reason
    assert "at other.json#/type of the old schema" in reason
    assert decide({"type": "string"}, {}, old_references=broken).answer == "compatible"


@pytest.mark.parametrize("pattern", [r"^(title_(([a-z]+)-?)+)$", r"^\p{L}+_\p{Lu}$", "^note_"])
@pytest.mark.parametrize("keyword", ["additionalProperties", "unevaluatedProperties"])
def test_patterns_of_names_count_where_an_object_is_closed(pattern: str, keyword: str) -> None:
    """Also where jsonschema matches them itself, for `unevaluatedProperties`, as writers' schemas have it."""
    old = record({"patternProperties": {pattern: {"type": "string"}}, keyword: False})
    assert decide(old, shorter(old)).new_path == "#/properties/kind/maxLength"
    without = {**old, "patternProperties": {}}
    verdict = decide(old, without)
    assert (verdict.answer, verdict.new_path) == ("incompatible", f"#/{keyword}")
    assert decide(without, old).answer == "compatible"


MANY = 10**9
HUGE: dict[str, tuple[Any, Any]] = {
    "items": ({"type": "array", "minItems": MANY}, {"type": "array", "maxItems": MANY - 1}),
    "items-of-a-kind": (
        {"type": "array", "minItems": MANY, "items": {"type": "string"}},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
    ),
    "different-items": ({"type": "array", "minItems": MANY, "uniqueItems": True}, {"maxItems": 5}),
    "items-in-items": (
        {"type": "array", "minItems": 9_999, "items": {"type": "array", "minItems": 9_999}},
        {"type": "array", "maxItems": 9_998},
    ),
    "contains": ({"type": "array", "contains": {}, "minContains": MANY}, {"maxItems": 5}),
    "properties": ({"type": "object", "minProperties": MANY}, {"maxProperties": MANY - 1}),
    "properties-of-a-kind": (
        {"type": "object", "minProperties": MANY, "propertyNames": {"pattern": "^[a-z]+$"}},
        {"maxProperties": 5},
    ),
    "characters": ({"type": "string", "minLength": MANY}, {"maxLength": MANY - 1}),
    "repetitions": ({"type": "string", "pattern": f"^a{{{MANY}}}$"}, {"maxLength": MANY - 1}),
    "repeated-repetitions": (
        {"type": "string", "pattern": "^((a{1000}){1000}){1000}$"},
        {"type": "string", "pattern": "^((a{1000}){1000}){999}$"},
    ),
    "repeated-properties-of-unicode": (
        record(),
        record({"patternProperties": {rf"^x[\p{{L}}\p{{M}}]{{1,{200 + i}}}$": {} for i in range(40)}}),
    ),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_witness_too_large_is_refused_before_it_is_built(name: str) -> None:
    """Within the time of any other pair, and in little memory: a thousand million items would take 15 GB."""
    started = thread_time()
    old, new = HUGE[name]
    decide(old, new)
    assert thread_time() - started < 10, "a thousand million steps would take minutes"


def test_bounds_that_contradict_each_other_are_proved_however_large() -> None:
    """No witness has to be built for a proof."""
    old = {"type": "array", "minItems": MANY, "items": {"type": "string"}}
    assert decide(old, {"type": "array", "minItems": MANY - 1, "items": {"type": "string"}}).answer == (
        "compatible"
    )
    assert decide({"type": "object", "minProperties": MANY}, {"minProperties": 3}).answer == "compatible"


def plain(schema: Any, **options: Any) -> ReferenceValidator:
    """A schema of 2020-12 in the second validator."""
    return ReferenceValidator(schema, options, 2020, assert_formats=False)


def test_a_part_that_cannot_be_read_counts_in_no_mixture() -> None:
    """One of two unknown parts may hold and the other fail, which makes exactly one: that is no answer."""
    schema = {"oneOf": [{"$ref": "a.json"}, {"$ref": "b.json"}]}
    assert isinstance(plain(schema).judged(1), Obstacle)
    assert plain({**schema, "type": "string"}).judged(1) is False
    assert plain({"anyOf": [{"$ref": "a.json"}, {"type": "integer"}]}).judged(1) is True
    assert plain({"not": {"$ref": "a.json"}, "minimum": 2}).judged(1) is False
    assert isinstance(plain({"not": {"$ref": "a.json"}}).judged(1), Obstacle)


def test_the_second_validator_stops_by_itself() -> None:
    """Steps and patterns are both under its limit of time, and what was slow is named."""
    slow = plain({"properties": {"a": {"pattern": r"^(a|a)*$"}}}).judged({"a": "a" * 100_000 + "!"})
    assert isinstance(slow, Obstacle)
    assert (slow.place, slow.is_slow) == ("#/properties/a/pattern", True)
    many = plain({"items": {"allOf": [{"minimum": 0}] * 500}}).judged([1] * 100_000)
    assert isinstance(many, Obstacle)
    assert many.is_slow


def test_a_document_in_its_own_dialect_keeps_the_limits() -> None:
    """Jsonschema takes another class for a schema with `$schema`; the limits stay."""
    inner = {"$schema": "https://json-schema.org/draft/2020-12/schema", "pattern": r"^(\p{L}|\p{L})*$"}
    found = plain({"$ref": "inner.json"}, **{"inner.json": inner})
    assert found.judged("é") is True
    assert isinstance(found.judged("é" * 100_000 + "!"), Obstacle)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\d+$", "\u0661", False),
        (r"^\w+$", "é", False),
        (r"^a$", "a\n", False),
        (r"^[\d\-x]+$", "1-x", True),
        (r"^[^]$", "\n", True),
        (r"[]", "a", False),
        (r"^[\S]+$", "a\u00a0", False),
        (r"^[^\D5]$", "4", True),
        (r"^\u{1F600}$", "😀", True),
        (r"^\uD83D\uDE00$", "😀", True),
        (r"^\cJ\0$", "\n\0", True),
        (r"^[\p{L}\p{M} '.-]+$", "Zoë Ångström", True),
        (r"^[a[]+$", "a[", True),
    ],
)
def test_patterns_are_matched_as_ecma_262_reads_them(pattern: str, text: str, found: bool) -> None:
    """Where Python's dialect differs, the pattern is rewritten."""
    assert finds(pattern, text) is found


def test_a_match_ends_within_its_time() -> None:
    """The engine that backtracks is stopped from within; a text of 100,000 characters alone is quick."""
    with pytest.raises(SlowPatternError):
        finds(r"^(a|a)*$", "a" * 100_000 + "!")
    assert finds(r"^[a-z]*$", "a" * 100_000)


@pytest.mark.parametrize(
    ("pattern", "spelled"),
    [
        (r"^[\w-.]+$", r"^[\w\-.]+$"),
        (r"\_a\-b", "_a-b"),
        ("a]b{c}d{2,}", r"a\]b\{c\}d{2,}"),
        (r"^\p{L}{2}\u{1F600}$", r"^\p{L}{2}\u{1F600}$"),
        (r"[\^\-\]]", r"[\^\-\]]"),
    ],
)
def test_a_pattern_is_spelled_as_strict_dialects_insist(pattern: str, spelled: str) -> None:
    """The meaning is that of every lenient dialect."""
    assert strictly_spelled(pattern) == spelled


def test_costly_patterns_are_compiled_where_they_are_met() -> None:
    """Hundreds of counted properties of Unicode would take jsonschema-rs a minute, and gigabytes."""
    names = {f"p{i}": {"pattern": rf"^[\p{{L}}\p{{M}} ]{{1,{200 + i}}}$"} for i in range(100)}
    readings = Readings({"properties": names}, {}, 2020, assert_formats=False)
    assert readings.is_heavy
    assert readings.judged({"p0": "é"}, frozenset({names["p0"]["pattern"]})) is True
    assert readings.judged({"p0": "1"}, frozenset({names["p0"]["pattern"]})) is False
    assert isinstance(readings.judged({"p1": "1"}, frozenset()), Obstacle)
