"""Imports a schema from a file: a JSON Schema, sample data, or a part of an OpenAPI or AsyncAPI document.

Nothing is fetched: a `$ref` to another file is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from contracts.documents.document import read_json, read_yaml
from contracts.errors import ContractError
from contracts.imports.samples import inferred
from contracts.paths import pointer, pointer_names
from contracts.schema.dialect import DRAFT_2020_12

_PARTS: Final = ("components/schemas", "components/messages", "definitions")
_SHOWN: Final = 20


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
    reader = read_yaml if path.suffix in (".yaml", ".yml") else read_json
    value = reader(path.parent, path.name).value
    if isinstance(value, dict) and ("openapi" in value or "asyncapi" in value or part):
        return ImportedSchema(_part(value, part or _only_part(value)), file=name)
    if isinstance(value, dict) and ("$schema" in value or _looks_like_schema(value)):
        return ImportedSchema({"$schema": DRAFT_2020_12, **value}, file=name)
    samples = value if isinstance(value, list) else [value]
    if not samples or not all(isinstance(sample, dict) and sample for sample in samples):
        raise ContractError("Expected a schema, an object of sample data, or a list of them")
    return ImportedSchema({"$schema": DRAFT_2020_12, **inferred(samples)}, tuple(samples), name)


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
    bundle = _Bundle(document)
    root = bundle.take(node)
    schema = {"$schema": DRAFT_2020_12, **root}
    return {**schema, "$defs": bundle.definitions} if bundle.definitions else schema


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


class _Bundle:
    """Collects the referenced schemas of one document under `$defs`."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}

    def take(self, node: Any) -> Any:
        """The same schema in draft 2020-12."""
        if isinstance(node, list):
            return [self.take(item) for item in node]
        if not isinstance(node, dict):
            return node
        if isinstance(node.get("$ref"), str):
            return {"$ref": self._definition(node["$ref"])}
        found = {
            word: {name: self.take(child) for name, child in value.items()}
            if word in ("properties", "patternProperties") and isinstance(value, dict)
            else value
            if word in ("enum", "const", "default", "example", "examples")
            else self.take(value)
            for word, value in node.items()
            if word not in ("discriminator", "xml", "externalDocs")
        }
        return _modern(found)

    def _definition(self, reference: str) -> str:
        if not reference.startswith("#/"):
            raise ContractError(
                "Expected each `$ref` to refer to the same document - nothing is fetched: copy the referenced"
                " schema into the document"
            )
        if reference not in self._names:
            last = reference.rpartition("/")[2] or "schema"
            name = last if last not in self.definitions else f"{last}-{len(self.definitions)}"
            self._names[reference] = name
            self.definitions[name] = {}
            self.definitions[name] = self.take(_at(self._document, reference[1:]))
        return pointer(("$defs", self._names[reference]))


def _modern(node: dict[str, Any]) -> dict[str, Any]:
    """Replace keywords of OpenAPI 3.0 with those of JSON Schema."""
    if node.pop("nullable", False) is True and isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
    if "example" in node:
        node.setdefault("examples", [node.pop("example")])
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    return node
