"""A reader's own schema: an event's schema, cut down to the fields that the reader reads.

Law: what the whole schema accepts, the projected one accepts. A field that is read keeps all that is said
about it, and about being there; of the objects and arrays on the way to it only the type is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from contracts.paths import EVERY, Step, parse_path
from contracts.schema.dialect import DRAFT_2020_12, DRAFTS, Documents
from contracts.schema.references import Resolver, Subschema

Tree: TypeAlias = dict[Step, "Tree"]

_KEPT: Final = ("type", "if")
_KEPT_OF_ALL: Final = ("$schema", "$id", "$anchor", "$defs", "definitions", "$dynamicAnchor", *_KEPT)
_DEEPEST: Final = 60


def project(documents: Documents, fields: Iterable[str]) -> Documents:
    """A schema, and what it refers to, cut down to some fields.

    Args:
        documents: The schema and its references by `$id`.
        fields: Paths such as `$.child.name`; `$` is everything.
    """
    tree: Tree = {}
    for field in fields:
        below = tree
        for step in parse_path(field):
            below = below.setdefault(step, {})
        below[""] = {}
    if "" in tree:
        return documents
    resolver = Resolver(*documents, DRAFTS[DRAFT_2020_12])
    return _Projection(resolver).node(resolver.root, tree, 0), documents[1]


class _Projection:
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def value(self, value: object, tree: Tree, depth: int) -> Any:
        if not isinstance(value, dict):
            return value
        return self.node(self._resolver.at(value), tree, depth)

    def node(self, node: Subschema, tree: Tree, depth: int) -> dict[str, Any]:
        if "" in tree:
            return self._whole(node)
        if depth > _DEEPEST:
            return {}
        schema = node.schema
        if "$ref" in schema and node.draft < DRAFTS[DRAFT_2020_12]:
            target = self._resolver.known_target(node)
            return self.node(target, tree, depth + 1) if target else {}
        kept = _KEPT_OF_ALL if node.schema is self._resolver.root.schema and not depth else _KEPT
        projected = {name: schema[name] for name in kept if name in schema}
        projected |= dict(self._objects(schema, tree, depth))
        projected |= dict(self._arrays(schema, tree, depth))
        projected |= dict(self._branches(node, tree, depth))
        return projected

    def _objects(self, schema: Mapping[str, Any], tree: Tree, depth: int) -> Iterator[tuple[str, Any]]:
        if properties := schema.get("properties"):
            yield (
                "properties",
                {
                    name: self.value(properties[name], tree[name], depth + 1)
                    for name in tree
                    if name in properties
                },
            )
        if required := schema.get("required"):
            yield "required", [name for name in required if name in tree]
        if dependent := schema.get("dependentRequired"):
            kept = {name: [each for each in listed if each in tree] for name, listed in dependent.items()}
            yield "dependentRequired", kept

    def _arrays(self, schema: Mapping[str, Any], tree: Tree, depth: int) -> Iterator[tuple[str, Any]]:
        indexes = {step: below for step, below in tree.items() if isinstance(step, int)}
        every = tree.get(EVERY)
        for keyword in ("prefixItems", "items"):
            listed = schema.get(keyword)
            if isinstance(listed, list):
                wanted = [{**(every or {}), **indexes.get(index, {})} for index in range(len(listed))]
                pairs = zip(listed, wanted, strict=True)
                yield keyword, [self.value(each, below, depth + 1) if below else {} for each, below in pairs]
            elif isinstance(listed, dict) and every:
                yield keyword, self.value(listed, every, depth + 1)

    def _branches(self, node: Subschema, tree: Tree, depth: int) -> Iterator[tuple[str, Any]]:
        schema = node.schema
        together = [self.value(each, tree, depth + 1) for each in schema.get("allOf", ())]
        if target := self._resolver.known_target(node):
            together.append(self.node(target, tree, depth + 1))
        together.extend(  # cut down, alternatives may overlap
            {"anyOf": [self.value(each, tree, depth + 1) for each in schema[keyword]]}
            for keyword in ("anyOf", "oneOf")
            if keyword in schema
        )
        if together:
            yield "allOf", together
        for keyword in ("then", "else"):
            if keyword in schema:
                yield keyword, self.value(schema[keyword], tree, depth + 1)
        if dependent := schema.get("dependentSchemas"):
            yield (
                "dependentSchemas",
                {name: self.value(each, tree, depth + 1) for name, each in dependent.items()},
            )

    def _whole(self, node: Subschema) -> dict[str, Any]:
        """The subschema unchanged; by reference where it stands in another document."""
        if node.base == self._resolver.root.base:
            return dict(node.schema)
        return {"$ref": self._resolver.address(node)}
