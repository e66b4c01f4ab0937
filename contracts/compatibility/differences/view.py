"""What a schema says at one place, merged through `$ref` and `allOf`.

A schema written flat and the same schema written in parts have the same view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urldefrag

from contracts.paths import escaped
from contracts.schema.dialect import DRAFT_2020_12, DRAFTS, Schema
from contracts.schema.json_values import unshared
from contracts.schema.references import Resolver, Subschema

_MERGED: Final = ("properties", "patternProperties", "required", "allOf", "$ref")
_UNSEEN: Final = ("$defs", "definitions", "$schema", "$comment", "$anchor", "$dynamicAnchor")
_MOST_PARTS: Final = 200


@dataclass(frozen=True, slots=True)
class PlacedSchema:
    """A subschema, or `true` or `false`, and its JSON pointer in its document."""

    node: Subschema | bool
    path: str

    @property
    def is_empty(self) -> bool:
        """Whether it accepts everything, by having nothing to say."""
        return self.node is True or (isinstance(self.node, Subschema) and not self.node.schema)


@dataclass(frozen=True, slots=True)
class PlacedValue:
    """One keyword's value, and where it stands."""

    value: Any
    path: str


@dataclass
class View:
    """What a schema says at one place.

    Attributes:
        path: The place, as a JSON pointer.
        keywords: Every keyword that has no attribute of its own here.
        properties: By name.
        patterns: `patternProperties`, by pattern.
        required: Name to where it is required.
        products: Parts of `allOf` that contradict what is merged already.
    """

    path: str
    owner: Subschema | None
    keywords: dict[str, PlacedValue] = field(default_factory=dict)
    properties: dict[str, PlacedSchema] = field(default_factory=dict)
    patterns: dict[str, PlacedSchema] = field(default_factory=dict)
    required: dict[str, str] = field(default_factory=dict)
    products: list[PlacedSchema] = field(default_factory=list)


class ComparedSchema:
    """One schema with its references, seen place by place."""

    def __init__(self, schema: Schema, references: Mapping[str, Schema]) -> None:
        own = unshared(schema)
        self._resolver = Resolver(own, unshared(references), DRAFTS[DRAFT_2020_12])
        self.root = PlacedSchema(self._resolver.at(own), "#")

    def placed(self, value: object, path: str) -> PlacedSchema:
        """A subschema, or a boolean, at a place."""
        return PlacedSchema(value if isinstance(value, bool) else self._resolver.at(_mapping(value)), path)

    def view(self, place: PlacedSchema) -> View:
        """What the schema says at a place, put together."""
        owner = place.node if isinstance(place.node, Subschema) else None
        view = View(self._resolved(place).path, owner)
        rest, seen = [place], 0
        while rest:
            here = self._resolved(rest.pop(0))
            node = here.node
            seen += 1
            if not isinstance(node, Subschema) or seen > _MOST_PARTS:
                if node is False:
                    view.keywords["not"] = PlacedValue(True, here.path)
            elif _agree(view, node.schema):
                self._merge(view, node.schema, here.path)
                rest.extend(self._further(node, here.path))
            else:
                view.products.append(here)
        return view

    def _resolved(self, place: PlacedSchema) -> PlacedSchema:
        """Where a reference that stands alone leads to, in the end."""
        for _ in range(_MOST_PARTS):
            node = place.node
            if not isinstance(node, Subschema) or "$ref" not in node.schema:
                break
            if node.draft >= DRAFTS[DRAFT_2020_12] and len(node.schema.keys() - _UNSEEN) > 1:
                break
            target = self._resolver.known_target(node)
            if target is None:
                break
            place = PlacedSchema(target, _pointer(node))
        return place

    def _further(self, node: Subschema, path: str) -> Iterator[PlacedSchema]:
        target = self._resolver.known_target(node)
        if target is not None:
            yield PlacedSchema(target, _pointer(node))
        for index, part in enumerate(_listed(node.schema.get("allOf"))):
            if isinstance(part, Mapping | bool):
                yield self.placed(part, f"{path}/allOf/{index}")

    def _merge(self, view: View, schema: Schema, path: str) -> None:
        for name, value in schema.items():
            if name not in (*_MERGED, *_UNSEEN):
                view.keywords.setdefault(name, PlacedValue(value, f"{path}/{escaped(name)}"))
        for keyword, into in (("properties", view.properties), ("patternProperties", view.patterns)):
            for name, child in _mapping(schema.get(keyword)).items():
                into[name] = self.placed(child, f"{path}/{keyword}/{escaped(name)}")
        for index, name in enumerate(_listed(schema.get("required"))):
            view.required.setdefault(str(name), f"{path}/required/{index}")


def _agree(view: View, schema: Schema) -> bool:
    """Whether a schema contradicts nothing that the view already holds."""
    known = view.keywords
    said = {name: value for name, value in schema.items() if name not in (*_MERGED, *_UNSEEN)}
    if any(name in known and known[name].value != value for name, value in said.items()):
        return False
    names = (*_mapping(schema.get("properties")), *_mapping(schema.get("patternProperties")))
    return not any(name in view.properties or name in view.patterns for name in names)


def _pointer(node: Subschema) -> str:
    uri, fragment = urldefrag(str(node.schema["$ref"]))
    inner = not uri or uri == node.base
    return f"#{fragment}" if inner else f"{uri}#{fragment}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
