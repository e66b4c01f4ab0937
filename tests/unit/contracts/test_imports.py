"""What a schema is drafted from: samples, schemas, parts of OpenAPI and AsyncAPI documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts import ContractError
from contracts.imports.samples import inferred
from contracts.imports.sources import import_schema
from contracts.scaffold.documents import event_documents

PERSON: dict[str, Any] = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "example": "P-1"},
        "name": {"type": "string", "nullable": True, "enum": ["a"]},
        "age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        "mother": {"$ref": "#/components/schemas/Person"},
    },
}
OPENAPI: dict[str, Any] = {"openapi": "3.0.3", "components": {"schemas": {"Person": PERSON}}}


def write(folder: Path, name: str, value: object) -> str:
    """Write a source, as its name says."""
    text = json.dumps(value) if name.endswith(".json") else yaml.safe_dump(value)
    (folder / name).write_text(text)
    return str(folder / name)


def test_samples_give_types_formats_and_room() -> None:
    """Required is what every sample has; bounds are rounded up; what differs is allowed each."""
    schema = inferred(
        [{"day": "2026-02-28", "n": 1, "x": None, "l": [1]}, {"day": "2024-02-29", "x": "a", "n": 2.5}]
    )
    assert schema["required"] == ["day", "n", "x"]
    assert schema["properties"]["day"]["format"] == "date"
    assert schema["properties"]["n"]["type"] == "number"
    assert (schema["properties"]["x"]["type"], schema["properties"]["x"]["maxLength"]) == (
        ["string", "null"],
        64,
    )
    assert schema["properties"]["l"]["maxItems"] == 16
    assert inferred(["x" * 65])["maxLength"] == 256


@pytest.mark.parametrize(
    "samples",
    [
        [{"a": {"b": [{"c": 1}, {"d": [None, "x", True]}]}}, {"a": 5}],
        [{"": []}],
        [{"t": "\ud83d\ude00" * 99}],
    ],
)
def test_samples_keep_their_schema(samples: list[Any]) -> None:
    """Whatever the samples are."""
    validator = Draft202012Validator(inferred(samples))
    assert all(validator.is_valid(sample) for sample in samples)


@pytest.mark.parametrize("name", ["api.json", "api.yaml"])
def test_openapis_words_become_json_schemas(tmp_path: Path, name: str) -> None:
    """`nullable`, boolean bounds and `example` are said in 2020-12's words; references move along."""
    schema = import_schema(write(tmp_path, name, OPENAPI)).schema
    assert schema["properties"]["id"] == {"type": "string", "examples": ["P-1"]}
    assert schema["properties"]["name"] == {"type": ["string", "null"], "enum": ["a", None]}
    assert schema["properties"]["age"] == {"type": "integer", "exclusiveMinimum": 0}
    assert schema["properties"]["mother"] == {"$ref": "#/$defs/Person"}
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"id": "x", "mother": {"id": "y", "name": None}})
    assert not validator.is_valid({"id": "x", "mother": {"age": 0}})


def test_asyncapi_messages_are_their_payloads(tmp_path: Path) -> None:
    """In AsyncAPI 2 the payload is the schema; in 3 it may name a format beside it."""
    for payload in (PERSON, {"schemaFormat": "application/schema+json;version=draft-07", "schema": PERSON}):
        document = {"asyncapi": "3.0.0", "components": {"messages": {"Born": {"payload": payload}}}}
        document["components"]["schemas"] = {"Person": PERSON}  # type: ignore[index] # it is a dictionary
        source = write(tmp_path, "events.json", document) + "#/components/messages/Born"
        assert import_schema(source).schema["required"] == ["id"]


def test_a_schema_is_taken_as_it_is(tmp_path: Path) -> None:
    """With its dialect; without one it is 2020-12."""
    draft_07 = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}
    assert import_schema(write(tmp_path, "a.json", draft_07)).schema == draft_07
    schema = import_schema(write(tmp_path, "b.json", {"type": "object", "properties": {}})).schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


DRAFT_04: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "id": "http://standard.example/release.json",
    "type": "object",
    "required": ["tags"],
    "properties": {
        "tags": {"$ref": "#/definitions/List`1", "minItems": 99, "description": "All."},
        "pair": {"type": "array", "items": [{"type": "integer"}], "additionalItems": False},
        "price": {"type": "number", "minimum": 0, "exclusiveMinimum": True, "const": 5},
        "self": {"$ref": "http://standard.example/release.json#/definitions/a.B<C>"},
        "named": {"$ref": "#named"},
        "old": {"type": "string", "deprecated": {"since": "1.1"}},
    },
    "dependencies": {"pair": ["price"], "price": {"required": ["old"]}},
    "definitions": {
        "List`1": {"type": "array", "maxItems": 3},
        "a.B<C>": {"type": "string"},
        "named": {"id": "#named", "type": "integer"},
        "unused": {"type": "null"},
    },
}


def test_draft_04_becomes_2020_12(tmp_path: Path) -> None:
    """With the same meaning: what has none in draft-04 is left out, what is referred to is included."""
    schema = import_schema(write(tmp_path, "a.json", DRAFT_04)).schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    properties = schema["properties"]
    assert properties["tags"] == {"$ref": "#/$defs/List-1", "description": "All."}
    assert properties["pair"] == {"type": "array", "prefixItems": [{"type": "integer"}], "items": False}
    assert properties["price"] == {"type": "number", "exclusiveMinimum": 0}
    assert properties["old"]["deprecated"] is True
    assert schema["dependentRequired"] == {"pair": ["price"]}
    assert schema["dependentSchemas"] == {"price": {"required": ["old"]}}
    assert schema["$defs"] == {
        "List-1": {"type": "array", "maxItems": 3},
        "a.B-C": {"type": "string"},
        "named": {"type": "integer"},
    }


@pytest.mark.parametrize("dialect", ["draft-07/schema#", "draft-06/schema#"])
def test_a_bundle_is_taken_with_what_is_embedded_in_it(tmp_path: Path, dialect: str) -> None:
    """References go by the `$id` of an embedded schema, which a contract's own `$id` would change."""
    bundle = {
        "$schema": f"http://json-schema.org/{dialect}",
        "$id": "https://standard.example/card",
        "type": "object",
        "properties": {"reader": {"$ref": "reader#/definitions/name"}},
        "definitions": {"r": {"$id": "reader", "definitions": {"name": {"type": "string"}}}},
    }
    schema = import_schema(write(tmp_path, "a.json", bundle)).schema
    assert schema["properties"]["reader"] == {"$ref": "#/$defs/name"}
    assert schema["$defs"] == {"name": {"type": "string"}}


def test_openapi_3_1_keeps_what_stands_beside_a_reference(tmp_path: Path) -> None:
    """There it has an effect; in 3.0 it has none. `nullable` counts beside `allOf` too, as tools have it."""
    beside = {"$ref": "#/components/schemas/B", "maxLength": 3}
    nullable = {"nullable": True, "allOf": [{"$ref": "#/components/schemas/B"}]}
    parts = {"A": {"properties": {"x": beside, "y": nullable}}, "B": {"type": "string"}}
    found = {}
    for version in ("3.0.3", "3.1.0"):
        document = {"openapi": version, "components": {"schemas": parts}}
        source = write(tmp_path, f"{version}.json", document) + "#/components/schemas/A"
        found[version] = import_schema(source).schema["properties"]
    assert found["3.0.3"]["x"] == {"$ref": "#/$defs/B"}
    assert found["3.1.0"]["x"] == {"$ref": "#/$defs/B", "maxLength": 3}
    assert found["3.0.3"]["y"] == {"anyOf": [{"allOf": [{"$ref": "#/$defs/B"}]}, {"type": "null"}]}


def test_a_part_of_a_document_over_a_megabyte_is_taken(tmp_path: Path) -> None:
    """What is too large for a catalogue as a whole is refused there, and says so."""
    large = {f"D{number}": {"type": "string", "description": "x" * 1_000} for number in range(2_000)}
    document = {**DRAFT_04, "definitions": {**DRAFT_04["definitions"], **large}}
    source = write(tmp_path, "a.json", document)
    assert len((tmp_path / "a.json").read_bytes()) > 2_000_000
    assert import_schema(source).schema == import_schema(write(tmp_path, "b.json", DRAFT_04)).schema
    whole = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "definitions": large}
    with pytest.raises(ContractError, match="take a part of the document"):
        event_documents("library.card", import_schema(write(tmp_path, "c.json", whole)))


def with_reference(target: object) -> dict[str, Any]:
    """An OpenAPI document whose one schema refers to something."""
    return {"openapi": "3.0.3", "components": {"schemas": {"A": {"properties": {"x": {"$ref": target}}}}}}


TWO = {"openapi": "3.1.0", "components": {"schemas": {"A": {}, "B": {}}}}
REFUSED: list[tuple[str, str, object, str]] = [
    ("a.yaml", "", TWO, "a part of the document"),
    ("a.json", "#/components/schemas/C", TWO, "there is none"),
    ("a.json", "#/components/schemas/%ff~9/0", TWO, "there is none"),
    ("a.json", "", with_reference("http://127.0.0.1:9/x"), "lead within the document"),
    ("a.json", "", with_reference("../other.json#/A"), "lead within the document"),
    ("a.json", "", with_reference("#/nowhere"), "`#/nowhere`, which points to what is not there"),
    ("a.json", "", {"openapi": "3.0.3"}, "it has none"),
    ("a.json", "", {"openapi": "3.0.3", "components": {"schemas": []}}, "it has none"),
    ("a.json", "", [], "an object of sample data"),
    ("a.json", "", 5, "an object of sample data"),
    ("a.json", "", [1, 2], "an object of sample data"),
]


@pytest.mark.parametrize(("name", "pointer", "value", "message"), REFUSED)
def test_what_gives_no_schema_is_refused(
    tmp_path: Path, name: str, pointer: str, value: object, message: str
) -> None:
    """It says what was expected; nothing is fetched."""
    with pytest.raises(ContractError, match=message):
        import_schema(write(tmp_path, name, value) + pointer)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.json", b"[" * 200_000),
        ("deep.yaml", b"[" * 5_000),
        ("large.json", b" " * 20_000_000),
        ("bomb.yaml", b"a: &a [x]\nb: [*a, *a]\n"),
        ("twice.json", b'{"a": 1, "a": 2}'),
        ("bytes.json", b"\xff\xfe"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    """By the rules that documents of a catalogue meet."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ContractError):
        import_schema(str(tmp_path / name))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """It is no crash."""
    with pytest.raises(ContractError, match=r"nothing\.json"):
        import_schema(str(tmp_path / "nothing.json"))
