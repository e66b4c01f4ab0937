"""Typed models of an event's data: named, of the granted fields alone, and of what programs can publish."""

from __future__ import annotations

import json
import sys
import types
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import BaseModel, ValidationError

import contracts
from contracts import Catalog, ContractVersion, SubscriptionGrant
from contracts.cli import contracts as command
from contracts.paths import parse_path
from contracts.publish.exports.models import model_schema, python_models
from tests.unit.contracts.catalogs import SCHEMA, edit, rehash, write
from tests.unit.contracts.histories import publish, subscribe

EVENT = "tax.refund-paid"
_NUMBERS = count(1)


def models(code: str) -> dict[str, type[BaseModel]]:
    """The models of a module, by name; the last is that of the event."""
    module = types.ModuleType(f"generated_{next(_NUMBERS)}")
    sys.modules[module.__name__] = module  # pydantic looks types up there
    exec(compile(code, module.__name__, "exec"), module.__dict__)
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__
    }


def of_event(version: ContractVersion, fields: tuple[str, ...] = ("$",)) -> type[BaseModel]:
    """The model of a version's data."""
    return list(models(python_models(model_schema(version, fields), "# a test")).values())[-1]


def said(root: Path, *words: str) -> str:
    """What `govbus contracts models` writes."""
    result = CliRunner().invoke(command, ["models", *words, "--catalog", str(root)])
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(root: Path, *words: str) -> str:
    """Why it writes nothing, in one line."""
    result = CliRunner().invoke(command, ["models", *words, "--catalog", str(root)])
    assert result.exit_code != 0
    assert result.stdout == ""
    return " ".join(result.stderr.split())


def names(model: type[BaseModel]) -> set[str]:
    """The names of a model's fields in JSON."""
    return {field.alias or name for name, field in model.model_fields.items()}


VERSIONS = [
    contract.versions[-1]
    for contract in sorted(Catalog.open().contracts.values(), key=lambda one: one.subject)
]


@pytest.mark.parametrize("version", VERSIONS[::9], ids=lambda version: version.contract.subject)
def test_a_model_takes_the_examples_of_its_event_and_gives_them_back(version: ContractVersion) -> None:
    """Field by field, as JSON."""
    agency, event = version.contract.subject.split(".")
    folder = Path(contracts.__file__).parent / "agencies" / agency / event / "examples"
    model = of_event(version)
    examples = [json.loads(file.read_text("utf-8")) for file in folder.glob(f"v{version.major}/valid/*.json")]
    taken = [each for each in examples if version.is_valid(each)]
    assert taken
    for example in taken:
        back = json.loads(model.model_validate(example).model_dump_json(by_alias=True, exclude_unset=True))
        assert back == example


GRANTS = [grant for _, grant in sorted(Catalog.open().subscriptions.items()) if "$" not in grant.fields]


@pytest.mark.parametrize("grant", GRANTS[::9], ids=lambda grant: f"{grant.consumer}.{grant.name}")
def test_a_model_of_a_subscription_has_the_granted_fields_alone(grant: SubscriptionGrant) -> None:
    """At the top; `test_only_the_granted_fields_of_a_part` has those below."""
    model = of_event(Catalog.open().by_type(grant.topic), grant.fields)
    assert names(model) == {str(parse_path(path)[0]) for path in grant.fields}


def test_only_the_granted_fields_of_a_part(root: Path) -> None:
    """Of an object behind a reference, and of the items of an array."""
    write(root, SCHEMA, SPREAD)
    rehash(root)
    subscribe(root, "treasury", ["$.reference", "$.home.lines", "$.steps[*].at"])
    made = models(said(root, EVENT, "--subscription", "treasury"))
    assert {name: names(model) for name, model in made.items()} == {
        "RefundPaidHome": {"lines"}, "RefundPaidStepsItem": {"at"},
        "RefundPaid": {"reference", "home", "steps"},
    }  # fmt: skip


def test_each_part_has_a_name_of_its_own(root: Path) -> None:
    """Of the event and the place; what nothing refers to is left out."""
    write(root, SCHEMA, SPREAD)
    rehash(root)
    made = models(said(root, EVENT))
    assert list(made)[-1] == "RefundPaid"
    assert set(made) == {"RefundPaid", "RefundPaidAddress", "RefundPaidStepsItem"}
    assert names(made["RefundPaid"]) == set(SPREAD["properties"])


def test_names_and_formats_that_python_lacks_are_kept(root: Path) -> None:
    """A field called `class`, a hyphen, an address of the web as its text."""
    write(root, SCHEMA, SPREAD)
    rehash(root)
    (*_, model) = models(said(root, EVENT)).values()
    data = {"reference": "r-1", "class": "a", "paid-on": "2026-02-28", "page": "https://a.example"}
    read = model.model_validate(data)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == data
    assert (read.class_, str(read.paid_on)) == ("a", "2026-02-28")  # type: ignore[attr-defined] # generated
    with pytest.raises(ValidationError):
        model.model_validate({**data, "paid-on": "28 February"})


def test_a_field_of_a_newer_minor_version_is_ignored(root: Path) -> None:
    """As the reader's schema has it, though the contract is closed to writers."""
    edit(root, SCHEMA, lambda schema: schema.update(additionalProperties=False))
    model = of_event(Catalog.open(root).contract(EVENT).version())
    example = {**json.loads((root / "agencies/tax/refund-paid/examples/v1/valid/paid.json").read_text())}
    assert model.model_validate({**example, "later": 1}).model_extra is None


SPREAD: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:govbus:contract:tax.refund-paid:1.0",
    "title": "Refund paid",
    "type": "object",
    "required": ["reference"],
    "properties": {
        "reference": {"type": "string", "maxLength": 20, "description": "One."},
        "class": {"type": "string", "enum": ["a", "b"]},
        "paid-on": {"type": "string", "format": "date", "maxLength": 10},
        "page": {"type": "string", "format": "uri", "maxLength": 100},
        "home": {"$ref": "#/$defs/address", "description": "Where."},
        "work": {"$ref": "#/$defs/address"},
        "steps": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"at": {"type": "string", "format": "date-time"}, "by": {"type": "string"}},
            },
        },
        "words": {
            "type": "array",
            "maxItems": 3,
            "items": {"type": "string", "minLength": 1, "maxLength": 9},
        },
    },
    "$defs": {
        "address": {
            "type": "object",
            "properties": {"lines": {"type": "array", "items": {"type": "string"}}},
        },
        "unused": {"type": "object", "properties": {"secret": {"type": "string"}}},
    },
}


def test_a_subscription_is_found_by_its_agency_and_name(root: Path) -> None:
    """Its fields, of the version that it reads; and what it is for stands above."""
    subscribe(root, "treasury", ["$.reference"])
    text = said(root, EVENT, "--subscription", "treasury")
    (model,) = models(text).values()
    assert names(model) == {"reference"}
    assert text.splitlines()[0].startswith("# tax.refund-paid 1.0, as granted to treasury for ")
    assert text == said(root, EVENT, "--subscription", "treasury.ledger")
    for wrong in ("treasury.other", "education"):
        assert "there are `treasury.ledger` - at --subscription" in refused(
            root, EVENT, "--subscription", wrong
        )


def test_a_major_version_may_be_named(root: Path, tmp_path: Path) -> None:
    """Otherwise it is the latest one; a file instead of stdout."""
    publish(root, "2.0", lambda schema: schema["properties"].pop("payee", None))
    assert said(root, EVENT).startswith("# tax.refund-paid 2.0.\n")
    assert said(root, f"{EVENT}.v1", "-o", str(tmp_path / "models.py")) == ""
    assert (tmp_path / "models.py").read_text("utf-8").startswith("# tax.refund-paid 1.0.\n")


def test_a_generator_that_is_missing_is_named_with_its_remedy(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package of Python, a program for TypeScript."""
    monkeypatch.setitem(sys.modules, "datamodel_code_generator", None)
    assert 'python -m pip install "govbus[models]"' in refused(root, EVENT)
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(root)
    assert "npm install --save-dev json-schema-to-typescript" in refused(
        root, EVENT, "--language", "typescript"
    )
