"""Writers closed, readers open: what each derived schema accepts."""

from __future__ import annotations

import random
from typing import Any

import jsonschema_rs
import pytest

from contracts.schema.content_model import closed, closed_and_opened, opened
from contracts.schema.dialect import DRAFT_07, DRAFT_2020_12

PERSON: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def accepts(schema: dict[str, Any], data: object) -> bool:
    """Whether the data is valid, by the compiled validator."""
    return jsonschema_rs.validator_for(schema).is_valid(data)


def in_dialect(dialect: str, **schema: Any) -> dict[str, Any]:
    """A schema that names its dialect."""
    return {"$schema": dialect, **schema}


both = pytest.mark.parametrize("dialect", [DRAFT_2020_12, DRAFT_07])


@both
def test_a_writer_sends_only_what_is_declared(dialect: str) -> None:
    """At every depth: in properties, in items, behind a reference."""
    schema = in_dialect(
        dialect,
        properties={"owner": PERSON, "people": {"type": "array", "items": {"$ref": "#/$defs/person"}}},
        **{"$defs": {"person": PERSON}},
    )
    writer = closed(schema)
    assert accepts(writer, {"owner": {"name": "A"}, "people": [{"name": "B"}]})
    for wrong in (
        {"other": 1},
        {"owner": {"name": "A", "other": 1}},
        {"people": [{"name": "B", "other": 1}]},
    ):
        assert accepts(schema, wrong)
        assert not accepts(writer, wrong)


@both
def test_a_reader_ignores_what_is_not_declared(dialect: str) -> None:
    """The author's own closures are the writer's: a reader does not have them."""
    sealed = {**PERSON, "additionalProperties": False}
    schema = in_dialect(dialect, properties={"owner": sealed}, additionalProperties=False)
    reader = opened(schema)
    assert accepts(reader, {"owner": {"name": "A", "other": 1}, "other": 1})
    assert not accepts(reader, {"owner": {"name": 1}})


@both
def test_what_the_author_says_of_other_properties_stands_for_the_writer(dialect: str) -> None:
    """`additionalProperties: true`, or a schema for them, is a statement."""
    for stated in (True, {"type": "string"}):
        schema = in_dialect(dialect, properties={"a": {}}, additionalProperties=stated)
        assert schema == closed(schema) == opened(schema)


@both
def test_an_object_put_together_is_closed_as_a_whole(dialect: str) -> None:
    """No part refuses what its neighbour declares."""
    schema = in_dialect(
        dialect,
        allOf=[{"$ref": "#/$defs/person"}, {"properties": {"age": {"type": "integer"}}}],
        properties={"id": {}},
        **{"$defs": {"person": PERSON}},
    )
    writer = closed(schema)
    assert accepts(writer, {"name": "A", "age": 1, "id": 2})
    assert not accepts(writer, {"name": "A", "other": 1})


@both
def test_a_definition_used_whole_and_in_part_serves_both(dialect: str) -> None:
    """It stays open itself; each place that uses it whole is closed."""
    schema = in_dialect(
        dialect,
        properties={
            "whole": {"$ref": "#/$defs/person"},
            "part": {"allOf": [{"$ref": "#/$defs/person"}, {"properties": {"age": {}}}]},
        },
        **{"$defs": {"person": PERSON}},
    )
    writer = closed(schema)
    assert accepts(writer, {"whole": {"name": "A"}, "part": {"name": "B", "age": 1}})
    assert not accepts(writer, {"whole": {"name": "A", "age": 1}})
    assert not accepts(writer, {"part": {"name": "B", "other": 1}})


@both
def test_alternatives_are_closed_for_the_writer_and_may_overlap_for_the_reader(dialect: str) -> None:
    """Closed alternatives tell each other apart by their names; open ones cannot."""
    schema = in_dialect(
        dialect,
        oneOf=[
            {"properties": {"a": {}}, "additionalProperties": False},
            {"properties": {"b": {}}, "additionalProperties": False},
        ],
    )
    for event in ({"a": 1}, {"b": 1}):
        assert accepts(closed(schema), event)
        assert accepts(opened(schema), event)
    assert not accepts(closed(schema), {"c": 1})


@both
def test_a_schema_that_tests_is_left_as_written(dialect: str) -> None:
    """Under `not`, a closed object would let more through; so would one that is referred to from there."""
    schema = in_dialect(
        dialect,
        properties={"a": {"not": {"$ref": "#/$defs/person"}}},
        additionalProperties=True,
        **{"$defs": {"person": PERSON}},
    )
    assert schema == closed(schema) == opened(schema)


@both
def test_a_property_that_two_parts_describe_is_left_as_written(dialect: str) -> None:
    """Either part, closed, would refuse what the other declares."""
    schema = in_dialect(
        dialect,
        allOf=[
            {"properties": {"child": {"properties": {"a": {}}}}},
            {"properties": {"child": {"properties": {"b": {}}}}},
        ],
    )
    assert accepts(closed(schema), {"child": {"a": 1, "b": 1}})
    assert not accepts(closed(schema), {"other": 1})


@both
def test_referenced_documents_are_derived_too(dialect: str) -> None:
    """A schema reached by its `$id` closes where it is used whole."""
    document = in_dialect(dialect, **{"$id": "urn:example:person"}, **PERSON)
    schema = in_dialect(dialect, properties={"owner": {"$ref": "urn:example:person"}})
    (written, documents), (read, opened_documents) = closed_and_opened(
        schema, {"urn:example:person": document}
    )
    assert documents["urn:example:person"]["additionalProperties"] is False
    assert "additionalProperties" not in written["properties"]["owner"]
    assert (read, opened_documents) == (schema, {"urn:example:person": document})


def test_a_recursive_schema_is_closed_once() -> None:
    """A tree of nodes ends."""
    schema = in_dialect(DRAFT_2020_12, properties={"left": {"$ref": "#"}, "right": {"$ref": "#"}})
    assert {**schema, "additionalProperties": False} == closed(schema)
    assert accepts(closed(schema), {"left": {"right": {}}})
    assert not accepts(closed(schema), {"left": {"other": {}}})


def test_a_reference_that_leads_nowhere_closes_nothing() -> None:
    """What cannot be seen may declare anything."""
    schema = in_dialect(DRAFT_2020_12, properties={"a": {}}, **{"$ref": "urn:example:absent"})
    assert schema == closed(schema)


def test_one_definition_twice_is_closed_once() -> None:
    """The same part in two ways is no conflict; nor does it double with each step."""
    step = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    last: dict[str, Any] = {"properties": {"a": {"properties": {"b": {}}}}}
    schema = in_dialect(DRAFT_2020_12, **{"$ref": "#/$defs/d0", "$defs": {**step, "d40": last}})
    assert closed(schema)["$defs"]["d40"]["properties"]["a"]["additionalProperties"] is False


def test_a_chain_of_references_without_end_ends() -> None:
    """Two thousand steps, and the person at the end is closed."""
    step = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(2_000)}
    schema = in_dialect(
        DRAFT_2020_12, properties={"a": {"$ref": "#/$defs/d0"}}, **{"$defs": {**step, "d2000": PERSON}}
    )
    assert closed(schema)["additionalProperties"] is False
    assert closed(schema)["$defs"]["d2000"]["additionalProperties"] is False
    assert opened(schema) == schema


def test_constants_are_not_schemas() -> None:
    """An example that looks like a schema is data."""
    schema = in_dialect(DRAFT_2020_12, const={"properties": {"a": {}}, "additionalProperties": False})
    assert schema == closed(schema) == opened(schema)


@pytest.mark.parametrize("dialect", [DRAFT_2020_12, DRAFT_07])
def test_the_reader_accepts_whatever_the_writer_may_send(dialect: str) -> None:
    """Over schemas put together at random, with a fixed seed."""
    draw = random.Random(7)
    sent = 0
    for _ in range(300):
        schema = in_dialect(dialect, **_drawn(draw, 3), **{"$defs": {"d": _drawn(draw, 2)}})
        writer = jsonschema_rs.validator_for(closed(schema))
        reader = jsonschema_rs.validator_for(opened(schema))
        for _ in range(40):
            event = _event(draw, 3)
            if writer.is_valid(event):
                sent += 1
                assert reader.is_valid(event), (schema, event)
    assert sent > 1_000


def _drawn(draw: random.Random, depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if depth and draw.random() < 0.8:
        names = draw.sample("abc", draw.randint(0, 2))
        schema["properties"] = {name: _drawn(draw, depth - 1) for name in names}
    if draw.random() < 0.3:
        schema["additionalProperties"] = draw.choice([False, True, {"type": "integer"}])
    if draw.random() < 0.2:
        schema["required"] = draw.sample("abc", 1)
    if draw.random() < 0.2:
        schema["type"] = draw.choice(["object", "integer"])
    if depth and draw.random() < 0.4:
        keyword = draw.choice(["allOf", "anyOf", "oneOf"])
        schema[keyword] = [_drawn(draw, depth - 1) for _ in range(2)]
    if depth and draw.random() < 0.2:
        schema[draw.choice(["not", "if", "then", "else"])] = _drawn(draw, depth - 1)
    if depth and draw.random() < 0.2:
        schema["$ref"] = "#/$defs/d" if draw.random() < 0.8 else "#"
    if depth < 3 and "$ref" in schema:  # a definition must not lead to itself without an end
        del schema["$ref"]
    return {"properties": {"a": {"$ref": "#/$defs/d"}}} if depth == 2 and draw.random() < 0.1 else schema


def _event(draw: random.Random, depth: int) -> Any:
    if not depth or draw.random() < 0.2:
        return draw.choice([1, "x"])
    return {name: _event(draw, depth - 1) for name in draw.sample("abcd", draw.randint(0, 3))}
