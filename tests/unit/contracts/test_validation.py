"""An event against its contract: every violation at once, none of them with anything from the data."""

from __future__ import annotations

import socket
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import SchemaUnusableError, Violation
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12, dialect_of
from contracts.schema.json_values import first_not_json, json_type
from contracts.schema.reference_validator import Obstacle, reference_validator
from contracts.schema.wording import ROWS
from contracts.validation import MAX_VIOLATIONS, CompiledSchema

CANARY = "Κανάριον"


def compiled(dialect: str = DRAFT_2020_12, **schema: Any) -> CompiledSchema:
    """A compiled schema."""
    return CompiledSchema({"$schema": dialect, **schema}, {}, assert_formats=True)


def messages(data: object, **schema: Any) -> list[str]:
    """What is said about data."""
    return [violation.message for violation in compiled(**schema).violations(data)]


PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "person": {
            "type": "object",
            "properties": {"id": {"type": "string"}, "given-name": {"type": "string", "maxLength": 3}},
            "required": ["id", "born"],
            "additionalProperties": False,
        }
    },
}


def test_every_violation_is_told_at_once_with_its_place() -> None:
    """Expected, got, where: from the schema's words, sorted by place."""
    assert compiled(**PERSON).violations({"person": {"id": 7, "given-name": "Anna", "ssn": "1"}}) == (
        Violation(
            "$.person",
            "additionalProperties",
            "Expected only declared properties, got an undeclared one - at `$.person`",
        ),
        Violation("$.person", "required", "Expected property `born`, got none - at `$.person`"),
        Violation(
            "$.person.given-name",
            "maxLength",
            "Expected at most `3` characters, got more - at `$.person.given-name`",
        ),
        Violation("$.person.id", "type", "Expected `string`, got `integer` - at `$.person.id`"),
    )


def test_what_keeps_the_contract_has_no_violations() -> None:
    """Valid and without violations are one answer."""
    schema = compiled(**PERSON)
    data = {"person": {"id": "7", "born": "x"}}
    assert not schema.is_valid(data)
    assert schema.is_valid({"person": {"id": "7"}}) is False
    assert schema.violations({}) == ()
    assert schema.is_valid({})


ONE_EACH: list[tuple[dict[str, Any], object, str]] = [
    ({"type": ["string", "null"]}, 1, "Expected `null` or `string`, got `integer`"),
    ({"enum": ["a", 1]}, "b", "Expected one of `a`, `1`, got another value"),
    ({"enum": list(range(50))}, "b", "Expected one of 50 listed values, got another value"),
    ({"const": "a"}, "b", "Expected `a`, got another value"),
    ({"required": ["a"]}, {}, "Expected property `a`, got none"),
    (
        {"properties": {"b": True}, "dependentRequired": {"b": ["a"]}},
        {"b": 1},
        "Expected property `a`, as another one is present, got none",
    ),
    ({"unevaluatedProperties": False}, {"a": 1}, "Expected only declared properties, got an undeclared one"),
    (
        {"propertyNames": {"maxLength": 1}},
        {"ab": 1},
        "Expected property names as the contract allows, got another",
    ),
    ({"minProperties": 1}, {}, "Expected at least `1` properties, got fewer"),
    ({"maxProperties": 0}, {"a": 1}, "Expected at most `0` properties, got more"),
    ({"format": "uuid"}, "b", "Expected format `uuid`, got another form"),
    ({"pattern": "^a$"}, "b", "Expected text that matches `^a$`, got text that does not"),
    ({"minLength": 2}, "b", "Expected at least `2` characters, got fewer"),
    ({"minimum": 2}, 1, "Expected a number of at least `2`, got a smaller one"),
    ({"maximum": 2}, 3, "Expected a number of at most `2`, got a larger one"),
    ({"exclusiveMinimum": 2}, 2, "Expected a number above `2`, got one that is not"),
    ({"exclusiveMaximum": 2}, 2, "Expected a number below `2`, got one that is not"),
    ({"multipleOf": 2}, 3, "Expected a multiple of `2`, got another number"),
    ({"minItems": 1}, [], "Expected at least `1` items, got fewer"),
    ({"maxItems": 0}, [1], "Expected at most `0` items, got more"),
    ({"uniqueItems": True}, [1, 1], "Expected items that all differ, got equal ones"),
    ({"unevaluatedItems": False}, [1], "Expected only declared items, got further ones"),
    ({"prefixItems": [True], "items": False}, [1, 2], "Expected nothing, got something - at `$[1]`"),
    ({"contains": {"const": 1}}, [2], "Expected an item of the kind the contract names, got none"),
    ({"not": {"type": "string"}}, "b", "Expected anything but the kind the contract excludes, got that kind"),
    ({"oneOf": [True, True]}, 1, "Expected exactly one of 2 alternatives to match, got several"),
]


@pytest.mark.parametrize(("schema", "data", "start"), ONE_EACH)
def test_each_keyword_has_its_words(schema: dict[str, Any], data: object, start: str) -> None:
    """The sentence is told from the schema's side."""
    assert [message for message in messages(data, **schema) if message.startswith(start)]


@pytest.mark.parametrize(
    ("schema", "data"),
    [({"dependencies": {"a": ["b"]}}, {"a": 1}), ({"items": [True], "additionalItems": False}, [1, 2])],
)
def test_draft_07_has_its_own_keywords(schema: dict[str, Any], data: object) -> None:
    """What 2020-12 dropped is still checked where the schema is of draft-07."""
    assert compiled(DRAFT_07, **schema).violations(data)
    assert compiled(DRAFT_07, **schema).is_valid(data) is False


def test_where_no_alternative_matches_the_nearest_one_is_told() -> None:
    """What keeps the nearest alternative from matching is told, too."""
    alternatives = [{"type": "string"}, {"properties": {"k": {"type": "integer"}}, "required": ["k"]}]
    assert messages({"k": "x"}, anyOf=alternatives, properties={"k": True}) == [
        "Expected at least one of 2 alternatives to match, got none - at `$`",
        "Expected `integer`, got `string` - at `$.k`",
    ]


def test_undeclared_names_of_properties_are_not_told() -> None:
    """A name the schema does not write down may be somebody's: its place reads `[*]`."""
    found = messages({CANARY: "x", "nested": {CANARY: {CANARY: 1}}}, additionalProperties={"type": "integer"})
    assert found == [
        "Expected `integer`, got `object` - at `$[*]`",
        "Expected `integer`, got `string` - at `$[*]`",
    ]


def test_violations_are_bounded() -> None:
    """A hundred thousand wrong items are a thousand violations, told in short."""
    found = compiled(properties={"a": {"items": {"type": "string"}}}).violations({"a": [0] * 100_000})
    assert len(found) == MAX_VIOLATIONS
    assert found[0] == Violation(
        "$.a[0]", "type", "Expected what `type` says, got something else - at `$.a[0]`"
    )


def test_a_large_event_with_few_faults_is_told_in_full() -> None:
    """Size alone does not shorten what is said."""
    found = messages({"a": ["x"] * 5_000 + [1]}, properties={"a": {"items": {"type": "string"}}})
    assert found == ["Expected `string`, got `integer` - at `$.a[5000]`"]


def test_names_in_short_violations_are_not_told_either() -> None:
    """Also of very many violations none holds an undeclared name."""
    found = compiled(additionalProperties={"type": "string"}).violations(
        {f"{CANARY}~/{n}": n for n in range(5_000)}
    )
    assert found == (Violation("$[*]", "type", "Expected what `type` says, got something else - at `$[*]`"),)


class Odd:
    """Not JSON, and its text is a secret."""

    def __repr__(self) -> str:
        return CANARY


def endless() -> list[Any]:
    """A list nested deeper than any JSON reader goes."""
    data: list[Any] = []
    for _ in range(100_000):
        data = [data]
    return data


@pytest.mark.parametrize(
    "value",
    [
        Odd(),
        date(2026, 1, 1),
        datetime(2026, 1, 1, tzinfo=UTC),
        b"x",
        {1: 2},
        {1},
        "\ud800",
        {"\ud800": 1},
        endless(),
    ],
    ids=["object", "date", "datetime", "bytes", "key", "set", "surrogate", "surrogate-key", "endless"],
)
def test_what_json_cannot_hold_is_a_violation(value: object) -> None:
    """Data that no JSON text has is refused with its place, not with a crash."""
    schema = compiled(properties={"a": {"items": {"enum": ["x"]}}})
    assert not schema.is_valid({"a": [value]})
    violations = schema.violations({"a": [value]})
    assert {violation.keyword for violation in violations} <= {"json", "enum"}
    assert violations[0].path.startswith("$.a[0]")
    assert CANARY not in str(violations)


def test_the_first_place_that_is_not_json_is_found() -> None:
    """Data that is JSON has none; the root stands for it."""
    assert first_not_json({"a": [1, "x", None, 1.5, True]}) == []
    assert first_not_json({"a": [1, {"b": Decimal(1)}]}) == ["a", 1, "b"]
    values: list[object] = [None, True, 1, 1.5, "x", [], {}, Odd()]
    assert [json_type(value) for value in values] == [
        "`null`",
        "`boolean`",
        "`integer`",
        "`number`",
        "`string`",
        "`array`",
        "`object`",
        "something that is not JSON",
    ]


UNUSABLE: list[dict[str, Any]] = [
    {},
    {"$schema": "http://json-schema.org/draft-04/schema#"},
    {"$schema": 7},
    {"$schema": DRAFT_2020_12, "type": "objekt"},
    {"$schema": DRAFT_2020_12, "pattern": "("},
    {"$schema": DRAFT_2020_12, "$ref": "#/nowhere"},
]


@pytest.mark.parametrize("schema", UNUSABLE)
def test_an_unusable_schema_is_refused(schema: dict[str, Any]) -> None:
    """A schema that cannot check is told apart from data that is wrong."""
    with pytest.raises(SchemaUnusableError):
        CompiledSchema(schema, {}, assert_formats=True)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9/x.json", "https://example.com/x.json", "file:///etc/passwd"]
)
def test_nothing_is_ever_fetched(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    """A remote `$ref` opens no connection and no file, with either validator."""

    def refuse(*_args: object, **_kwargs: object) -> NoReturn:
        raise AssertionError("opened a connection")

    monkeypatch.setattr(socket, "socket", refuse)
    schema = {"$schema": DRAFT_2020_12, "$ref": uri}
    with pytest.raises(SchemaUnusableError):
        CompiledSchema(schema, {}, assert_formats=True)
    refused = reference_validator(schema, {}, assert_formats=True).judged({})
    assert isinstance(refused, Obstacle)
    assert (refused.place, refused.why) == ("#/$ref", "which leads nowhere")


def test_a_schema_that_refers_to_itself_ends() -> None:
    """The compiled validator ends; the reference validator refuses, so that lint sees it."""
    schema = {"$schema": DRAFT_2020_12, "$ref": "#"}
    assert CompiledSchema(schema, {}, assert_formats=True).is_valid(1)
    endless = reference_validator(schema, {}, assert_formats=True).judged(1, limit_seconds=60)
    assert isinstance(endless, Obstacle)
    assert "finds no end" in endless.why


def test_a_pattern_that_backtracks_without_end_gives_up() -> None:
    """An evil pattern costs a bounded time, and is a violation."""
    schema = compiled(pattern=r"^(?:(a+)+)\1$")
    assert [violation.keyword for violation in schema.violations("a" * 64 + "!")] == ["pattern"]


def test_formats_annotate_where_the_contract_says_so() -> None:
    """`format` refuses only where it is asserted."""
    schema = {"$schema": DRAFT_2020_12, "format": "date"}
    assert not CompiledSchema(schema, {}, assert_formats=True).is_valid("soon")
    assert CompiledSchema(schema, {}, assert_formats=False).is_valid("soon")
    assert reference_validator(schema, {}, assert_formats=False).judged("soon") is True
    assert reference_validator(schema, {}, assert_formats=True).judged("soon") is False


@pytest.mark.parametrize("name", ["ipv4", "hostname", "time", "regex", "iri", "something-else"])
def test_other_formats_only_annotate(name: str) -> None:
    """Beyond the five, a format never refuses, as the two validators know different ones."""
    assert compiled(format=name).is_valid("\x00 (not it")
    plain = reference_validator({"$schema": DRAFT_2020_12, "format": name}, {}, assert_formats=True)
    assert plain.judged("\x00 (not it") is True


@pytest.mark.parametrize("where", ["$defs", "x-shapes", "elsewhere"])
def test_other_formats_only_annotate_wherever_a_reference_leads(where: str) -> None:
    """A format is known wherever it stands: in no keyword that holds schemas, or in another document."""
    shape = {"type": "string", "format": "ipv4"}
    other = {"$schema": DRAFT_2020_12, "$id": "https://example.org/elsewhere", **shape}
    pointer = f"#/{where}/place" if where != "elsewhere" else other["$id"]
    schema = {"$schema": DRAFT_2020_12, where: {"place": shape}, "items": {"$ref": pointer}}
    references = {"https://example.org/elsewhere": other}
    found = CompiledSchema(schema, references, assert_formats=True)
    assert found.is_valid(["not it"])
    assert not found.is_valid([1])


def test_a_dialect_is_read_with_and_without_its_empty_fragment() -> None:
    """`#` at the end of `$schema` says nothing."""
    assert dialect_of({"$schema": f"{DRAFT_07}#"}) == dialect_of({"$schema": DRAFT_07}) == DRAFT_07


KEYWORDS: list[dict[str, Any]] = [
    {"type": "integer"},
    {
        "type": "object",
        "properties": {"a": {"type": "boolean"}},
        "required": ["b"],
        "additionalProperties": False,
    },
    {"type": "object", "patternProperties": {".": {"maxLength": 0, "type": "string"}}},
    {"type": "object", "propertyNames": {"maxLength": 0}, "additionalProperties": {"enum": [1, 2]}},
    {"type": "object", "unevaluatedProperties": {"const": 1}, "maxProperties": 0},
    {
        "type": "array",
        "items": {"type": "null"},
        "uniqueItems": True,
        "maxItems": 0,
        "contains": {"const": 0},
    },
    {"type": "string", "format": "date", "pattern": "^[0-9]+$", "maxLength": 1},
    {"type": "number", "maximum": -1, "multipleOf": 7},
    {"oneOf": [{"type": "boolean"}, {"required": ["x"]}], "not": {"type": "string"}},
    {"anyOf": [{"const": 1}, {"items": {"type": "integer"}, "additionalProperties": {"type": "integer"}}]},
    {"if": {"type": "string"}, "then": {"minLength": 10_000}, "else": {"$ref": "#/$defs/deep"}},
]
SECRET = st.text(st.characters(codec="utf-8"), max_size=8).map(lambda text: f"{CANARY}{text}")
DATA = st.recursive(
    SECRET | st.integers(777_000_000, 777_999_999) | st.floats(777_000_000.5, 777_999_999.5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(SECRET | st.sampled_from(["a", "b"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(DATA, st.sampled_from(KEYWORDS), st.sampled_from([DRAFT_2020_12, DRAFT_07]))
def test_no_message_ever_holds_anything_from_the_data(
    data: object, schema: dict[str, Any], dialect: str
) -> None:
    """Neither a value nor an undeclared name of the data is in any part of any violation."""
    deep = {
        "properties": {"a": {"$ref": "#/$defs/deep"}},
        "additionalProperties": {"$ref": "#/$defs/deep"},
        **schema,
    }
    validator = compiled(dialect, **schema, **{"$defs": {"deep": deep}})
    violations = validator.violations(data)
    assert bool(violations) != validator.is_valid(data)
    for violation in violations:
        told = f"{violation.path} {violation.keyword} {violation.message}"
        assert CANARY not in told
        assert "777" not in told


def test_every_row_of_words_is_a_sentence() -> None:
    """A row renders whatever the schema's value is."""
    for expected, got in ROWS.values():
        for limit in (None, 1, "x" * 1_000, ["a"], {"a": 1}):
            assert 0 < len(expected(limit)) < 400
        assert got
