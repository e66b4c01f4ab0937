"""What a schema says about a field of the data: through `$ref`, branches, properties and items.

A path is followed through every branch (`anyOf`, `if`, ...). What holds in every case (`allOf`, `$ref`, the
schema itself) is kept apart, because only that makes a field required.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from contracts.paths import EVERY, Step
from contracts.schema.references import Subschema
from contracts.schema.walk import is_mapping

_ALTERNATIVES: Final = ("anyOf", "oneOf")
_CONDITIONAL: Final = ("if", "then", "else")
_MOST_NODES: Final = 2_000


def schemas_at(root: Subschema, steps: tuple[Step, ...]) -> list[Subschema]:
    """Every schema that speaks about the data at these steps, branches and references of each included.

    Returns:
        The schemas; none when the schema does not know the place.
    """
    schemas = _together(root, all_ways=True)
    for step in steps:
        schemas = _below(schemas, step)
    return schemas


def _below(schemas: list[Subschema], step: Step) -> list[Subschema]:
    children = [child for here in schemas for child in _children(here, step)]
    found = (each for child in children for each in _together(child, all_ways=True))
    return list({id(each.schema): each for each in found}.values())[:_MOST_NODES]


def leaves(root: Subschema, *, most: int, deepest: int) -> Iterator[tuple[Step, ...]]:
    """The path of every field that declares no fields of its own; at most `most`, at most `deepest` steps."""
    rest: list[tuple[tuple[Step, ...], list[Subschema]]] = [((), _together(root, all_ways=True))]
    for _ in range(most):
        if not rest:
            return
        steps, schemas = rest.pop()
        names = names_below(schemas)
        if names and len(steps) < deepest:
            rest.extend(((*steps, name), _below(schemas, name)) for name in reversed(names))
        elif steps:
            yield steps


def names_below(schemas: list[Subschema]) -> list[Step]:
    """The properties that the schemas of one place declare, and `[*]` where they describe items."""
    names: dict[Step, None] = {}
    for here in schemas:
        names |= dict.fromkeys(here.schema.get("properties", {}))
        if "items" in here.schema or "prefixItems" in here.schema:
            names[EVERY] = None
    return list(names)


def is_required(root: Subschema, steps: tuple[Step, ...]) -> bool:
    """Whether every object on the way must have the next step; `[*]` requires nothing by itself."""
    schemas = [root]
    for step in steps:
        firm = [way for here in schemas for way in _together(here, all_ways=False)]
        if step != EVERY and not any(step in way.schema.get("required", ()) for way in firm):
            return False
        schemas = [child for way in firm for child in _children(way, step)]
    return True


def types_of(schemas: list[Subschema]) -> set[str]:
    """The JSON types that the schemas of one place name."""
    named: set[str] = set()
    for here in schemas:
        types = here.schema.get("type", ())
        named.update([types] if isinstance(types, str) else types)
    return named


def _together(start: Subschema, *, all_ways: bool) -> list[Subschema]:
    found: dict[int, Subschema] = {}
    rest = [start]
    while rest and len(found) < _MOST_NODES:
        here = rest.pop()
        if id(here.schema) in found:
            continue
        found[id(here.schema)] = here
        rest.extend(_same_place(here, all_ways=all_ways))
    return list(found.values())


def _same_place(here: Subschema, *, all_ways: bool) -> Iterator[Subschema]:
    schema = here.schema
    if reached := here.target():
        yield reached
    nodes = list(schema.get("allOf", ()))
    if all_ways:
        nodes += [node for keyword in _ALTERNATIVES for node in schema.get(keyword, ())]
        nodes += [schema.get(keyword) for keyword in _CONDITIONAL]
    yield from (here.inner(node) for node in nodes if is_mapping(node))


def _children(here: Subschema, step: Step) -> Iterator[Subschema]:
    schema = here.schema
    if isinstance(step, int) or step == EVERY:
        items = schema.get("items")
        listed = [*schema.get("prefixItems", ()), *(items if isinstance(items, list) else [items])]
        nodes = listed if step == EVERY else listed[int(step) : int(step) + 1] or [items]
    else:
        nodes = [schema.get("properties", {}).get(step)]
    for node in nodes:
        if is_mapping(node):
            yield here.inner(node)
        elif node is True:
            yield here.inner(True)
