"""The schemas inside a schema, each with its place. Constants and annotations are no schemas: not entered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, TypeGuard

from contracts.paths import Step

NAMED: Final = (
    *("properties", "patternProperties", "$defs", "definitions"),
    *("dependentSchemas", "dependencies"),
)
"""The keywords that hold schemas by name."""
_NO_MAPPING: Final = (str, int, float, type(None), list)
_LISTED: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLE: Final = (
    *("items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
    *("contains", "contentSchema", "propertyNames", "not", "if", "then", "else"),
)


def child_keywords() -> frozenset[str]:
    """The keywords that hold a schema or a list of them."""
    return frozenset((*_LISTED, *_SINGLE))


Placed: TypeAlias = tuple[tuple[Step, ...], Mapping[str, Any]]
"""A schema inside a document, after its place in it."""


def children(schema: Mapping[str, Any]) -> Iterator[Placed]:
    """The schemas directly inside a schema, without `true` and `false`, each after its place in it."""
    for keyword in NAMED:
        if keyword in schema and is_mapping(named := schema[keyword]):
            yield from (((keyword, name), child) for name, child in named.items() if is_mapping(child))
    for keyword in _LISTED:
        if keyword in schema and isinstance(listed := schema[keyword], list):
            yield from (((keyword, index), child) for index, child in enumerate(listed) if is_mapping(child))
    for keyword in _SINGLE:
        if keyword in schema and is_mapping(child := schema[keyword]):
            yield (keyword,), child


def subschemas(schema: object) -> Iterator[Placed]:
    """Every schema inside a schema document, itself included, with its place in it, parents first."""
    rest: list[Placed] = [((), schema)] if is_mapping(schema) else []
    while rest:
        steps, node = rest.pop()
        yield steps, node
        rest.extend([((*steps, *more), child) for more, child in children(node)])


def patterns_of(steps: tuple[Step, ...], node: Mapping[str, Any]) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Every pattern that one schema itself wants texts or names to match, with its place."""
    if isinstance(pattern := node.get("pattern"), str):
        yield (*steps, "pattern"), pattern
    if is_mapping(named := node.get("patternProperties")):
        yield from (((*steps, "patternProperties", key), key) for key in named)


def is_mapping(value: Any) -> TypeGuard[Mapping[str, Any]]:
    """Whether a value is a mapping. What JSON holds is told by its class, as asking a base class is slow."""
    return isinstance(value, dict) or (not isinstance(value, _NO_MAPPING) and isinstance(value, Mapping))
