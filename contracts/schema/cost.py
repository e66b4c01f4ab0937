"""How much work a schema is for a validator: how often, at most, subschemas are applied to some data.

References multiply: thirty definitions that each name the next one twice make a thousand million
evaluations. Counting takes one step for each pair of a subschema and a value, however often it occurs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from contracts.schema.references import REFERENCES, Subschema
from contracts.schema.walk import is_mapping

MOST: Final = 100_000
"""More evaluations than this for one event are taken for an attempt to stop the validator."""
_DEEPEST: Final = 400
_LISTS: Final = ("allOf", "anyOf", "oneOf")
_SINGLES: Final = ("not", "if", "then", "else")
_NOTHING: Final = object()


def is_bounded(schemas: Iterable[Subschema]) -> bool:
    """Whether each of these schemas needs a bounded number of evaluations for one value."""
    counted = _Counter()
    return all(counted.within(schema, _NOTHING) for schema in schemas)


def is_bounded_for(root: Subschema, data: object) -> bool:
    """Whether a schema needs a bounded number of evaluations for all of the data."""
    return _Counter().within(root, data)


class _Counter:
    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], int] = {}
        self._kept: list[Any] = []

    def within(self, here: Subschema, data: object) -> bool:
        try:
            return self._count(here, data, 0) <= MOST
        except RecursionError:
            return False

    def _count(self, here: Subschema, data: object, depth: int) -> int:
        key = (id(here.schema), id(data))
        if key in self._counts:
            return self._counts[key]
        if depth > _DEEPEST:
            raise RecursionError
        self._counts[key] = 0  # one that leads back here adds nothing new
        self._kept.append((here.schema, data))  # so that no identity is used twice
        total = 1
        for below, value in (*_beside(here, data), *_below(here, data)):
            total = min(total + self._count(below, value, depth + 1), MOST + 1)
        self._counts[key] = total
        return total


def _beside(here: Subschema, data: object) -> Iterator[tuple[Subschema, object]]:
    schema = here.schema
    nodes = [node for word in _LISTS for node in _items(schema.get(word))]
    nodes += [schema.get(word) for word in _SINGLES]
    for word in ("dependentSchemas", "dependencies"):
        nodes += _values(schema.get(word))
    yield from ((here.inner(node), data) for node in nodes if is_mapping(node))
    yield from ((reached, data) for word in REFERENCES[:2] if (reached := here.target(word)))


def _below(here: Subschema, data: object) -> Iterator[tuple[Subschema, object]]:
    schema = here.schema
    if is_mapping(data):
        named = schema.get("properties")
        named = named if is_mapping(named) else {}
        every = [*_values(schema.get("patternProperties"))]
        every += [schema.get(word) for word in ("additionalProperties", "unevaluatedProperties")]
        pairs = [(named.get(name), value) for name, value in data.items()]
        pairs += [(node, value) for node in every if is_mapping(node) for value in data.values()]
    elif isinstance(data, list):
        every = [schema.get(word) for word in ("items", "additionalItems", "unevaluatedItems", "contains")]
        listed = [*_items(schema.get("prefixItems")), *_items(schema.get("items"))]
        pairs = list(zip(listed, data, strict=False))
        pairs += [(node, value) for node in every if is_mapping(node) for value in data]
    else:
        return
    yield from ((here.inner(node), value) for node, value in pairs if is_mapping(node))


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _values(value: object) -> list[Any]:
    return list(value.values()) if is_mapping(value) else []
