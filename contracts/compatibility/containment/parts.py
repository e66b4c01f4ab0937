"""What a formula is made of; `const` and `enum` by their parts, so that negation comes for free."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final, TypeAlias

from contracts.compatibility.containment.names import Names, all_but, these
from contracts.compatibility.containment.nodes import JsonType, Node, Space
from contracts.compatibility.containment.results import NotUnderstoodError
from contracts.compatibility.containment.values import exact, is_number, type_of

_MOST_ALTERNATIVES: Final = 300
_Tags: TypeAlias = dict[str, Node]


def node_of_value(space: Space, value: Any) -> Node:
    """The value is this one."""
    return node_of_values(space, [value])


def node_of_values(space: Space, values: Iterable[Any]) -> Node:
    """The value is one of these."""
    parts: list[Node] = []
    booleans: set[bool] = set()
    numbers: set[Fraction] = set()
    words: set[str] = set()
    for value in values:
        match type_of(value):
            case "null":
                parts.append(space.types(["null"]))
            case "boolean":
                booleans.add(value)
            case "number":
                numbers.add(exact(value))
            case "string":
                words.add(value)
            case "array":
                parts.append(_of_array(space, value))
            case "object":
                parts.append(_of_object(space, value))
    scalars: tuple[tuple[JsonType, set[Any]], ...] = (
        ("boolean", booleans),
        ("number", numbers),
        ("string", words),
    )
    return space.any_of(
        [*(space.strong(of, "in", frozenset(found)) for of, found in scalars if found), *parts]
    )


def _of_array(space: Space, items: list[Any]) -> Node:
    return space.all_of(
        [
            space.types(["array"]),
            longer(space, "array", len(items)),
            shorter(space, "array", len(items)),
            *(
                space.literal("array", "each", index, index + 1, node_of_value(space, item))
                for index, item in enumerate(items)
            ),
        ]
    )


def _of_object(space: Space, value: dict[str, Any]) -> Node:
    return space.all_of(
        [
            space.types(["object"]),
            *(
                space.strong("object", "exists", these(name), node_of_value(space, item))
                for name, item in sorted(value.items())
            ),
            space.literal("object", "all", all_but(these(*value)), space.false),
        ]
    )


def longer(space: Space, of: JsonType, count: int) -> Node:
    """If of this type, it has at least so many characters, items or properties."""
    return space.literal(of, "longer", count) if count > 0 else space.true


def shorter(space: Space, of: JsonType, count: int) -> Node:
    """If of this type, it has at most so many characters, items or properties."""
    if count < 0:
        return space.negate(space.types([of]))
    return space.literal(of, "shorter", count)


def each(space: Space, start: int, stop: int | None, item: Node) -> Node:
    """If an array, its items from here to there satisfy the formula."""
    return space.true if item is space.true else space.literal("array", "each", start, stop, item)


def everywhere(space: Space, names: Names, value: Node) -> Node:
    """If an object, the properties of these names satisfy the formula."""
    return space.true if value is space.true else space.literal("object", "all", names, value)


def required(space: Space, name: str) -> Node:
    """If an object, it has the property."""
    return space.literal("object", "exists", these(name), space.true)


def whole(value: Any, keyword: str) -> int:
    """A number of things.

    Raises:
        NotUnderstoodError: It is no whole number, or negative.
    """
    if not is_number(value) or exact(value).denominator != 1 or value < 0:
        raise NotUnderstoodError(f"`{keyword}` is not a whole number")
    return int(value)


def exactly_one(space: Space, nodes: list[Node]) -> Node:
    """One of the formulas holds and no other."""
    if len(nodes) > _MOST_ALTERNATIVES:
        raise NotUnderstoodError("`oneOf` has too many alternatives")
    tags = [_tags(node) for node in nodes]
    pairs = [
        (nodes[index], nodes[later])
        for index in range(len(nodes))
        for later in range(index + 1, len(nodes))
        if not _are_apart(nodes[index], nodes[later], tags[index], tags[later])
    ]
    against: dict[int, list[Node]] = {}
    for one, other in pairs:
        against.setdefault(id(one), []).append(space.negate(other))
        against.setdefault(id(other), []).append(space.negate(one))
    exact_one = space.any_of(space.all_of([node, *against.get(id(node), ())]) for node in nodes)
    several = space.any_of(space.all_of(pair) for pair in pairs)
    none = space.all_of(space.negate(node) for node in nodes)
    if exact_one.negation is None and exact_one.kind == "or":
        exact_one.negation = space.any_of([none, several])
    return exact_one


def _are_apart(one: Node, other: Node, mine: _Tags, others: _Tags) -> bool:
    """Whether it is plain that no value satisfies both."""
    if one.kind == other.kind == "literal" and not one.args[1] and not other.args[1]:
        (of, _, this), (other_of, _, that) = one.args, other.args
        return bool(of != other_of or (this[0] == that[0] == "in" and not this[1] & that[1]))
    if one.kind == other.kind == "types":
        return not one.args[0] & other.args[0]
    return any(name in others and _are_apart(tag, others[name], {}, {}) for name, tag in mine.items())


def _tags(node: Node) -> _Tags:
    """Of an object: the properties it must have, with the words that each may be."""
    literals = [part for part in node.args if part.kind == "literal"] if node.kind == "and" else []
    if not any(part.kind == "types" and part.args[0] == {"object"} for part in node.args if literals):
        return {}
    constraints = [part.args[2] for part in literals]
    present = {one[1] for one in constraints if one[0] == "exists"}
    return {
        next(iter(one[1][1])): one[2]
        for one in constraints
        if one[0] == "all" and one[1] in present and len(one[1][1]) == 1 and one[2].kind == "literal"
    }
