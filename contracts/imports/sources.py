"""Imports a schema from a file: a JSON Schema, sample data, or a part of an OpenAPI or AsyncAPI document.

Nothing is fetched: a `$ref` to another file is refused. Older drafts become 2020-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from contracts.documents.document import read_json, read_yaml
from contracts.errors import ContractError
from contracts.imports.bundles import bundled
from contracts.imports.samples import inferred
from contracts.paths import pointer, pointer_names
from contracts.schema.dialect import DIALECTS, DRAFT_2020_12, DRAFTS
from contracts.schema.walk import subschemas

_PARTS: Final = ("components/schemas", "components/messages", "definitions")
_SHOWN: Final = 20
_DRAFT_OF_OPENAPI: Final = {"3.0": 4}
MAX_BYTES: Final = 16_777_216
"""Largest JSON document that a schema is taken from; the schema itself has the limit of a catalogue."""


@dataclass(frozen=True, slots=True)
class ImportedSchema:
    """A schema read from a file.

    Attributes:
        schema: The complete schema.
        samples: Sample data that matches it; empty unless the file contains data.
        file: The file.
    """

    schema: dict[str, Any]
    samples: tuple[Any, ...] = ()
    file: str = "schema"


def import_schema(source: str) -> ImportedSchema:
    """Read a schema from a path, followed by `#` and a JSON pointer for a part of a document.

    Raises:
        ContractError: The file cannot be read, or contains no schema and no data.
    """
    name, _, part = source.partition("#")
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        value = read_yaml(path.parent, path.name).value
    else:
        value = read_json(path.parent, path.name, limit=MAX_BYTES).value
    if isinstance(value, dict) and ("openapi" in value or "asyncapi" in value or part):
        return ImportedSchema(_part(value, part or _only_part(value)), file=name)
    if isinstance(value, dict) and ("$schema" in value or _looks_like_schema(value)):
        return ImportedSchema(_whole(value), file=name)
    samples = value if isinstance(value, list) else [value]
    if not samples or not all(isinstance(sample, dict) and sample for sample in samples):
        raise ContractError("Expected a schema, an object of sample data, or a list of them")
    return ImportedSchema({"$schema": DRAFT_2020_12, **inferred(samples)}, tuple(samples), name)


def _whole(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as it is where a contract may have it; of another draft, or with URIs, as one of 2020-12."""
    uri = str(schema.get("$schema", DRAFT_2020_12)).removesuffix("#")
    plain = {"$schema": DRAFT_2020_12, **schema}
    refers = (str(node["$ref"]) for _, node in subschemas(schema) if "$ref" in node)
    if uri not in DRAFTS or (uri in DIALECTS and all(target.startswith("#") for target in refers)):
        return plain
    try:
        return bundled(schema, schema, DRAFTS[uri])
    except ContractError:
        if uri in DIALECTS:
            return plain  # `reference-resolves` says more about it
        raise


def _looks_like_schema(value: Mapping[str, Any]) -> bool:
    return value.get("type") == "object" and isinstance(value.get("properties"), dict)


def _only_part(document: Mapping[str, Any]) -> str:
    found = []
    for part in _PARTS:
        parent: Any = document
        for step in part.split("/"):
            parent = parent.get(step, {}) if isinstance(parent, dict) else {}
        found += [pointer((*part.split("/"), name)) for name in parent] if isinstance(parent, dict) else []
    if len(found) == 1:
        return found[0][1:]
    shown = ", ".join(f"`{each}`" for each in found[:_SHOWN]) or "none"
    raise ContractError(f"Expected a part of the document, such as `FILE#/...` - it has {shown}")


def _part(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    node = _at(document, where)
    for word in ("payload", "schema"):  # of a message, and of a payload with a format of its own
        if isinstance(node.get(word), dict) and "type" not in node:
            node = node[word]
    is_openapi = "openapi" in document or "asyncapi" in document
    draft = 7 if "asyncapi" in document else _DRAFT_OF_OPENAPI.get(str(document.get("openapi"))[:3], 2020)
    return bundled(document, node, draft, is_openapi=is_openapi)


def _at(document: Mapping[str, Any], where: str) -> dict[str, Any]:
    node: Any = document
    for name in pointer_names(unquote(where)):
        if isinstance(node, list) and name.isdecimal() and name.isascii() and int(name) < len(node):
            node = node[int(name)]
        else:
            node = node.get(name) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        raise ContractError("Expected a pointer to an object in the document - there is none at this pointer")
    return node
