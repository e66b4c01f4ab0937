"""Contracts in the Open Data Contract Standard 3.1, one document for each major version. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, count
from typing import Any, Final

from contracts.catalog import Catalog
from contracts.contract import Contract, ContractVersion
from contracts.paths import EVERY, Step, parse_path
from contracts.schema.fields import is_required, schemas_at, types_of
from contracts.schema.references import Subschema

_DEEPEST: Final = 8
_TYPES: Final = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}
_TIMES: Final = {"date": "date", "date-time": "timestamp", "time": "time"}
_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": ("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
    "number": ("multipleOf", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"),
    "array": ("minItems", "maxItems", "uniqueItems"),
}


def odcs(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """All contracts of the catalogue by type, each in the latest minor version of its major version."""
    found = {}
    for subject in sorted(catalog.contracts):
        contract = catalog.contracts[subject]
        for major in sorted({version.major for version in contract.versions}):
            version = contract.version(major)
            found[version.type] = _document(catalog, contract, version)
    return found


def _document(catalog: Catalog, contract: Contract, version: ContractVersion) -> dict[str, Any]:
    return {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": version.dataschema.rpartition(":")[0] + f":v{version.major}",
        "name": contract.title,
        "version": f"{version.number}.0",
        "status": "deprecated" if version.deprecated else "active",
        "domain": contract.agency,
        "tags": [contract.agency, contract.classification],
        "description": {"purpose": contract.description, **_limits(contract)},
        "schema": [_object(contract, version)],
        "team": {"name": contract.owner or contract.agency},
        "support": [{"channel": contract.contact, "tool": "email" if "@" in contract.contact else "other"}],
        "roles": list(_roles(catalog, version)),
        "slaProperties": [{"property": "retention", "value": contract.retention_days, "unit": "d"}],
        "customProperties": list(_custom(contract, version)),
    }


def _limits(contract: Contract) -> dict[str, str]:
    return {"limitations": f"Legal basis: {contract.legal_basis}"} if contract.legal_basis else {}


def _roles(catalog: Catalog, version: ContractVersion) -> Iterator[dict[str, Any]]:
    for _, subscription in sorted(catalog.subscriptions.items()):
        if subscription.topic == version.type:
            role = {
                "role": f"{subscription.consumer}.{subscription.name}",
                "access": "read",
                "description": "; ".join(filter(None, (subscription.purpose, subscription.legal_basis))),
            }
            approver = {"firstLevelApprovers": subscription.approved_by} if subscription.approved_by else {}
            yield {**role, **approver}


def _custom(contract: Contract, version: ContractVersion) -> Iterator[dict[str, Any]]:
    values = {
        "dataschema": version.dataschema,
        "classification": contract.classification,
        "compatibility": contract.compatibility,
        "legalBasis": contract.legal_basis,
        "maxBytes": contract.max_bytes,
        "partitionKey": contract.key.path,
        "schemaSha256": version.sha256,
    }
    yield from ({"property": name, "value": value} for name, value in values.items() if value is not None)


def _object(contract: Contract, version: ContractVersion) -> dict[str, Any]:
    root = version.root
    return {
        "name": _word(contract.event),
        "physicalName": version.type,
        "physicalType": "topic",
        "logicalType": "object",
        "businessName": contract.title,
        "description": contract.description,
        "properties": _properties(contract, root, ()),
    }


def _properties(contract: Contract, root: Subschema, steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    if len(steps) >= _DEEPEST:
        return []
    schemas = schemas_at(root, steps)
    above = {id(here.schema) for length in range(len(steps)) for here in schemas_at(root, steps[:length])}
    names = dict.fromkeys(
        name
        for here in schemas
        if id(here.schema) not in above  # a schema that contains itself is shown once
        for name in here.schema.get("properties", {})
    )
    return [{**named, **_element(contract, root, (*steps, name))} for name, named in _named(names).items()]


def _named(names: Collection[str]) -> dict[str, dict[str, str]]:
    """Return for each name one of its own that code may have, and the one of the JSON if that is another."""
    found: dict[str, dict[str, str]] = {}
    taken = set(names)
    for name in filter(None, names):
        word = _word(name)
        if word != name:
            further = (f"{word}_{number}" for number in count(2))
            word = next(each for each in chain((word,), further) if each not in taken)
            taken.add(word)
        found[name] = {"name": word} if word == name else {"name": word, "physicalName": name}
    return found


def _word(name: str) -> str:
    word = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{word}" if word[0].isdigit() else word


def _element(contract: Contract, root: Subschema, steps: tuple[Step, ...]) -> dict[str, Any]:
    schemas = schemas_at(root, steps)
    kinds = sorted(types_of(schemas) - {"null"})
    found: dict[str, Any] = {"physicalType": " or ".join(kinds) or "any", **_words(schemas)}
    found["required"] = is_required(root, steps) and "null" not in types_of(schemas)
    if category := _category(contract, steps):
        found |= {"classification": "personal", "tags": [category]}
    if steps == parse_path(contract.key.path):
        found |= {"partitioned": True, "partitionKeyPosition": 1}
    if len(kinds) != 1:
        return found
    if kinds[0] == "object":
        return {**found, "logicalType": "object", "properties": _properties(contract, root, steps)}
    if kinds[0] == "array":
        items = _items(contract, root, steps) if len(steps) < _DEEPEST else {}
        return {
            **found,
            "logicalType": "array",
            **_options("array", schemas),
            **({"items": items} if items else {}),
        }
    format_ = next((here.schema["format"] for here in schemas if "format" in here.schema), "")
    if kinds[0] == "string" and format_ in _TIMES:
        return {**found, "logicalType": _TIMES[format_]}
    return {**found, "logicalType": _TYPES[kinds[0]], **_options(kinds[0], schemas)}


def _items(contract: Contract, root: Subschema, steps: tuple[Step, ...]) -> dict[str, Any]:
    """Return what a list holds, with the name that generators give it, and whether none of it is null."""
    each = (*steps, EVERY)
    named = next(step for step in reversed(steps) if step != EVERY)
    kinds = types_of(schemas_at(root, each))
    required = bool(kinds) and "null" not in kinds
    return {"name": f"{_word(str(named))}_item", **_element(contract, root, each), "required": required}


def _words(schemas: list[Subschema]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for here in schemas:
        for theirs, ours in (("title", "businessName"), ("description", "description")):
            if isinstance(here.schema.get(theirs), str):
                found.setdefault(ours, here.schema[theirs])
        if isinstance(examples := here.schema.get("examples"), list) and examples:
            found.setdefault("examples", examples)
        if here.schema.get("deprecated") is True:
            found["deprecated"] = True
    return found


def _options(kind: str, schemas: list[Subschema]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for here in schemas:
        options |= {word: here.schema[word] for word in _OPTIONS.get(kind, ()) if word in here.schema}
    return {"logicalTypeOptions": options} if options else {}


def _category(contract: Contract, steps: tuple[Step, ...]) -> str | None:
    """The category of a personal field: its own, or that of an enclosing field."""
    personal = {parse_path(path): category for path, category in contract.personal_fields.items()}
    return next(
        (personal[steps[:length]] for length in range(len(steps), 0, -1) if steps[:length] in personal), None
    )
