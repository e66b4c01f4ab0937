"""The JSON Schemas for editors take what the readers take, and refuse what they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from jsonschema import Draft7Validator

import contracts
from connectors.configuration.config_reader import load
from connectors.configuration.schemas import connector_schema
from contracts import Document, catalog_schemas, read_yaml_documents
from contracts.commands.schemas import schemas as command
from contracts.documents.loading import load as load_catalog
from contracts.json_schemas import DOCUMENTS
from contracts.lint.config import read_config
from tests.unit.contracts.catalogs import AGENCY, APPROVED, CONTRACT, SERVICE, edit, sound

CATALOG = Path(contracts.__file__).parent
README = (CATALOG / "README.md").read_text("utf-8")
PLACES = {kind: place for kind, (place, _) in DOCUMENTS.items()}
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sound catalogue on disk."""
    return sound(tmp_path / "catalog")


@pytest.fixture(scope="module")
def validators() -> dict[str, Draft7Validator]:
    """A validator of each kind; each schema is one of its dialect."""
    found = {**catalog_schemas(), "connector": connector_schema()}
    for schema in found.values():
        Draft7Validator.check_schema(schema)
    return {kind: Draft7Validator(schema) for kind, schema in found.items()}


def values(file: Path) -> Iterator[Any]:
    """What the YAML documents of a file say."""
    for document in read_yaml_documents(file.read_bytes(), str(file)):
        assert isinstance(document, Document)
        yield document.value


def faults(validator: Draft7Validator, value: Any) -> list[str]:
    """What a schema says of a value."""
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def test_each_document_of_the_reference_catalogue_fits(validators: dict[str, Draft7Validator]) -> None:
    """All kinds that it has, found where the page says they are."""
    counts = {}
    for kind, place in PLACES.items():
        files = sorted(CATALOG.glob(place))
        counts[kind] = len(files)
        for file in files:
            for value in values(file):
                assert faults(validators[kind], value) == [], file
    assert {kind for kind, count in counts.items() if not count} <= {"cluster", "waivers"}
    assert counts["contract"] > 80


def test_each_connector_of_the_demo_and_the_manuals_fits(validators: dict[str, Draft7Validator]) -> None:
    """Also with values from the environment."""
    demo = sorted((CATALOG.parent / "connectors" / "demo").glob("*/*.yaml"))
    assert len(demo) > 10
    for file in demo:
        for value in values(file):
            assert faults(validators["connector"], value) == [], file
    manual = (CATALOG.parent / "connectors" / "README.md").read_text("utf-8")
    for text in re.findall(r"^```yaml\n(connector:.*?)^```$", manual, re.MULTILINE | re.DOTALL):
        for document in read_yaml_documents(text.encode(), "README.md"):
            assert isinstance(document, Document)
            assert faults(validators["connector"], document.value) == []


MISTAKES: list[tuple[str, str, Change]] = [
    ("agency", AGENCY, lambda value: value.pop("contact")),
    ("agency", AGENCY, lambda value: value.update(level="galactic")),
    ("agency", AGENCY, lambda value: value.update(name="Tax Office")),
    ("agency", AGENCY, lambda value: value.update(systems=[{"name": "ledger"}])),
    ("contract", CONTRACT, lambda value: value.update(subjekt="tax.refund-paid")),
    ("contract", CONTRACT, lambda value: value.update(subject="refund-paid")),
    ("contract", CONTRACT, lambda value: value.update(classification="secret")),
    ("contract", CONTRACT, lambda value: value.update(compatibility="BACKWARDS")),
    ("contract", CONTRACT, lambda value: value.update(retention="30 days")),
    ("contract", CONTRACT, lambda value: value.update(partitions="3")),
    ("contract", CONTRACT, lambda value: value.update(partitions=0)),
    ("contract", CONTRACT, lambda value: value.update(max_bytes=2_000_000)),
    ("contract", CONTRACT, lambda value: value.update(personal_fields={"$.payee.name": "secret"})),
    ("contract", CONTRACT, lambda value: value.update(personal_fields={"payee.name": "name"})),
    ("contract", CONTRACT, lambda value: value.update(key={"path": "reference"})),
    ("contract", CONTRACT, lambda value: value.update(versions=[])),
    ("contract", CONTRACT, lambda value: value["versions"][0].update(number=1.0)),
    ("contract", CONTRACT, lambda value: value["versions"][0].update(number="1")),
    ("contract", CONTRACT, lambda value: value["versions"][0].update(sunset="soon")),
    ("contract", CONTRACT, lambda value: value["versions"][0].update(upcast={"of": "1.0", "file": "x"})),
    ("service", SERVICE, lambda value: value.update(channels=["fax"])),
    ("service", SERVICE, lambda value: value.update(ends=[])),
    ("service", SERVICE, lambda value: value.update(deadline="P1M")),
    ("service", SERVICE, lambda value: value.pop("start")),
]


@pytest.mark.parametrize(("kind", "file", "change"), MISTAKES)
def test_a_mistake_is_refused_by_reader_and_schema(
    root: Path, validators: dict[str, Draft7Validator], kind: str, file: str, change: Change
) -> None:
    """What the loader calls a fault of structure, an editor underlines; the sound document fits."""
    (value,) = values(root / file)
    assert faults(validators[kind], value) == []
    broken = deepcopy(value)
    change(broken)
    assert faults(validators[kind], broken) != []
    edit(root, file, change)
    assert "document-structure" in {finding.code for finding in load_catalog(root).findings}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("subscription", {"subject": "tax.refund-paid", "version": "1", "purpose": "ledger"}),
        ("subscription", {"subject": "tax.refund-paid", "version": 1, "purpose": "ledger", "fields": ["x"]}),
        ("subscription", {"subject": "tax.refund-paid", "version": 1, "purpose": "x", "expires": "tomorrow"}),
        ("cluster", {"replication_factor": 99}),
        ("cluster", {"spared_principals": ["backup"]}),
        ("catalog", {"lint": {"use": "ALL"}}),
        ("catalog", {"lints": {}}),
        ("catalog", {"services": {"target": 101}}),
        ("catalog", {"services": {"categories": ["court"]}}),
        ("catalog", {"services": {"categories": {}}}),
        ("waivers", [{"fingerprint": "7", "rule": "X", "expires": "2027-01-01"}]),
        ("waivers", {"fingerprint": "7f1c0a9be24d5310"}),
    ],
)
def test_a_mistake_in_the_other_documents_is_refused(
    validators: dict[str, Draft7Validator], kind: str, value: Any
) -> None:
    """By the schema, and by what reads them."""
    assert faults(validators[kind], value) != []
    with pytest.raises(ValueError, match="validation error"):
        DOCUMENTS[kind][1].validate_python(value)


SINK = {
    "connector": "http",
    "name": "office",
    "agency": "tax",
    "sink": {"url": "https://office.example/refunds"},
    "subscribe": {"event": "tax.refund-paid", "version": 1, "purpose": "ledger"},
    "write": {
        "a": "$.data.reference",
        "c": "${ENV:OFFICE}",
        "d": "$$5",
        "e": "$",
        "f": None,
        "b": [1, {"from": "$.data.fee", "as": ["decimal"], "digits": 2}],
    },
}


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(connector="htp"),
        lambda value: value.pop("subscribe"),
        lambda value: value.update(source={}),
        lambda value: value["sink"].update(metod="POST"),
        lambda value: value["sink"].update(method="GET"),
        lambda value: value["sink"].update(timeout_seconds=0),
        lambda value: value["subscribe"].update(version="1"),
        lambda value: value["subscribe"].pop("purpose"),
        lambda value: value.update(name="Our office"),
        lambda value: value["write"].update(a={"from": "$.x", "as": "dat"}),
        lambda value: value["write"].update(a={"from": "$.x", "form": "%Y"}),
        lambda value: value["write"].update(a={"from": "x"}),
        lambda value: value["write"].update(a="$x"),
        lambda value: value["write"]["b"].append({"from": "$.x", "as": "pad", "length": 0}),
        lambda value: value["write"].update(a={"from": "$.x", "optional": "yes"}),
    ],
)
def test_a_mistake_in_a_connector_is_refused(
    tmp_path: Path, validators: dict[str, Draft7Validator], change: Change
) -> None:
    """By the schema, and by `connect check`."""
    assert faults(validators["connector"], SINK) == []
    broken = deepcopy(SINK)
    change(broken)
    assert faults(validators["connector"], broken) != []
    file = tmp_path / "office.yaml"
    for value, is_sound in ((SINK, True), (broken, False)):
        file.write_text(json.dumps(value))
        assert (load([file], {"OFFICE": "7"})[1] == []) is is_sound


def test_every_field_explains_itself() -> None:
    """An editor shows what a field is for, in each document that people write."""
    for kind in ("agency", "cluster", "contract", "service", "subscription"):
        schema = catalog_schemas()[kind]
        for model in (schema, *schema.get("$defs", {}).values()):
            silent = [name for name, field in model["properties"].items() if "description" not in field]
            assert silent == [], kind


def test_the_command_writes_what_the_page_names(tmp_path: Path) -> None:
    """The settings and the line of an editor lead to files that are there, for the right documents."""
    folder = tmp_path / ".schemas"
    for _ in range(2):  # again over its own files
        assert CliRunner().invoke(command, ["-o", str(folder)]).exit_code == 0
    shown = re.findall(r"`\.vscode/settings\.json`:\n\n```json\n(.*?)```", README, re.DOTALL)[0]
    named = json.loads(shown)["yaml.schemas"]
    assert {f".schemas/{file.name}" for file in folder.iterdir()} == named.keys()
    assert {file: place for file, place in named.items() if "connector" not in file} == {
        f".schemas/{kind}.schema.json": place for kind, place in PLACES.items()
    }
    (line,) = re.findall(r"\$schema=(\S+)", README)
    assert (tmp_path / "agencies/tax/refund-paid" / line).resolve() == folder / "contract.schema.json"


def test_the_schema_of_settings_names_rules_freely(
    root: Path, validators: dict[str, Draft7Validator]
) -> None:
    """`catalog.yaml` is read by lint, which knows the rules; the schema knows the fields."""
    settings = {"lint": {"use": "BASIC", "except": ["event-used"], "ignore": {"owner-present": [APPROVED]}}}
    (root / "catalog.yaml").write_text(json.dumps(settings))
    assert faults(validators["catalog"], settings) == []
    assert read_config(root, {})[1] == ()
