"""Walking a schema as a reader does: through `$ref`, branches, properties and items. Never fetches.

A path is looked for along every way data may take (`anyOf`, `if`, ...); what must hold whichever way is taken
(`allOf`, `$ref`, the schema itself) is told apart, because only that makes a field required.
Constants and annotations are no schemas and are not entered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from referencing import Resource, Specification
from referencing.exceptions import Unresolvable

from contracts.paths import EVERY, Step
from contracts.patterns.safety import backtracking_risk
from contracts.schema.dialect import Schema
from contracts.schema.references import registry_of, specification_of

_NAMED: Final = (
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
    "dependencies",
)
_LISTED: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLE: Final = (
    *("items", "additionalItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties"),
    *("contains", "contentSchema", "propertyNames", "not", "if", "then", "else"),
)
_REFERRING: Final = ("$ref", "$dynamicRef")
_WAYS: Final = ("anyOf", "oneOf")
_CONDITIONAL: Final = ("if", "then", "else")
_MOST_NODES: Final = 2_000

Placed: TypeAlias = tuple[tuple[Step, ...], Mapping[str, Any]]
"""A schema inside a document, after its place in it."""


class Lookup(Protocol):
    """What is used of a resolver of `referencing`, which has no public name for it."""

    def lookup(self, ref: str) -> Any:
        """What a reference leads to, and a resolver for further references from there."""

    def in_subresource(self, subresource: Any) -> Any:
        """The resolver for references inside a schema with an `$id` of its own."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One `$ref`: where it stands in its document, and why it fails, or None when it leads somewhere."""

    steps: tuple[Step, ...]
    target: str
    fault: str | None


@dataclass(frozen=True, slots=True)
class Spot:
    """One schema that speaks about a place in the data, with what resolves its references."""

    schema: Mapping[str, Any]
    resolver: Lookup
    specification: Specification[Any]

    def inner(self, node: Mapping[str, Any]) -> Spot:
        """A schema inside this one; an `$id` of its own changes what its references mean."""
        resolver = self.resolver
        if isinstance(node.get("$id"), str):
            resolver = resolver.in_subresource(self.specification.create_resource(node))
        return Spot(node, resolver, self.specification)

    def follow(self, target: str) -> Spot | None:
        """The schema a reference leads to; None when it leads nowhere."""
        try:
            resolved = self.resolver.lookup(target)
        except (Unresolvable, ValueError):
            return None
        schema = resolved.contents if isinstance(resolved.contents, Mapping) else {}
        return Spot(schema, resolved.resolver, self.specification)


def root_spot(schema: Schema, references: Mapping[str, Schema]) -> Spot:
    """A schema as a whole, with a resolver that knows it, its references, and nothing else."""
    specification = specification_of(schema)
    root = Resource.from_contents(dict(schema), default_specification=specification)
    return Spot(schema, registry_of(schema, references).resolver_with_root(root), specification)


def subschemas(schema: object) -> Iterator[Placed]:
    """Every schema inside a schema document, with its place in it, parents first."""
    rest: list[tuple[tuple[Step, ...], object]] = [((), schema)]
    while rest:
        steps, node = rest.pop()
        if not isinstance(node, dict) and not isinstance(node, Mapping):  # a dictionary is told sooner
            continue
        yield steps, node
        for keyword in _NAMED:
            if keyword in node and isinstance(named := node[keyword], Mapping):
                rest.extend([((*steps, keyword, name), child) for name, child in named.items()])
        for keyword in _LISTED:
            if keyword in node and isinstance(listed := node[keyword], list):
                rest.extend([((*steps, keyword, index), child) for index, child in enumerate(listed)])
        rest.extend([((*steps, keyword), node[keyword]) for keyword in _SINGLE if keyword in node])


def patterns_of(steps: tuple[Step, ...], node: Mapping[str, Any]) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Every pattern that one schema itself asks texts or names to match, with its place."""
    if isinstance(pattern := node.get("pattern"), str):
        yield (*steps, "pattern"), pattern
    if isinstance(named := node.get("patternProperties"), Mapping):
        yield from (((*steps, "patternProperties", key), key) for key in named)


def is_risky(inside: Iterable[Placed]) -> bool:
    """Whether some pattern of these schemas may take a backtracking validator more than linear time."""
    return any(backtracking_risk(pattern) for placed in inside for _, pattern in patterns_of(*placed))


def references_in(
    document: Schema, inside: Iterable[Placed], known: Mapping[str, Schema]
) -> Iterator[Reference]:
    """Every `$ref` of a document, each followed to its end.

    Args:
        document: The document.
        inside: Its `subschemas`.
        known: The documents that it may refer to, by `$id`.
    """
    nodes = [
        (steps, node)
        for steps, node in inside
        if not node.keys().isdisjoint(_REFERRING) or (steps and "$id" in node)
    ]
    if all(node.keys().isdisjoint(_REFERRING) for _, node in nodes):
        return
    bases: dict[tuple[Step, ...], Spot] = {(): root_spot(document, known)}
    ends: dict[int, str | None] = {}
    for steps, node in nodes:
        base = bases[next(steps[:length] for length in range(len(steps), -1, -1) if steps[:length] in bases)]
        if steps and isinstance(node.get("$id"), str):
            base = bases[steps] = base.inner(node)
        for keyword in _REFERRING:
            target = node.get(keyword)
            if isinstance(target, str):
                yield Reference((*steps, keyword), target, _fault(target, base, ends))


def _fault(target: str, spot: Spot, ends: dict[int, str | None]) -> str | None:
    """Why a reference fails; `ends` remembers it of every schema on the way, as many may lead there."""
    seen: set[int] = set()
    while True:
        reached = spot.follow(target)
        if reached is None:
            fault: str | None = "leads nowhere in this contract"
            break
        key, further = id(reached.schema), reached.schema.get("$ref")
        if key in ends or not isinstance(further, str):
            fault = ends.get(key)
            break
        if key in seen:
            fault = "leads back to itself"
            break
        seen.add(key)
        target, spot = further, reached
    ends.update(dict.fromkeys(seen, fault))
    return fault


def spots_at(root: Spot, steps: tuple[Step, ...]) -> list[Spot]:
    """Every schema that speaks about the data at these steps, branches and references of each included.

    Returns:
        The schemas; none when the schema does not know the place.
    """
    spots = _ways(root)
    for step in steps:
        spots = _below(spots, step)
    return spots


def _below(spots: list[Spot], step: Step) -> list[Spot]:
    children = [child for spot in spots for child in _children(spot, step)]
    return list({id(way.schema): way for child in children for way in _ways(child)}.values())[:_MOST_NODES]


def leaves(root: Spot, *, most: int, deepest: int) -> Iterator[tuple[Step, ...]]:
    """The place of every field that declares none of its own; not all of very many, or of an endless one."""
    rest: list[tuple[tuple[Step, ...], list[Spot]]] = [((), _ways(root))]
    for _ in range(most):
        if not rest:
            return
        steps, spots = rest.pop()
        names: dict[Step, None] = {}
        for spot in spots:
            names |= dict.fromkeys(spot.schema.get("properties", {}))
            if "items" in spot.schema or "prefixItems" in spot.schema:
                names[EVERY] = None
        if names and len(steps) < deepest:
            rest.extend(((*steps, name), _below(spots, name)) for name in reversed(names))
        elif steps:
            yield steps


def is_required(root: Spot, steps: tuple[Step, ...]) -> bool:
    """Whether every object on the way must have the next step; `[*]` asks for nothing by itself."""
    spots = [root]
    for step in steps:
        firm = [way for spot in spots for way in _closure(spot, all_ways=False)]
        if step != EVERY and not any(step in way.schema.get("required", ()) for way in firm):
            return False
        spots = [child for way in firm for child in _children(way, step)]
    return True


def types_of(spots: list[Spot]) -> set[str]:
    """The JSON types that the schemas of one place name."""
    named: set[str] = set()
    for spot in spots:
        types = spot.schema.get("type", ())
        named.update([types] if isinstance(types, str) else types)
    return named


def _ways(spot: Spot) -> list[Spot]:
    return _closure(spot, all_ways=True)


def _closure(spot: Spot, *, all_ways: bool) -> list[Spot]:
    found: dict[int, Spot] = {}
    rest = [spot]
    while rest and len(found) < _MOST_NODES:
        here = rest.pop()
        if id(here.schema) in found:
            continue
        found[id(here.schema)] = here
        rest.extend(_same_place(here, all_ways=all_ways))
    return list(found.values())


def _same_place(spot: Spot, *, all_ways: bool) -> Iterator[Spot]:
    schema = spot.schema
    if isinstance(target := schema.get("$ref"), str) and (reached := spot.follow(target)):
        yield reached
    nodes = list(schema.get("allOf", ()))
    if all_ways:
        nodes += [node for keyword in _WAYS for node in schema.get(keyword, ())]
        nodes += [schema.get(keyword) for keyword in _CONDITIONAL]
    yield from (spot.inner(node) for node in nodes if isinstance(node, Mapping))


def _children(spot: Spot, step: Step) -> Iterator[Spot]:
    schema = spot.schema
    if isinstance(step, int) or step == EVERY:
        items = schema.get("items")
        listed = [*schema.get("prefixItems", ()), *(items if isinstance(items, list) else [items])]
        nodes = listed if step == EVERY else listed[int(step) : int(step) + 1] or [items]
    else:
        nodes = [schema.get("properties", {}).get(step)]
    for node in nodes:
        if isinstance(node, Mapping):
            yield spot.inner(node)
        elif node is True:
            yield spot.inner({})
