"""Imports a schema from files: a JSON Schema, sample data, or a part of an OpenAPI or AsyncAPI document.

What it refers to in other files of the folder comes with it. Nothing is fetched. Older drafts become 2020-12.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from contracts.errors import ContractError
from contracts.imports.bundles import at, bundled, meant
from contracts.imports.folder import ImportFolder
from contracts.imports.samples import inferred
from contracts.paths import pointer, pointer_names
from contracts.schema.dialect import DIALECTS, DRAFT_2020_12, DRAFTS
from contracts.schema.references import Resolver, Subschema
from contracts.schema.walk import subschemas

_PARTS: Final = ("components/schemas", "components/messages", "definitions")
_SHOWN: Final = 20
_DRAFT_OF_OPENAPI: Final = {"3.0": 4}
_OPENAPI_DIALECTS: Final = "https://spec.openapis.org/oas/3."
"""How the `$schema` begins that OpenAPI gives to its dialects, each of them 2020-12 with further notes."""


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


def import_schema(source: str, folder: Path | None = None) -> ImportedSchema:
    """Read a schema from a path, followed by `#` and a JSON pointer for a part of a document.

    Args:
        source: The path, and the pointer.
        folder: The folder that a `$ref` may lead to; by default that of the file.

    Raises:
        ContractError: A file cannot be read, or contains no schema and no data, or a reference leads nowhere.
    """
    name, _, part = source.partition("#")
    files = ImportFolder(folder or Path(name).parent)
    uri = files.uri(Path(name))
    value = files.content(uri)
    if isinstance(value, dict) and ("openapi" in value or "asyncapi" in value or part):
        return ImportedSchema(_part(value, part, uri, files), file=name)
    if isinstance(value, dict) and ("$schema" in value or _looks_like_schema(value)):
        return ImportedSchema(_whole(value, uri, files), file=name)
    samples = value if isinstance(value, list) else [value]
    if not samples or not all(isinstance(sample, dict) and sample for sample in samples):
        raise ContractError("Expected a schema, an object of sample data, or a list of them")
    return ImportedSchema({"$schema": DRAFT_2020_12, **inferred(samples)}, tuple(samples), name)


def _whole(schema: dict[str, Any], where: str, files: ImportFolder) -> dict[str, Any]:
    """The schema as it is where a contract may have it; of another draft, or with URIs, as one of 2020-12."""
    uri = str(schema.get("$schema", DRAFT_2020_12)).removesuffix("#")
    if uri.startswith(_OPENAPI_DIALECTS):
        root = Resolver({**schema, "$schema": DRAFT_2020_12}, {}, 2020, uri=where, further=files.find).root
        return bundled(meant(root, files.shown), is_openapi=True, shown=files.shown)
    refers = (str(node["$ref"]) for _, node in subschemas(schema) if "$ref" in node)
    if uri not in DRAFTS or (uri in DIALECTS and all(target.startswith("#") for target in refers)):
        return {"$schema": DRAFT_2020_12, **schema}
    resolver = Resolver(schema, {}, DRAFTS[uri], uri=where, further=files.find)
    return bundled(meant(resolver.root, files.shown), shown=files.shown)


def _looks_like_schema(value: Mapping[str, Any]) -> bool:
    return value.get("type") == "object" and isinstance(value.get("properties"), dict)


def _only_part(root: Subschema, files: ImportFolder) -> str:
    found = []
    for part in _PARTS:
        with contextlib.suppress(LookupError):
            parent = meant(at(root, part.split("/"), files.shown), files.shown)
            found += [pointer((*part.split("/"), name)) for name in parent.schema]
    if len(found) == 1:
        return found[0][1:]
    shown = ", ".join(f"`{each}`" for each in found[:_SHOWN]) or "none"
    raise ContractError(f"Expected a part of the document, such as `FILE#/...` - it has {shown}")


def _part(document: Mapping[str, Any], pointed: str, uri: str, files: ImportFolder) -> dict[str, Any]:
    draft = 7 if "asyncapi" in document else _DRAFT_OF_OPENAPI.get(str(document.get("openapi"))[:3], 2020)
    root = Resolver(document, {}, draft, uri=uri, further=files.find).root
    where = pointed or _only_part(root, files)
    try:
        place = meant(at(root, pointer_names(unquote(where)), files.shown), files.shown)
    except LookupError:
        what = "Expected a pointer to an object in the document - there is none at this pointer"
        raise ContractError(what) from None
    for word in ("payload", "schema"):  # of a message, and of a payload with a format of its own
        if isinstance(place.schema.get(word), dict) and "type" not in place.schema:
            place = meant(place.inner(place.schema[word]), files.shown)
    is_openapi = "openapi" in document or "asyncapi" in document
    return bundled(place, is_openapi=is_openapi, shown=files.shown)
