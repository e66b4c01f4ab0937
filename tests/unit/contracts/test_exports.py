"""Exports, as the standards' own tools read them: AsyncAPI's parser, the schema of ODCS."""

from __future__ import annotations

import importlib.resources
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from jsonschema import Draft7Validator as Draft07Validator
from jsonschema import Draft201909Validator, Draft202012Validator

from contracts import Catalog
from contracts.cli import contracts as command
from contracts.publish.exports.asyncapi import asyncapi
from contracts.publish.exports.cloudevents import cloudevents
from contracts.publish.exports.draft7 import InexpressibleError, as_draft_07
from contracts.publish.exports.odcs import odcs
from tests.installed import npm_packages, program, run
from tests.unit.contracts import catalogs

PARSER = Path(__file__).parents[2] / "asyncapi_parser"
DRAFT_2020_12 = "https://json-schema.org/draft/2020-12/schema"
DRAFT_07 = "http://json-schema.org/draft-07/schema#"
LATER = (
    "2 asyncapi-latest-version asyncapi The latest version of AsyncAPi is not used. It is recommended "
    'update to the "3.1.0" version.'
)
"""What the parser says of 3.0, which is the latest version that Modelina reads."""


@pytest.fixture(scope="session")
def parser() -> Path:
    """Where AsyncAPI's own parser is, as its lock file names it."""
    program("node", "nodejs")
    return npm_packages("asyncapi-parser", [PARSER / "package.json", PARSER / "package-lock.json"])


def parsed(parser: Path, file: Path) -> dict[str, Any]:
    """What AsyncAPI's parser finds in a file."""
    text = run(
        program("node", "nodejs"),
        str(PARSER / "check.cjs"),
        str(file),
        environment={"NODE_PATH": str(parser / "node_modules")},
    )
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def catalog(root: Path) -> Catalog:
    """The sound catalogue with a second version that refers to a further schema, and one subscription."""
    second = catalogs.schema()
    second["properties"]["amount"] = {"$ref": "https://schemas.tax.example/money", "description": "How much."}
    money = {"$schema": DRAFT_2020_12, "$id": "https://schemas.tax.example/money", "type": "integer"}
    catalogs.write(root, f"{catalogs.FOLDER}/v1.1.json", second)
    catalogs.write(root, f"{catalogs.FOLDER}/money.json", money)
    contract = catalogs.contract()
    contract["versions"] += [{"number": "1.1", "file": "v1.1.json", "references": [{"file": "money.json"}]}]
    catalogs.write(root, catalogs.CONTRACT, contract)
    catalogs.rehash(root)
    subscription = {
        "subject": "tax.refund-paid",
        "version": 1,
        "purpose": "audit",
        "legal_basis": "Audit Act, section 1",
        "fields": ["$"],
        "approved_by": "Refunds Unit",
        "approved_on": "2026-01-31",
        "expires": "2999-12-31",
    }
    catalogs.write(root, "agencies/tax/subscriptions/tax.refund-paid.yaml", subscription)
    return Catalog.open(root)


def test_asyncapis_own_parser_reads_the_reference_catalogue(parser: Path, tmp_path: Path) -> None:
    """It finds nothing wrong, each topic with its sender, every message with attributes and payload."""
    file = tmp_path / "events.yaml"
    result = CliRunner().invoke(command, ["export", "asyncapi", "-o", str(file)])
    assert result.exit_code == 0
    found = parsed(parser, file)
    assert found["diagnostics"] == [LATER]
    versions = [version for contract in Catalog.open().contracts.values() for version in contract.versions]
    sending = [row for row in found["operations"] if row["action"] == "send"]
    assert {row["topics"][0] for row in sending} == {version.type for version in versions}
    assert all("ce_id" in headers for row in found["operations"] for headers in row["headers"])
    assert all(all(row["payloads"]) for row in found["operations"])


def test_asyncapis_own_parser_follows_references(parser: Path, tmp_path: Path, catalog: Catalog) -> None:
    """A version with a schema of its own for one field, and a subscription, is a document like others."""
    file = tmp_path / "events.json"
    file.write_text(json.dumps(asyncapi(catalog)))
    found = parsed(parser, file)
    assert found["diagnostics"] == [LATER]
    assert [(row["id"], row["action"]) for row in found["operations"]] == [
        ("tax.send.tax.refund-approved.v1", "send"),
        ("tax.send.tax.refund-paid.v1", "send"),
        ("tax.audit.receive.tax.refund-paid.v1", "receive"),
    ]


def test_an_asyncapi_payload_judges_as_its_contract_does(catalog: Catalog) -> None:
    """In draft-07's words the same examples pass and fail."""
    document = asyncapi(catalog)
    payload = {**document["components"]["messages"]["tax.refund-paid-1.1"]["payload"]}
    validator = Draft07Validator({**payload, "components": document["components"]})
    event = {**catalogs.event(), "amount": 5}
    assert validator.is_valid(event)
    assert not validator.is_valid({**event, "amount": "5"})
    assert not validator.is_valid({**event, "payee": {}})


def test_each_payload_is_a_plain_reference_to_a_schema_with_a_name_of_its_own(catalog: Catalog) -> None:
    """Modelina and others name a class by the title, and make nothing of a payload in another form."""
    for document in (asyncapi(catalog), asyncapi(Catalog.open())):
        assert document["asyncapi"] == "3.0.0"
        schemas, titles = document["components"]["schemas"], []
        for message in document["components"]["messages"].values():
            assert list(message["payload"]) == ["$ref"]
            titles.append(schemas[message["payload"]["$ref"].removeprefix("#/components/schemas/")]["title"])
        assert len(set(titles)) == len(titles)


def test_what_becomes_a_class_within_a_message_has_a_title_of_its_own(root: Path) -> None:
    """By its way, also where a contract has given it one that another contract may give as well."""
    kinds = {
        "kind": {"enum": ["a", "b"]},
        "way": {"oneOf": [{"type": "object", "title": "Way"}, {"type": "string"}]},
        "extra": {"type": "object", "additionalProperties": {"type": "object", "title": "Way"}},
    }
    catalogs.edit(root, catalogs.SCHEMA, lambda schema: schema["properties"].update(kinds))
    catalogs.edit(root, f"{catalogs.APPROVED}/contract.yaml", lambda other: other.update(title="Refund due"))
    (schema,) = (
        found
        for name, found in asyncapi(Catalog.open(root))["components"]["schemas"].items()
        if name == "tax.refund-paid-1.0"
    )
    properties = schema["properties"]
    assert [properties[name]["title"] for name in kinds] == [
        "Refund paid kind", "Refund paid way", "Refund paid extra",
    ]  # fmt: skip
    assert properties["way"]["oneOf"] == [
        {"type": "object", "title": "Refund paid way oneOf 1"}, {"type": "string"},
    ]  # fmt: skip
    assert properties["extra"]["additionalProperties"]["title"] == "Refund paid extra additionalProperties"
    assert schema["definitions"]["payee"]["title"] == "Refund paid payee"
    assert "title" not in properties["reference"]
    titles = re.findall(r'"title": "([^"]*)"', json.dumps(asyncapi(Catalog.open())["components"]["schemas"]))
    assert len(set(titles)) == len(titles) > 100


def test_titles_that_would_name_one_class_are_told_apart(root: Path) -> None:
    """Of two events with one title a generator keeps one model: they have their names; parts have numbers."""
    part = {"type": "object"}
    catalogs.edit(
        root, catalogs.SCHEMA, lambda schema: schema["properties"].update({"way on": part, "Way-On": part})
    )
    schemas = asyncapi(Catalog.open(root))["components"]["schemas"]
    assert [found["title"] for found in schemas.values()] == ["Tax refund approved", "Tax refund paid"]
    properties = schemas["tax.refund-paid-1.0"]["properties"]
    assert properties["way on"]["title"] == "Tax refund paid way on"
    assert properties["Way-On"]["title"] == "Tax refund paid Way-On 2"


EXPRESSED: list[tuple[dict[str, Any], list[Any]]] = [
    (
        {"$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a", "maxLength": 1}}},
        [{"x": "ab"}, {"x": "a"}],
    ),
    ({"prefixItems": [{"type": "null"}], "items": {"type": "integer"}}, [[None, 1], [None, "a"], [1], []]),
    ({"prefixItems": [True], "items": False}, [[1], [1, 2]]),
    ({"dependentRequired": {"a": ["b"]}}, [{"a": 1}, {"a": 1, "b": 1}]),
    ({"dependentSchemas": {"a": {"required": ["b"]}}}, [{"a": 1}, {"a": 1, "b": 1}]),
    (
        {
            "properties": {
                "$ref": {"type": "integer"},
                "$id": {},
                "enum": {"enum": [{"$ref": "no reference"}]},
            }
        },
        [{"$ref": 1}, {"$ref": "a"}, {"enum": {"$ref": "no reference"}}, {"enum": 1}],
    ),
]


@pytest.mark.parametrize(("schema", "instances"), EXPRESSED)
def test_draft_07_says_the_same(schema: dict[str, Any], instances: list[Any]) -> None:
    """What draft-07 has words for means the same after rewriting."""
    old = as_draft_07({"$schema": DRAFT_2020_12, **schema}, lambda text: text.replace("$defs", "definitions"))
    assert [Draft202012Validator(schema).is_valid(instance) for instance in instances] == [
        Draft07Validator(old).is_valid(instance) for instance in instances
    ]


def test_draft_07_is_left_as_it_is() -> None:
    """Neighbours that a `$ref` hides in draft-07 do not come to light."""
    schema = {"$schema": DRAFT_07, "properties": {"a": {"$ref": "#/definitions/b", "maxLength": 1}}}
    assert as_draft_07(schema, str.upper) == {"properties": {"a": {"$ref": "#/DEFINITIONS/B"}}}


@pytest.mark.parametrize("inner", [{"$dynamicRef": "#x"}, {"$id": "https://example.org/inner"}])
def test_what_has_no_counterpart_is_told(inner: dict[str, Any]) -> None:
    """A schema that only its own document explains is not shown half."""
    with pytest.raises(InexpressibleError):
        as_draft_07({"$schema": DRAFT_2020_12, "properties": {"a": inner}}, str)


def odcs_validator() -> Draft201909Validator:
    """The standard's own schema."""
    text = importlib.resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8")
    return Draft201909Validator(json.loads(text))


def test_odcs_documents_keep_the_standards_schema(tmp_path: Path) -> None:
    """Each contract of the reference catalogue, as written to files."""
    words = ["export", "odcs", "--catalog", "reference", "-o", str(tmp_path / "odcs")]
    result = CliRunner().invoke(command, words)
    assert (result.exit_code, result.output) == (0, "")
    validator = odcs_validator()
    files = sorted((tmp_path / "odcs").iterdir())
    assert [file.name for file in files] == sorted(f"{name}.odcs.yaml" for name in odcs(Catalog.open()))
    for file in files:
        faults = [
            (error.json_path, error.message)
            for error in validator.iter_errors(yaml.safe_load(file.read_text("utf-8")))
        ]
        assert faults == []


def test_an_odcs_document_says_what_the_contract_says(catalog: Catalog) -> None:
    """Fields with class, bounds and necessity, who may read, how long it is kept."""
    document = odcs(catalog)["tax.refund-paid.v1"]
    assert list(odcs_validator().iter_errors(document)) == []
    (schema,) = document["schema"]
    fields = {field["name"]: field for field in schema["properties"]}
    assert list(fields) == ["reference", "payee", "amounts", "paid_on", "amount"]
    assert (fields["reference"]["required"], fields["reference"]["partitioned"]) == (True, True)
    assert fields["reference"]["logicalTypeOptions"] == {"minLength": 8, "maxLength": 64}
    assert (fields["paid_on"]["logicalType"], fields["paid_on"]["required"]) == ("date", False)
    assert fields["amount"]["logicalType"] == "integer"
    (name,) = fields["payee"]["properties"]
    assert (name["required"], name["classification"], name["tags"]) == (True, "personal", ["name"])
    (cents,) = fields["amounts"]["items"]["properties"]
    assert (cents["name"], cents["tags"]) == ("cents", ["finance"])
    items = fields["amounts"]["items"]
    assert (items["name"], items["required"]) == ("amounts_item", True)
    assert document["slaProperties"] == [{"property": "retention", "value": 30.0, "unit": "d"}]
    assert [role["role"] for role in document["roles"]] == ["tax.audit"]


def test_odcs_names_are_names_that_code_may_have(root: Path) -> None:
    """Event and fields, each once; on the wire stands the physical name, where that is another."""
    names_there = ("first-name", "first.name", "2nd", "plain", "a b", "a_b")
    own = {name: {"type": "string"} for name in names_there}
    catalogs.edit(root, catalogs.SCHEMA, lambda schema: schema["properties"].update(own))
    (schema,) = odcs(Catalog.open(root))["tax.refund-paid.v1"]["schema"]
    assert (schema["name"], schema["physicalName"]) == ("refund_paid", "tax.refund-paid.v1")
    names = {field["name"]: field.get("physicalName") for field in schema["properties"]}
    assert {name: text for name, text in names.items() if text or name in own} == {
        "first_name": "first-name", "first_name_2": "first.name", "_2nd": "2nd", "plain": None,
        "a_b_2": "a b", "a_b": None,
    }  # fmt: skip


def test_a_schema_that_contains_itself_ends(root: Path) -> None:
    """Fields within fields are shown to a depth."""
    catalogs.edit(root, catalogs.SCHEMA, lambda schema: schema["$defs"]["payee"]["properties"].update(
        {"agent": {"$ref": "#/$defs/payee"}}
    ))  # fmt: skip
    document = odcs(Catalog.open(root))["tax.refund-paid.v1"]
    assert list(odcs_validator().iter_errors(document)) == []


def test_event_types_are_listed_by_agency(catalog: Catalog) -> None:
    """Type, source, data schema, title and owner of each."""
    messages = cloudevents(catalog)["messagegroups"]["tax"]["messages"]
    assert list(messages) == ["tax.refund-approved.v1", "tax.refund-paid.v1"]
    paid = messages["tax.refund-paid.v1"]
    assert {name: row["value"] for name, row in paid["envelopemetadata"].items()} == {
        "specversion": "1.0",
        "type": "tax.refund-paid.v1",
        "source": "urn:govbus:tax:{system}",
        "dataschema": "urn:govbus:contract:tax.refund-paid:1.1",
        "dataclassification": "personal",
    }
    assert (paid["name"], paid["owner"]) == ("Refund paid", "Refunds Unit")
    assert paid["versions"] == ["1.0", "1.1"]


@pytest.mark.parametrize("path", ["$.payee['name']", '$["payee"].name', r'$["p\u0061yee"]["name"]'])
def test_a_personal_field_is_marked_however_its_path_is_quoted(root: Path, path: str) -> None:
    """Both quotes and escapes of a path mark the same field as personal."""
    catalogs.edit(root, catalogs.CONTRACT, lambda contract: contract.update(personal_fields={path: "name"}))
    properties = odcs(Catalog.open(root))["tax.refund-paid.v1"]["schema"][0]["properties"]
    payee = next(field for field in properties if field["name"] == "payee")
    assert payee["properties"][0]["tags"] == ["name"]


@pytest.mark.parametrize("form", ["asyncapi", "odcs", "cloudevents"])
def test_an_export_goes_to_stdout(form: str) -> None:
    """Without a file, the documents are printed whole, and nothing else."""
    result = CliRunner().invoke(command, ["export", form])
    assert result.exit_code == 0
    documents = list(yaml.safe_load_all(result.stdout))
    assert len(documents) == (len(odcs(Catalog.open())) if form == "odcs" else 1)
