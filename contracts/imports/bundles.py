"""A schema of any draft, or of OpenAPI 3, with all it refers to, as one schema of 2020-12.

Nothing is fetched. Only what is reached is taken, so a part of a large document is small.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from contracts.errors import ContractError
from contracts.paths import pointer
from contracts.schema.dialect import DRAFT_2020_12, Schema
from contracts.schema.references import REFERENCES, Resolver, Subschema, UnresolvableError
from contracts.schema.walk import NAMED, child_keywords

_NOTES: Final = frozenset({"title", "description", "default", "examples", "example", "deprecated"})
_FOREIGN: Final = frozenset({"discriminator", "xml", "externalDocs"})
_IDENTITY: Final = frozenset(
    {"$schema", "$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary"}
)
# The keywords that a draft does not have yet, and so gives no meaning.
_SINCE: Final = {
    **dict.fromkeys(("const", "contains", "propertyNames"), 6),
    **dict.fromkeys(("if", "then", "else"), 7),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "minContains", "maxContains"), 2019),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties"), 2019),
    "prefixItems": 2020,
}


def bundled(document: Schema, node: Schema, draft: int, *, is_openapi: bool = False) -> dict[str, Any]:
    """One schema of a document, with what it refers to under `$defs`.

    Args:
        document: The document.
        node: The schema; one of the mappings in the document.
        draft: How to read it where it names no dialect.
        is_openapi: Whether `nullable` and `example` have the meaning of OpenAPI 3.0.

    Raises:
        ContractError: A reference leads out of the document.
    """
    bundle = _Bundle(is_openapi=is_openapi)
    resolver = Resolver(document, {}, draft)
    root = bundle.take(resolver.root if node is document else resolver.root.inner(node))
    schema = {"$schema": DRAFT_2020_12, **root}
    return {**schema, "$defs": bundle.definitions} if bundle.definitions else schema


class _Bundle:
    def __init__(self, *, is_openapi: bool) -> None:
        self._is_openapi = is_openapi
        self._names: dict[int, str] = {}
        self.definitions: dict[str, Any] = {}

    def take(self, place: Subschema) -> dict[str, Any]:
        """The schema in 2020-12."""
        schema = place.schema
        if place.draft <= 7 and "$ref" in schema:  # all that limits beside it has no effect
            schema = {word: schema[word] for word in schema if word in _NOTES | {"$ref", "nullable"}}
        found: dict[str, Any] = {}
        for word, value in schema.items():
            if word in REFERENCES and isinstance(value, str):
                found["$ref"] = self._reference(place, word)
            elif word in _FOREIGN and self._is_openapi:
                continue
            elif word == "deprecated":  # before 2019-09 anybody's word, such as an object that says why
                found[word] = bool(value)
            elif word not in _IDENTITY | {"$defs", "definitions"} and _SINCE.get(word, 0) <= place.draft:
                found[word] = self._value(place, word, value)
        _modernise(found, place.draft)
        return _without_openapi(found) if self._is_openapi else found

    def _value(self, place: Subschema, word: str, value: Any) -> Any:
        if word in NAMED and isinstance(value, Mapping):
            return {name: self._schema(place, each) for name, each in value.items()}
        if word in child_keywords():
            if isinstance(value, list):
                return [self._schema(place, each) for each in value]
            return self._schema(place, value)
        return value

    def _schema(self, place: Subschema, value: Any) -> Any:
        return self.take(place.inner(value)) if isinstance(value, Mapping) else value

    def _reference(self, place: Subschema, word: str) -> str:
        said = place.schema[word]
        try:
            target = place.resolver.follow(place, word)
        except UnresolvableError as error:
            raise ContractError(
                f"Expected each `$ref` to lead within the document, got `{said[:200]}`, which {error}"
                " - nothing is fetched: copy the schema that is meant into the document"
            ) from None
        schema = target.schema if isinstance(target, Subschema) else target
        if id(schema) not in self._names:
            last = re.sub(r"[^A-Za-z0-9._-]+", "-", said.rpartition("/")[2].rpartition("#")[2]).strip("-")
            name = last = last or "schema"
            while name in self.definitions:
                name = f"{last}-{len(self.definitions)}"
            self._names[id(schema)] = name
            self.definitions[name] = {}
            self.definitions[name] = self.take(target) if isinstance(target, Subschema) else target
        return pointer(("$defs", self._names[id(schema)]))


def _modernise(node: dict[str, Any], draft: int) -> None:
    """Replace keywords of older drafts."""
    if draft <= 4:
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
                node[exclusive] = node.pop(bound)
    if draft < 2020:
        rest = node.pop("additionalItems", None)
        if isinstance(node.get("items"), list):
            node["prefixItems"] = node.pop("items")
            if rest is not None:
                node["items"] = rest
    if draft <= 7 and isinstance(dependencies := node.pop("dependencies", None), Mapping):
        lists = {name: each for name, each in dependencies.items() if isinstance(each, list)}
        others = {name: each for name, each in dependencies.items() if name not in lists}
        node |= {"dependentRequired": lists} if lists else {}
        node |= {"dependentSchemas": others} if others else {}


def _without_openapi(node: dict[str, Any]) -> dict[str, Any]:
    if "example" in node:
        node.setdefault("examples", [node.pop("example")])
    if node.pop("nullable", False) is not True:
        return node
    if isinstance(node.get("type"), str):
        node["type"] = [node["type"], "null"]
        if isinstance(node.get("enum"), list) and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
        return node
    notes = {word: node.pop(word) for word in _NOTES if word in node}
    return {**notes, "anyOf": [node, {"type": "null"}]} if node else notes
