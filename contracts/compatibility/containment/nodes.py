"""Schemas as formulas: `and`, `or` over literals, each built once, each with its negation.

A literal speaks about one JSON type. A weak literal holds for every other type ("if a string, then ..."), a
strong one for none ("a string, and ..."): the negation of one is the other, with the dual constraint. So
negation never stands in a formula, and De Morgan's laws do the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, Literal, TypeAlias

JsonType: TypeAlias = Literal["null", "boolean", "number", "string", "array", "object"]
TYPES: Final[tuple[JsonType, ...]] = ("null", "boolean", "number", "string", "object", "array")
Constraint: TypeAlias = tuple[Any, ...]

_DUAL: Final = {
    "in": "nin",
    "mul": "nmul",
    "pattern": "npattern",
    "format": "nformat",
    "unique": "duplicate",
    "opaque": "nopaque",
}
_DUAL_BACK: Final = {dual: kind for kind, dual in _DUAL.items()}
_BOTH_WAYS: Final = {**_DUAL, **_DUAL_BACK}


class Node:
    """One formula. Two with the same content are the same object."""

    __slots__ = ("args", "kind", "negation", "number")

    def __init__(self, number: int, kind: str, args: tuple[Any, ...]) -> None:
        self.number = number
        self.kind = kind
        self.args = args
        self.negation: Node | None = None

    def __repr__(self) -> str:
        return f"{self.kind}{self.args!r}"


class Space:
    """All formulas of one comparison.

    Kinds: `true`, `false`, `and` and `or` (args: nodes), `types` (a set of types), `literal` (type, weak,
    constraint), `sub` (a place in a schema, positive or not), `opaque` (what is not understood, by its key).

    Args:
        spend: Takes a step of the budget for each formula.
    """

    def __init__(self, spend: Callable[[], None]) -> None:
        self._spend = spend
        self._nodes: dict[tuple[str, Any], Node] = {}
        self._whys: dict[str, Callable[[], str]] = {}
        self.true = self._made("true", ())
        self.false = self._made("false", ())
        self.true.negation, self.false.negation = self.false, self.true

    def __len__(self) -> int:
        return len(self._nodes)

    def _made(self, kind: str, args: tuple[Any, ...], key: Any = None) -> Node:
        index = (kind, args if key is None else key)
        node = self._nodes.get(index)
        if node is None:
            self._spend()
            node = self._nodes[index] = Node(len(self._nodes), kind, args)
        return node

    def types(self, names: Iterable[JsonType]) -> Node:
        """The value has one of these types."""
        wanted = frozenset(names)
        if not wanted:
            return self.false
        return self.true if len(wanted) == len(TYPES) else self._made("types", (wanted,))

    def literal(self, of: JsonType, *constraint: Any) -> Node:
        """If the value is of this type, it keeps the constraint."""
        return self._made("literal", (of, True, constraint))

    def strong(self, of: JsonType, *constraint: Any) -> Node:
        """The value is of this type, and keeps the constraint."""
        return self._made("literal", (of, False, constraint))

    def opaque(self, key: str, why: Callable[[], str]) -> Node:
        """Something that cannot be reasoned about; it is the same as itself, and that is all.

        Args:
            key: What it has in common with all that is the same.
            why: Says what it is, and where.
        """
        self._whys.setdefault(key, cache(why))
        return self._made("opaque", (key, True))

    def why(self, opaque: Node) -> str:
        """What cannot be reasoned about, and where."""
        return self._whys[opaque.args[0]]()

    def sub(self, place: Any, *, positive: bool = True) -> Node:
        """What a place in a schema says, to be read when it is needed."""
        return self._made("sub", (place, positive))

    def all_of(self, parts: Iterable[Node]) -> Node:
        """Every part holds."""
        return self._joined("and", parts, self.true, self.false)

    def any_of(self, parts: Iterable[Node]) -> Node:
        """Some part holds."""
        return self._joined("or", parts, self.false, self.true)

    def _joined(self, kind: str, parts: Iterable[Node], neutral: Node, absorbing: Node) -> Node:
        found: dict[int, Node] = {}
        for part in list(parts):  # all of them, even after one that decides: they are read by this
            for node in part.args if part.kind == kind else (part,):
                if node is absorbing or (node.negation is not None and node.negation.number in found):
                    return absorbing
                if node is not neutral:
                    found[node.number] = node
        if len(found) < 2:
            return next(iter(found.values()), neutral)
        return self._made(kind, tuple(found.values()), frozenset(found))

    def negate(self, node: Node) -> Node:
        """What holds where this does not."""
        if node.negation is None:
            dual = self._dual(node)
            node.negation, dual.negation = dual, node
        return node.negation

    def _dual(self, node: Node) -> Node:
        match node.kind:
            case "and":
                return self.any_of(self.negate(part) for part in node.args)
            case "or":
                return self.all_of(self.negate(part) for part in node.args)
            case "types":
                return self.types(set(TYPES) - node.args[0])
            case "literal":
                of, weak, constraint = node.args
                return self._made("literal", (of, not weak, self._dual_constraint(constraint)))
            case _:
                place, positive = node.args
                return self._made(node.kind, (place, not positive))

    def _dual_constraint(self, constraint: Constraint) -> Constraint:
        kind, *rest = constraint
        if kind in _BOTH_WAYS:
            return (_BOTH_WAYS[kind], *rest)
        return _DUALS[kind](self, *rest)


_DUALS: Final[dict[str, Callable[..., Constraint]]] = {
    "low": lambda _space, bound, is_open: ("high", bound, not is_open),
    "high": lambda _space, bound, is_open: ("low", bound, not is_open),
    "longer": lambda _space, count: ("shorter", count - 1),
    "shorter": lambda _space, count: ("longer", count + 1),
    "each": lambda space, start, stop, item: ("some", start, stop, space.negate(item)),
    "some": lambda space, start, stop, item: ("each", start, stop, space.negate(item)),
    "least": lambda _space, count, item: ("most", count - 1, item),
    "most": lambda _space, count, item: ("least", count + 1, item),
    "all": lambda space, names, value: ("exists", names, space.negate(value)),
    "exists": lambda space, names, value: ("all", names, space.negate(value)),
}
