"""What one place of a schema says, put together through `$ref` and `allOf`.

A schema written flat and the same schema written in parts have the same view.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urldefrag

from contracts.schema.dialect import DRAFT_2020_12, DRAFTS, Schema
from contracts.schema.json_values import unshared
from contracts.schema.references import Resolver, Subschema

_MERGED: Final = ("properties", "patternProperties", "required", "allOf", "$ref")
_UNSEEN: Final = ("$defs", "definitions", "$schema", "$comment", "$anchor", "$dynamicAnchor")
_MOST_PARTS: Final = 200


@dataclass(frozen=True, slots=True)
class Spot:
    """A subschema, or `true` or `false`, and its JSON pointer in its document."""

    node: Subschema | bool
    path: str

    @property
    def is_empty(self) -> bool:
        """Whether it accepts everything, by having nothing to say."""
        return self.node is True or (isinstance(self.node, Subschema) and not self.node.schema)


@dataclass(frozen=True, slots=True)
class Said:
    """One keyword's value, and where it stands."""

    value: Any
    path: str


@dataclass
class View:
    """What one place says.

    Attributes:
        path: Where that begins.
        keywords: Each keyword that is not taken apart below.
        properties: By name.
        patterns: `patternProperties`, by pattern.
        required: Name to where it is required.
        products: Parts of `allOf` that say something about a keyword that another part says otherwise.
    """

    path: str
    owner: Subschema | None
    keywords: dict[str, Said] = field(default_factory=dict)
    properties: dict[str, Spot] = field(default_factory=dict)
    patterns: dict[str, Spot] = field(default_factory=dict)
    required: dict[str, str] = field(default_factory=dict)
    products: list[Spot] = field(default_factory=list)


class Reading:
    """One schema, with its references, as the differ reads it."""

    def __init__(self, schema: Schema, references: Mapping[str, Schema]) -> None:
        own = unshared(schema)
        self._resolver = Resolver(own, unshared(references), DRAFTS[DRAFT_2020_12])
        self.root = Spot(self._resolver.at(own), "#")

    def spot(self, value: object, path: str) -> Spot:
        """The spot of a subschema's value."""
        return Spot(value if isinstance(value, bool) else self._resolver.at(_mapping(value)), path)

    def view(self, spot: Spot) -> View:
        """What is said at a spot."""
        owner = spot.node if isinstance(spot.node, Subschema) else None
        view = View(self._resolved(spot).path, owner)
        rest, seen = [spot], 0
        while rest:
            here = self._resolved(rest.pop(0))
            seen += 1
            if not isinstance(here.node, Subschema) or seen > _MOST_PARTS:
                if here.node is False:
                    view.keywords["not"] = Said(True, here.path)
                continue
            if not self._merges(view, here):
                view.products.append(here)
                continue
            self._merge(view, here)
            rest.extend(self._further(here))
        return view

    def _resolved(self, spot: Spot) -> Spot:
        """Where a reference that stands alone leads to, in the end."""
        for _ in range(_MOST_PARTS):
            node = spot.node
            if not isinstance(node, Subschema) or "$ref" not in node.schema:
                break
            if node.draft >= DRAFTS[DRAFT_2020_12] and len(node.schema.keys() - _UNSEEN) > 1:
                break
            target = self._resolver.known_target(node)
            if target is None:
                break
            spot = Spot(target, _pointer(node))
        return spot

    def _further(self, spot: Spot) -> Iterator[Spot]:
        if not isinstance(spot.node, Subschema):
            return
        schema = spot.node.schema
        target = self._resolver.known_target(spot.node)
        if target is not None:
            yield Spot(target, _pointer(spot.node))
        for index, part in enumerate(_listed(schema.get("allOf"))):
            if isinstance(part, Mapping | bool):
                yield self.spot(part, f"{spot.path}/allOf/{index}")

    def _merges(self, view: View, spot: Spot) -> bool:
        """Whether what is said here contradicts nothing that is already gathered."""
        if not isinstance(spot.node, Subschema):
            return True
        schema = spot.node.schema
        known = view.keywords
        said = {name: value for name, value in schema.items() if name not in (*_MERGED, *_UNSEEN)}
        if any(name in known and known[name].value != value for name, value in said.items()):
            return False
        names = (*_mapping(schema.get("properties")), *_mapping(schema.get("patternProperties")))
        return not any(name in view.properties or name in view.patterns for name in names)

    def _merge(self, view: View, spot: Spot) -> None:
        if not isinstance(spot.node, Subschema):
            return
        schema, path = spot.node.schema, spot.path
        for name, value in schema.items():
            if name not in (*_MERGED, *_UNSEEN):
                view.keywords.setdefault(name, Said(value, f"{path}/{escaped(name)}"))
        for keyword, into in (("properties", view.properties), ("patternProperties", view.patterns)):
            for name, child in _mapping(schema.get(keyword)).items():
                into[name] = self.spot(child, f"{path}/{keyword}/{escaped(name)}")
        for index, name in enumerate(_listed(schema.get("required"))):
            view.required.setdefault(str(name), f"{path}/required/{index}")


def escaped(name: str) -> str:
    """A name as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _pointer(node: Subschema) -> str:
    uri, fragment = urldefrag(str(node.schema["$ref"]))
    inner = not uri or uri == node.base
    return f"#{fragment}" if inner else f"{uri}#{fragment}"


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
