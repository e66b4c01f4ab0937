"""Creates the documents of a new agency or event, by path.

Facts that a person must add are marked `fill in`, and lint reports them until they are there.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, Final

from contracts import names
from contracts.contract import ContractVersion
from contracts.documents.document import MAX_JSON_BYTES
from contracts.documents.formatting import format_json
from contracts.documents.rules import TOO_LARGE
from contracts.errors import CatalogError, ContractError
from contracts.finding import Place
from contracts.imports.sources import ImportedSchema
from contracts.lint.rules.schemas import check_draft
from contracts.paths import render_path
from contracts.schema.dialect import DRAFT_2020_12
from contracts.schema.fields import is_required, schemas_at, types_of
from contracts.schema.generated_data import instances

_KEYS: Final = ("reference", "id", "key", "number")


def starter_schema() -> ImportedSchema:
    """The schema of an event created without a source: only its key."""
    reference = {
        "type": "string",
        "description": "Opaque reference of the case. Identifies nobody.",
        "minLength": 8,
        "maxLength": 64,
        "pattern": "^[A-Za-z0-9-]+$",
        "examples": ["CASE-000001"],
    }
    schema = {
        "$schema": DRAFT_2020_12,
        "type": "object",
        "properties": {"reference": reference},
        "required": ["reference"],
    }
    return ImportedSchema(schema, ({"reference": "CASE-000001"},))


def agency_documents(name: str) -> dict[str, str]:
    """The document of a new agency.

    Raises:
        ContractError: The name is not allowed.
    """
    if not names.is_name(name) or names.is_reserved_agency(name):
        raise ContractError("Expected a name of lower-case words joined by `-`, such as `land-registry`")
    return {f"agencies/{name}/agency.yaml": _AGENCY.format(name=name, title=_title(name))}


_AGENCY: Final = """\
name: {name}
title: {title}
level: national # or regional, local
contact: '' # fill in: an e-mail address, a telephone number or a web address
"""

_CONTRACT: Final = """\
subject: {subject}
title: {title}
description: {title}. # fill in: what has happened, and whom it affects
owner: '' # fill in: the responsible office
contact: '' # fill in: how to contact it
# fill in: `personal` is the safe default. List the personal fields in `personal_fields`, the law in
# `legal_basis`, the class of all other fields in `other_fields`; or use `sensitive`, `internal` or `public`.
classification: personal
retention: P30D
key:
  path: {key}
versions:
  - number: '1.0'
    file: v1.0.json
"""


def event_documents(subject: str, draft: ImportedSchema) -> dict[str, str]:
    """The documents of a new event: contract, schema, one valid and one invalid example.

    Raises:
        ContractError: The subject is not allowed, or the schema does not describe an object.
    """
    if not names.is_subject(subject) or subject.partition(".")[2] in names.RESERVED_EVENTS:
        raise ContractError("Expected `<agency>.<event>` in lower-case words joined by `-`")
    agency, _, event = subject.partition(".")
    folder = f"agencies/{agency}/{event}"
    body = {word: value for word, value in draft.schema.items() if word not in ("$schema", "$id", "title")}
    schema = {
        "$schema": draft.schema["$schema"],
        "$id": names.data_schema(subject, "1.0"),
        "title": draft.schema.get("title", _title(event)),
        **body,
    }
    version = ContractVersion(1, 0, schema, "", content_model="tolerant")
    if faults := list(check_draft(version, draft.file)):
        raise CatalogError(faults)
    text = _json(schema, is_schema=True)
    if (size := len(text.encode())) > MAX_JSON_BYTES:
        what = f"a schema of {size:,} bytes - take a part of the document, such as `FILE#/definitions/NAME`"
        raise CatalogError([TOO_LARGE.at(Place(draft.file), what)])
    valid = _valid(version, draft)
    name, broken = _broken(version, valid)
    return {
        f"{folder}/contract.yaml": _CONTRACT.format(
            subject=subject, title=_title(event), key=_quoted(render_path((_key_of(version),)))
        ),
        f"{folder}/v1.0.json": text,
        f"{folder}/examples/v1/valid/example.json": _json(valid),
        f"{folder}/examples/v1/invalid/{name}.json": _json(broken),
    }


def _valid(version: ContractVersion, draft: ImportedSchema) -> dict[str, Any]:
    """The first sample; without one, minimal valid data with examples from the schema."""
    if draft.samples:
        return dict(draft.samples[0])
    found = next(instances(version.schema, {}, version.is_valid, seed=1), None)
    if not isinstance(found, dict):
        raise ContractError("Expected a schema of an object, but no valid object could be generated")
    for name, node in version.schema.get("properties", {}).items():
        examples = node.get("examples") if isinstance(node, dict) else None
        if isinstance(examples, list) and examples and version.is_valid({**found, name: examples[0]}):
            found[name] = examples[0]
    return found


def _json(value: Any, *, is_schema: bool = False) -> str:
    return format_json(json.dumps(value, ensure_ascii=False), is_schema=is_schema)


def _quoted(path: str) -> str:
    return path if path.replace(".", "").replace("$", "").isidentifier() else json.dumps(path)


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _key_of(version: ContractVersion) -> str:
    """The required property that looks most like a key; a name to add when there is none."""
    root = version.root
    known = dict.fromkeys(name for here in schemas_at(root, ()) for name in here.schema.get("properties", {}))
    fit = [
        name
        for name in known
        if is_required(root, (name,)) and types_of(schemas_at(root, (name,))) in ({"string"}, {"integer"})
    ]
    return min(
        fit, key=lambda name: (name not in _KEYS, not name.endswith(_KEYS), fit.index(name)), default=_KEYS[0]
    )


def _broken(version: ContractVersion, valid: dict[str, Any]) -> tuple[str, Any]:
    for name in valid:
        without = deepcopy(valid)
        del without[name]
        if not version.is_valid(without):
            return "incomplete", without
    return "not-an-object", []
