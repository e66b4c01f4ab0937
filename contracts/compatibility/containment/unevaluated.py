"""`unevaluatedProperties` and `unevaluatedItems` as formulas.

What the keywords beside it have evaluated depends on which of their branches hold. Each branch with names
or items of its own is a condition; for each set of conditions that may fail, either one of them holds after
all or the rest of the properties, or items, is unevaluated. More evaluated is never stricter, so this says
exactly what the keyword does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any, Final, TypeAlias

from contracts.compatibility.containment.names import Names, all_but, these
from contracts.compatibility.containment.nodes import Node, Space
from contracts.compatibility.containment.parts import each, everywhere, required
from contracts.compatibility.containment.results import NotUnderstoodError
from contracts.schema.references import REFERENCES, Subschema

Inner: TypeAlias = Callable[[Subschema, Any], Node]
"""What a schema inside another says, as a formula."""
_MOST_CONDITIONS: Final = 7


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one keyword evaluates where a condition holds: names; first items, all items, items of a kind."""

    condition: Node
    names: Names = ("set", frozenset())
    first: int = 0
    kind: Node | None = None
    is_all: bool = False


def followed(place: Subschema, keyword: str) -> Subschema | bool:
    """What a reference leads to.

    Raises:
        NotUnderstoodError: It leads to what is no schema.
        UnresolvableError: It leads nowhere.
    """
    target = place.resolver.follow(place, keyword)
    if not isinstance(target, Subschema | bool):
        raise NotUnderstoodError(f"a `{keyword}` leads to what is no schema")
    return target


def unevaluated_properties(space: Space, inner: Inner, place: Subschema, value: Any) -> Node:
    """If an object, what nothing beside the keyword has evaluated satisfies its schema."""
    seen = list(_Walk(space, inner, "unevaluatedProperties").own(place))
    rest = inner(place, value)

    def unless(known: list[_Seen]) -> Node:
        return everywhere(space, all_but(*(one.names for one in known)), rest)

    return _by_conditions(space, seen, unless)


def unevaluated_items(space: Space, inner: Inner, place: Subschema, value: Any) -> Node:
    """If an array, what nothing beside the keyword has evaluated satisfies its schema."""
    seen = list(_Walk(space, inner, "unevaluatedItems").own(place))
    rest = inner(place, value)

    def unless(known: list[_Seen]) -> Node:
        if any(one.is_all for one in known):
            return space.true
        kinds = [one.kind for one in known if one.kind is not None]
        return each(space, max((one.first for one in known), default=0), None, space.any_of([rest, *kinds]))

    return _by_conditions(space, seen, unless)


def _by_conditions(space: Space, seen: list[_Seen], unless: Callable[[list[_Seen]], Node]) -> Node:
    conditions = {one.condition.number: one.condition for one in seen}
    conditions.pop(space.true.number, None)
    conditions.pop(space.false.number, None)
    if len(conditions) > _MOST_CONDITIONS:
        raise NotUnderstoodError("an `unevaluated` keyword beside too many alternatives")
    parts = []
    for truths in product((True, False), repeat=len(conditions)):
        holding = {number for number, truth in zip(conditions, truths, strict=True) if truth}
        known = [one for one in seen if one.condition is space.true or one.condition.number in holding]
        failing = [node for number, node in conditions.items() if number not in holding]
        parts.append(space.any_of([*failing, unless(known)]))
    return space.all_of(parts)


class _Walk:
    """What a schema evaluates, with the branches of its applicators."""

    def __init__(self, space: Space, inner: Inner, keyword: str) -> None:
        self._space = space
        self._inner = inner
        self._keyword = keyword
        self._way: list[Subschema] = []

    def own(self, place: Subschema) -> Iterator[_Seen]:
        """What the other keywords of the schema evaluate."""
        if place in self._way:
            raise NotUnderstoodError("an `unevaluated` keyword beside a `$ref` that leads back to it")
        self._way.append(place)
        yield from self._properties(place) if self._keyword == "unevaluatedProperties" else self._items(place)
        for keyword in REFERENCES:
            if keyword in place.schema:
                target = followed(place, keyword)
                if not isinstance(target, bool):
                    yield from self._whole(target, self._space.true)
        yield from self._branches(place)
        self._way.pop()

    def _whole(self, place: Subschema, condition: Node) -> Iterator[_Seen]:
        """What a subschema evaluates; with the keyword itself, everything."""
        if self._keyword in place.schema:
            yield _Seen(condition, ("not", these()), is_all=True)
        for one in self.own(place):
            both = self._space.all_of([condition, one.condition])
            yield _Seen(both, one.names, one.first, one.kind, one.is_all)

    def _below(self, place: Subschema, schema: Any, condition: Node) -> Iterator[_Seen]:
        if isinstance(schema, Mapping):
            yield from self._whole(place.inner(schema), condition)

    def _branches(self, place: Subschema) -> Iterator[_Seen]:
        schema = place.schema
        for part in schema.get("allOf", ()):
            yield from self._below(place, part, self._space.true)
        for keyword in ("anyOf", "oneOf"):
            for part in schema.get(keyword, ()):
                yield from self._below(place, part, self._inner(place, part))
        if "if" in schema:
            condition = self._inner(place, schema["if"])
            yield from self._below(place, schema["if"], condition)
            yield from self._below(place, schema.get("then"), condition)
            yield from self._below(place, schema.get("else"), self._space.negate(condition))
        for name, part in schema.get("dependentSchemas", {}).items():
            has_it = self._space.all_of([self._space.types(["object"]), required(self._space, name)])
            yield from self._below(place, part, has_it)

    def _properties(self, place: Subschema) -> Iterator[_Seen]:
        schema, always = place.schema, self._space.true
        if "additionalProperties" in schema:
            yield _Seen(always, ("not", these()))
        yield _Seen(always, these(*schema.get("properties", ())))
        for pattern in schema.get("patternProperties", ()):
            yield _Seen(always, ("pattern", pattern))

    def _items(self, place: Subschema) -> Iterator[_Seen]:
        schema, always = place.schema, self._space.true
        prefix = schema.get("prefixItems" if place.draft >= 2020 else "items", ())
        if isinstance(prefix, list):
            yield _Seen(always, first=len(prefix))
        rest = (
            "items" if place.draft >= 2020 or not isinstance(schema.get("items"), list) else "additionalItems"
        )
        if rest in schema:
            yield _Seen(always, is_all=True)
        if "contains" in schema and place.draft >= 2020:
            yield _Seen(always, kind=self._inner(place, schema["contains"]))
