"""What a schema is drafted from: samples, schemas, parts of OpenAPI and AsyncAPI documents."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from contracts import ContractError
from contracts.imports.samples import inferred
from contracts.imports.sources import import_schema
from contracts.scaffold.documents import event_documents
from contracts.schema.dialect import DRAFT_2020_12

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
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
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
    assert schema["properties"]["mother"] == {"$ref": "#"}
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


@pytest.mark.parametrize("dialect", ["3.1/dialect/base", "3.1/dialect/2024-11-10", "3.2/dialect/2025-09-17"])
def test_a_schema_in_the_dialect_of_openapi_becomes_2020_12(tmp_path: Path, dialect: str) -> None:
    """OpenAPI 3.1, section 4.8.24: 2020-12, and words that say nothing of what is valid."""
    schema = {
        "$schema": f"https://spec.openapis.org/oas/{dialect}",
        "type": "object",
        "properties": {"kind": {"type": "string", "example": "a"}, "next": {"$ref": "#/$defs/Next"}},
        "$defs": {"Next": {"type": "object", "discriminator": {"propertyName": "kind"}}},
    }
    found = import_schema(write(tmp_path, "order.json", schema)).schema
    assert found == {
        "$schema": DRAFT_2020_12,
        "type": "object",
        "properties": {"kind": {"type": "string", "examples": ["a"]}, "next": {"$ref": "#/$defs/Next"}},
        "$defs": {"Next": {"type": "object"}},
    }


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
    ("a.json", "", with_reference("http://127.0.0.1:9/x"), "leads out of the documents at hand - nothing is"),
    ("a.json", "", with_reference("../other.json#/A"), "no file is read outside the folder"),
    (
        "a.json",
        "",
        with_reference("#/nowhere"),
        "`#/nowhere` points to what is not there",
    ),
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


SPLIT: dict[str, Any] = {
    "schemas/card.json": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://standard.example/schemas/card.json",
        "type": "object",
        "properties": {
            "holder": {"$ref": "person.json"},
            "address": {"$ref": "../common/address.json#/$defs/address"},
            "spouse": {"$ref": "https://standard.example/people/person"},
            "branch": {"$ref": "urn:standard:branch"},
            "copies": {"type": "array", "items": {"$ref": "#"}},
        },
    },
    "schemas/person.json": {
        "type": "object",
        "properties": {"name": {"$ref": "names.yaml#/name"}, "card": {"$ref": "card.json"}},
        "required": ["name"],
    },
    "schemas/names.yaml": {"name": {"type": "string", "maxLength": 80}},
    "common/address.json": {"$defs": {"address": {"type": "string", "minLength": 5}}},
    "b.json": {"$id": "urn:standard:branch", "type": "string", "maxLength": 9},
    "people/of-register.json": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "https://standard.example/people/person",
        "type": "object",
        "properties": {"age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}},
    },
}


def test_a_schema_split_over_files_becomes_one(tmp_path: Path) -> None:
    """By path, up and down, by relative and absolute `$id`, across drafts and YAML, in circles."""
    for name, value in SPLIT.items():
        write(tmp_path, name, value)
    schema = import_schema(str(tmp_path / "schemas/card.json"), tmp_path).schema
    Draft202012Validator.check_schema(schema)
    assert schema["properties"] == {
        "holder": {"$ref": "#/$defs/person"},
        "address": {"$ref": "#/$defs/address"},
        "spouse": {"$ref": "#/$defs/person-2"},
        "branch": {"$ref": "#/$defs/branch"},
        "copies": {"type": "array", "items": {"$ref": "#"}},
    }
    assert schema["$defs"] == {
        "person": {
            "type": "object",
            "properties": {"name": {"$ref": "#/$defs/name"}, "card": {"$ref": "#"}},
            "required": ["name"],
        },
        "address": {"type": "string", "minLength": 5},
        "branch": {"type": "string", "maxLength": 9},
        "person-2": {"type": "object", "properties": {"age": {"type": "integer", "exclusiveMinimum": 0}}},
        "name": {"type": "string", "maxLength": 80},
    }


def test_equal_names_of_different_schemas_are_told_apart(tmp_path: Path) -> None:
    """Whatever names stand there already."""
    names = ["Name", "Name-2", "Name-3"]
    for number, name in enumerate(("Name", "Name", "Name-2", "Name", "Name-3")):
        write(tmp_path, f"{number}.json", {"$defs": {name: {"const": number}}})
    refers = [
        f"{number}.json#/$defs/{name}" for number, name in enumerate(("Name", "Name", "Name-2", "Name"))
    ]
    schema = {"type": "object", "properties": {str(at): {"$ref": said} for at, said in enumerate(refers)}}
    found = import_schema(write(tmp_path, "all.json", schema)).schema
    assert set(names) <= found["$defs"].keys()
    for number in range(4):
        assert Draft202012Validator(found).is_valid({str(number): number})
        assert not Draft202012Validator(found).is_valid({str(number): number + 1})


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_an_openapi_document_split_over_files_is_taken(tmp_path: Path, version: str) -> None:
    """A part that is a mere reference, an index of schemas, and ways back to the document."""
    card = {"type": "object", "properties": {"kind": {"$ref": "../api.yaml#/components/schemas/Kind"}}}
    write(
        tmp_path, "api.yaml", {"openapi": version, "components": {"schemas": {"$ref": "schemas/index.yaml"}}}
    )
    write(tmp_path, "schemas/index.yaml", {"Card": {"$ref": "card.yaml"}, "Kind": {"$ref": "kind.json"}})
    write(tmp_path, "schemas/card.yaml", card)
    write(tmp_path, "schemas/kind.json", {"type": "string", "nullable": True, "enum": ["a"]})
    schema = import_schema(f"{tmp_path}/api.yaml#/components/schemas/Card").schema
    assert schema["type"] == "object"
    assert schema["properties"]["kind"]["$ref"].startswith("#/$defs/")
    assert Draft202012Validator(schema).is_valid({"kind": "a"})
    assert not Draft202012Validator(schema).is_valid({"kind": "b"})


def test_an_asyncapi_message_in_another_file_is_its_payload(tmp_path: Path) -> None:
    """Message and payload may each be a reference."""
    write(
        tmp_path, "events.yaml", {"asyncapi": "2.6.0", "components": {"messages": {"$ref": "messages.yaml"}}}
    )
    write(tmp_path, "messages.yaml", {"Born": {"$ref": "born.yaml"}})
    write(tmp_path, "born.yaml", {"payload": {"$ref": "born.json"}})
    write(tmp_path, "born.json", {"type": "object", "required": ["id"]})
    assert import_schema(f"{tmp_path}/events.yaml#/components/messages/Born").schema["required"] == ["id"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("../secret.json", "`../secret.json` leads out of the documents at hand"),
        ("%2e%2e/secret.json", "leads out of the documents at hand"),
        ("FILE", "leads out of the documents at hand"),
        ("link.json", "document-outside"),
        ("gone.json", "`gone.json` leads out of the documents at hand"),
        ("https://standard.example/gone", "leads out of the documents at hand"),
        ("broken.json", "document-syntax"),
        (
            "twin",
            "one file with the `$id` `https://standard.example/twin`, got `one.json`, `two.json`",
        ),
        ("other.json#/gone", "`other.json#/gone` points to what is not there"),
    ],
)
def test_nothing_outside_the_folder_is_read(tmp_path: Path, said: str, message: str) -> None:
    """By no path, link or address; what is wrong is told with the file it stands in."""
    secret = write(tmp_path, "secret.json", {"type": "object", "description": "secret"})
    folder = tmp_path / "folder"
    uri = Path(secret).as_uri() if said == "FILE" else said
    schema = {"$id": "https://standard.example/a", "type": "object", "properties": {"x": {"$ref": uri}}}
    source = write(folder, "a.json", schema)
    (folder / "link.json").symlink_to(secret)
    (folder / "broken.json").write_text("{")
    for name in ("one", "two"):
        write(folder, f"{name}.json", {"$id": "https://standard.example/twin", "description": name})
    write(folder, "other.json", {})
    with pytest.raises(ContractError, match=re.escape(message)):
        import_schema(source)


def test_a_folder_has_an_end(tmp_path: Path) -> None:
    """So many files are looked at for their `$id`, and no more."""
    for number in range(1_001):
        (tmp_path / f"{number}.json").write_text("{}")
    source = write(tmp_path, "a.json", {"type": "object", "properties": {"x": {"$ref": "urn:x:y"}}})
    with pytest.raises(ContractError, match="at most 1,000 files of the folder - pass a smaller"):
        import_schema(source)


@pytest.mark.parametrize("said", ["#/components/schemas/B", "#/components/schemas/A", "api.json#/components"])
def test_a_pointer_through_itself_leads_nowhere(tmp_path: Path, said: str) -> None:
    """A part that is found only by way of itself is not there; one that is only itself says nothing."""
    parts = {"schemas": {"A": {"$ref": said}, "$ref": "#/components/schemas/B"}}
    source = write(tmp_path, "api.json", {"openapi": "3.0.3", "components": parts})
    if said.endswith("B"):
        with pytest.raises(ContractError, match="`#/components/schemas/B` points to what is not there"):
            import_schema(f"{source}#/components/schemas/A")
    else:
        assert "$schema" in import_schema(f"{source}#/components/schemas/A").schema


def test_a_long_way_of_references_is_gone(tmp_path: Path) -> None:
    """2,000 schemas that each lead to the next need no deeper stack."""
    chain = {f"d{at}": {"items": {"$ref": f"#/definitions/d{at + 1}"}} for at in range(2_000)}
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "definitions": {**chain, "d2000": {}}}
    source = write(tmp_path, "a.json", {**schema, "items": {"$ref": "#/definitions/d0"}})
    assert len(import_schema(source).schema["$defs"]) == 2_001
