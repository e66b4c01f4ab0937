"""Whether one value satisfies one formula: true, false, or not known."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from contracts.compatibility.containment.names import Names
from contracts.compatibility.containment.nodes import Constraint, Node
from contracts.compatibility.containment.strings import has_format, matches
from contracts.compatibility.containment.values import exact, identity, type_of

_DEEPEST = 120
Truth = bool | None


class Evaluator:
    """Evaluates formulas; reads what they refer to as it goes."""

    def __init__(self, read: Callable[[Node], Node], spend: Callable[[], None]) -> None:
        self._read = read
        self._spend = spend
        self._depth = 0

    def holds(self, node: Node, value: Any) -> Truth:
        """Whether the value satisfies the formula."""
        match node.kind:
            case "true":
                return True
            case "false":
                return False
            case "and":
                return _every(self.holds(part, value) for part in node.args)
            case "or":
                return opposite(_every(opposite(self.holds(part, value)) for part in node.args))
            case "types":
                return bool(type_of(value) in node.args[0])
            case "literal":
                of, weak, constraint = node.args
                return self._keeps(constraint, value) if type_of(value) == of else weak
            case "sub":
                return self._deeper(node, value)
            case _:
                return None

    def _deeper(self, node: Node, value: Any) -> Truth:
        if self._depth > _DEEPEST:
            return None
        self._depth += 1
        try:
            return self.holds(self._read(node), value)
        finally:
            self._depth -= 1

    def _keeps(self, constraint: Constraint, value: Any) -> Truth:
        if isinstance(value, bool):
            return (value in constraint[1]) is (constraint[0] == "in")
        if isinstance(value, str):
            return _keeps_text(constraint, value)
        self._spend()
        if isinstance(value, list):
            return self._keeps_items(constraint, value)
        if isinstance(value, dict):
            return self._keeps_properties(constraint, value)
        return _keeps_number(constraint, value)

    def _keeps_items(self, constraint: Constraint, items: list[Any]) -> Truth:
        match constraint:
            case ("longer", count):
                return bool(len(items) >= count)
            case ("shorter", count):
                return bool(len(items) <= count)
            case ("each", start, stop, item):
                return _every(self.holds(item, value) for value in items[start:stop])
            case ("some", start, stop, item):
                return opposite(_every(opposite(self.holds(item, value)) for value in items[start:stop]))
            case ("least", count, item):
                return opposite(self._at_most(count - 1, item, items))
            case ("most", count, item):
                return self._at_most(count, item, items)
            case (kind,):
                return (len({identity(item) for item in items}) == len(items)) is (kind == "unique")
            case _:
                return None

    def _at_most(self, count: int, node: Node, items: list[Any]) -> Truth:
        truths = [self.holds(node, item) for item in items]
        if truths.count(True) > count:
            return False
        return True if truths.count(True) + truths.count(None) <= count else None

    def _keeps_properties(self, constraint: Constraint, value: dict[str, Any]) -> Truth:
        match constraint:
            case ("longer", count):
                return bool(len(value) >= count)
            case ("shorter", count):
                return bool(len(value) <= count)
            case ("all", names, node):
                return _every(
                    _either(opposite(self.holds_name(names, name)), self.holds(node, item))
                    for name, item in value.items()
                )
            case ("exists", names, node):
                return opposite(
                    _every(
                        opposite(_every((self.holds_name(names, name), self.holds(node, item))))
                        for name, item in value.items()
                    )
                )
            case _:
                return None

    def holds_name(self, names: Names, name: str) -> Truth:
        """Whether a set of names has this one."""
        kind, content = names
        match kind:
            case "set":
                return bool(name in content)
            case "not":
                return opposite(self.holds_name(content, name))
            case "or":
                return opposite(_every(opposite(self.holds_name(part, name)) for part in content))
            case "longer":
                return bool(len(name) >= content)
            case "pattern":
                return matches(content, name)
            case _:
                return self.holds(content, name)


def _keeps_number(constraint: Constraint, value: Any) -> Truth:
    number = exact(value)
    match constraint:
        case ("low", bound, is_open):
            return bool(number > bound or (number == bound and not is_open))
        case ("high", bound, is_open):
            return bool(number < bound or (number == bound and not is_open))
        case ("mul", factor):
            return bool((number / factor).denominator == 1)
        case ("nmul", factor):
            return bool((number / factor).denominator != 1)
        case (kind, numbers):
            return (number in numbers) is (kind == "in")
        case _:
            return None


def _keeps_text(constraint: Constraint, text: str) -> Truth:
    match constraint:
        case ("longer", length):
            return bool(len(text) >= length)
        case ("shorter", length):
            return bool(len(text) <= length)
        case ("pattern", pattern):
            return matches(pattern, text)
        case ("npattern", pattern):
            return opposite(matches(pattern, text))
        case ("format", name):
            return has_format(name, text)
        case ("nformat", name):
            return not has_format(name, text)
        case (kind, words):
            return (text in words) is (kind == "in")
        case _:
            return None


def opposite(truth: Truth) -> Truth:
    """Not; what is not known stays so."""
    return None if truth is None else not truth


def _either(one: Truth, other: Truth) -> Truth:
    return opposite(_every((opposite(one), opposite(other))))


def _every(truths: Iterable[Truth]) -> Truth:
    is_sure = True
    for truth in truths:
        if truth is False:
            return False
        is_sure = is_sure and truth is True
    return True if is_sure else None
