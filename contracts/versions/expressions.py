"""Expressions of JSON-e: read once, with the column of every fault, and evaluated many times.

Law: a value depends only on the variables; its time on their size and that of the expression. Numbers are
exact. No message holds a value of the data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, TypeAlias, TypeVar

from contracts.names import meant
from contracts.versions.converters import ConversionOptions, kind_of
from contracts.versions.functions import FUNCTIONS, Function, Signature
from contracts.versions.numbers import ValueConversionError, bounded, exact, is_number, plain_value
from contracts.versions.run import Run

MAX_LENGTH: Final = 8_000
"""Characters of one expression."""
MAX_NESTING: Final = 24
"""Brackets inside brackets."""

Names: TypeAlias = Mapping[str, Any]
Result = TypeVar("Result")
Evaluate: TypeAlias = Callable[[Names, Run], Any]

_TOKEN: Final = re.compile(
    r"(?P<space>\s+)|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<name>[A-Za-z_][A-Za-z_0-9]*)|"
    r"""(?P<text>'[^']*'|"[^"]*")|(?P<mark>\*\*|>=|<=|==|!=|&&|\|\||[-+*/\[\](){}:,.<>!])"""
)
_LEVELS: Final = (
    ("||",),
    ("&&",),
    ("in",),
    ("==", "!="),
    ("<", ">", "<=", ">="),
    ("+", "-"),
    ("*", "/"),
)
_WORDS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}
_CLOCK: Final = ("fromNow", "now")


class ExpressionError(ValueError):
    """An expression cannot be read, or has no value for this data; the message quotes no data.

    Attributes:
        at: Where in the expression, in characters from its start.
    """

    def __init__(self, what: str, at: int) -> None:
        super().__init__(what)
        self.at = at


@dataclass(frozen=True, slots=True)
class CompiledExpression:
    """An expression, read.

    Attributes:
        source: As it is written.
        evaluate: Gives its value. Raises `ExpressionError`, and `CostError` where the run is too long.
    """

    source: str
    evaluate: Evaluate


def read_expression(text: str, names: frozenset[str]) -> CompiledExpression:
    """Read a text that is one expression.

    Args:
        text: The expression.
        names: The variables that it may use.

    Raises:
        ExpressionError: It cannot be read.
    """
    reader = _Reader(text, 0, names)
    node = reader.whole()
    if reader.token.kind != "end":
        raise reader.unexpected("an operator or the end")
    return CompiledExpression(text, _settled(node))


def read_part(text: str, start: int, names: frozenset[str]) -> tuple[CompiledExpression, int]:
    """Read the expression of `${...}` in a text.

    Args:
        text: The text.
        start: Where the expression begins.
        names: The variables that it may use.

    Returns:
        The expression, and where its `}` is.

    Raises:
        ExpressionError: It cannot be read; `at` counts from the start of the text.
    """
    reader = _Reader(text, start, names)
    node = reader.whole()
    if reader.token.value != "}" or reader.token.kind != "mark":
        raise reader.unexpected("`}`")
    return CompiledExpression(text[start : reader.token.at], node.evaluate), reader.token.at


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    at: int


_UNSET: Final = object()


@dataclass(frozen=True, slots=True)
class _Node:
    """A part of an expression; `constant` is its value where that is known when it is read."""

    evaluate: Evaluate
    at: int
    constant: Any = _UNSET
    entries: Mapping[str, _Node] = field(default_factory=dict)


def _settled(node: _Node) -> Evaluate:
    """The value as JSON holds it."""

    def evaluate(names: Names, run: Run) -> Any:
        value = node.evaluate(names, run)
        return _checked(plain_value, node.at, value) if isinstance(value, Fraction) else value

    return evaluate


def _checked(call: Callable[..., Result], at: int, *arguments: Any) -> Result:
    try:
        return call(*arguments)
    except ValueConversionError as error:
        raise ExpressionError(str(error), at) from None


class _Reader:
    """Reads one expression by precedence, as JSON-e does; `-a.b` is the negative of `a.b`."""

    def __init__(self, text: str, start: int, names: frozenset[str]) -> None:
        self.text = text
        self.names = names
        self.start = start
        self.nesting = 0
        self.token = self._next(start)

    def whole(self) -> _Node:
        if self.token.kind == "end":
            raise self.unexpected("an expression")
        return self._binary(0)

    def unexpected(self, expected: str) -> ExpressionError:
        got = "the end" if self.token.kind == "end" else f"`{self.token.value[:40]}`"
        if self.token.value == "**":
            return ExpressionError("`**` is not allowed in a conversion", self.token.at)
        return ExpressionError(f"Expected {expected}, got {got}", self.token.at)

    def _next(self, position: int) -> _Token:
        while True:
            if position - self.start > MAX_LENGTH:
                raise ExpressionError(f"Expected at most {MAX_LENGTH:,} characters", self.start)
            if position >= len(self.text):
                return _Token("end", "", position)
            match = _TOKEN.match(self.text, position)
            if match is None:
                what = (
                    "an end of this text"
                    if self.text[position] in "'\""
                    else "a name, a number or an operator"
                )
                raise ExpressionError(f"Expected {what}, got `{self.text[position]}`", position)
            if match.lastgroup != "space":
                return _Token(str(match.lastgroup), match[0], position)
            position = match.end()

    def _take(self) -> _Token:
        taken = self.token
        self.token = self._next(taken.at + len(taken.value))
        return taken

    def _has(self, *values: str) -> bool:
        return self.token.kind in ("mark", "name") and self.token.value in values

    def _expect(self, value: str) -> _Token:
        if not self._has(value):
            raise self.unexpected(f"`{value}`")
        return self._take()

    def _binary(self, level: int) -> _Node:
        if level == len(_LEVELS):
            return self._unary()
        first = self._binary(level + 1)
        rest: list[tuple[_Token, _Node]] = []
        while self._has(*_LEVELS[level]):
            operator = self._take()
            rest.append((operator, self._binary(level + 1)))
        return _chain(first, rest) if rest else first

    def _unary(self) -> _Node:
        signs = []
        while self._has("-", "+", "!"):
            signs.append(self._take())
        if len(signs) > MAX_NESTING:
            raise ExpressionError(f"Expected at most {MAX_NESTING} signs before a value", signs[0].at)
        node = self._access()
        for sign in reversed(signs):
            node = _sign(sign, node)
        if self.token.value == "**":
            raise self.unexpected("an operator")
        return node

    def _access(self) -> _Node:
        node = self._unit()
        while self._has("[", "."):
            if self._has("."):
                self._take()
                if self.token.kind != "name":
                    raise self.unexpected("a name")
                node = _property(node, self._take())
            else:
                node = self._bracket(node)
        if self._has("("):
            raise self.unexpected("an operator or the end")
        return node

    def _unit(self) -> _Node:
        token = self.token
        if token.kind == "number":
            self._take()
            return _constant(token.at, _checked(bounded, token.at, Fraction(token.value)))
        if token.kind == "text":
            self._take()
            return _constant(token.at, token.value[1:-1])
        if token.kind == "name" and token.value != "in":
            self._take()
            if token.value in _WORDS:
                return _constant(token.at, _WORDS[token.value])
            return self._call(token) if self._has("(") else self._variable(token)
        if not self._has("(", "[", "{"):
            raise self.unexpected("a value")
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise ExpressionError(f"Expected at most {MAX_NESTING} brackets inside each other", token.at)
        node = self._group() if token.value == "(" else self._list() if token.value == "[" else self._object()
        self.nesting -= 1
        return node

    def _group(self) -> _Node:
        self._take()
        node = self.whole()
        self._expect(")")
        return node

    def _many(self, end: str) -> list[_Node]:
        self._take()
        nodes: list[_Node] = []
        while not self._has(end):
            if nodes:
                if not self._has(","):
                    raise self.unexpected(f"`,` or `{end}`")
                self._take()
            nodes.append(self._binary(0))
        self._take()
        return nodes

    def _list(self) -> _Node:
        at = self.token.at
        items = [(_settled(node), node) for node in self._many("]")]

        def evaluate(names: Names, run: Run) -> Any:
            run.spend(len(items))
            return [item(names, run) for item, _ in items]

        return _Node(evaluate, at, _folded(evaluate, [node for _, node in items]))

    def _object(self) -> _Node:
        at = self._take().at
        entries: dict[str, _Node] = {}
        while not self._has("}"):
            if entries:
                if not self._has(","):
                    raise self.unexpected("`,` or `}`")
                self._take()
            if self.token.kind not in ("name", "text"):
                raise self.unexpected("a name")
            key = self._take()
            self._expect(":")
            entries[key.value[1:-1] if key.kind == "text" else key.value] = self._binary(0)
        self._take()
        settled = {name: _settled(node) for name, node in entries.items()}

        def evaluate(names: Names, run: Run) -> Any:
            run.spend(len(settled))
            return {name: value(names, run) for name, value in settled.items()}

        return _Node(evaluate, at, _folded(evaluate, list(entries.values())), entries)

    def _variable(self, token: _Token) -> _Node:
        name = token.value
        if name in _CLOCK:
            raise ExpressionError(f"`{name}` is not allowed in a conversion: it reads the clock", token.at)
        if name not in self.names:
            hint = "; a function is called with `(`" if name in FUNCTIONS else meant(name, self.names)
            raise ExpressionError(f"unknown name `{name[:80]}`{hint}", token.at)
        return _Node(lambda names, _run: names[name], token.at)

    def _bracket(self, node: _Node) -> _Node:
        at = self._take().at
        first = None if self._has(":") else self._binary(0)
        if self._has("]"):
            self._take()
            return _index(node, first, at) if first else node
        if not self._has(":"):
            raise self.unexpected("`]` or `:`")
        self._take()
        last = None if self._has("]") else self._binary(0)
        self._expect("]")
        return _slice(node, first, last, at)

    def _call(self, token: _Token) -> _Node:
        function = FUNCTIONS.get(token.value)
        if function is None:
            raise ExpressionError(_unknown_function(token.value), token.at)
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise ExpressionError(f"Expected at most {MAX_NESTING} brackets inside each other", token.at)
        arguments = self._many(")")
        self.nesting -= 1
        return _call(token, function, arguments)


def _unknown_function(name: str) -> str:
    if name in _CLOCK:
        return f"`{name}` is not allowed in a conversion: it reads the clock"
    return f"unknown function `{name[:80]}`{meant(name, FUNCTIONS)}"


def _constant(at: int, value: Any) -> _Node:
    return _Node(lambda _names, _run: value, at, value)


def _folded(evaluate: Evaluate, nodes: list[_Node]) -> Any:
    known = all(node.constant is not _UNSET for node in nodes)
    return evaluate({}, Run()) if known else _UNSET


def _call(token: _Token, function: Function, arguments: list[_Node]) -> _Node:
    at = token.at
    words = function.signature
    if not words.least <= len(arguments) <= words.most:
        raise ExpressionError(f"Expected {words.told(token.value)}", at)
    options = _options(token, words, arguments)
    values = [node.evaluate for node in arguments[: words.values]]

    def evaluate(names: Names, run: Run) -> Any:
        given = [value(names, run) for value in values]
        beside = options(names, run)
        try:
            made = function.call(given, beside, run)
        except ValueConversionError as error:
            raise ExpressionError(f"`{token.value}`: {error}", at) from None
        run.hold(made)
        return made

    return _Node(evaluate, at)


def _options(
    token: _Token, words: Signature, arguments: list[_Node]
) -> Callable[[Names, Run], ConversionOptions]:
    """Gives the options of a call; those that are constant are checked and read once."""
    node = arguments[words.values] if len(arguments) > words.values else None
    entries = {} if node is None else node.entries
    at = token.at if node is None else node.at
    if node is not None and (not entries or not words.options):
        raise ExpressionError(f"Expected {words.told(token.value)}", at)
    for name, entry in entries.items():
        if name not in words.options:
            what = f"unknown option `{name[:80]}` of `{token.value}`{meant(name, words.options)}"
            raise ExpressionError(what, entry.at)
    if (lacking := words.lacks(entries)) is not None:
        raise ExpressionError(f"`{token.value}` without {lacking}", at)
    if all(entry.constant is not _UNSET for entry in entries.values()):
        read = _checked(words.read, at, {name: entry.constant for name, entry in entries.items()})
        return lambda _names, _run: read

    def evaluate(names: Names, run: Run) -> ConversionOptions:
        given = {name: _settled(entry)(names, run) for name, entry in entries.items()}
        return _checked(words.read, at, given)

    return evaluate


def _property(node: _Node, token: _Token) -> _Node:
    name, at, value_of = token.value, token.at, node.evaluate

    def evaluate(names: Names, run: Run) -> Any:
        run.spend(1)
        value = value_of(names, run)
        if not isinstance(value, dict):
            raise ExpressionError(f"Expected `object` before `.{name}`, got `{kind_of(value)}`", at)
        if name not in value:
            raise ExpressionError(f'object has no property "{name}"', at)
        return value[name]

    return _Node(evaluate, at)


def _index(node: _Node, index: _Node, at: int) -> _Node:
    def evaluate(names: Names, run: Run) -> Any:
        run.spend(1)
        value, step = node.evaluate(names, run), index.evaluate(names, run)
        if isinstance(value, dict):
            if not isinstance(step, str):
                raise ExpressionError(f"Expected a name in `[ ]`, got `{kind_of(step)}`", index.at)
            return value.get(step)
        if not isinstance(value, list | str):
            raise ExpressionError(f"Expected `object`, `array` or `string`, got `{kind_of(value)}`", at)
        whole = _whole(step, index.at)
        if not -len(value) <= whole < len(value):
            raise ExpressionError("index out of bounds", index.at)
        return value[whole]

    return _Node(evaluate, at)


def _slice(node: _Node, first: _Node | None, last: _Node | None, at: int) -> _Node:
    def evaluate(names: Names, run: Run) -> Any:
        value = node.evaluate(names, run)
        if not isinstance(value, list | str):
            raise ExpressionError(f"Expected `array` or `string`, got `{kind_of(value)}`", at)
        start = _whole(first.evaluate(names, run), first.at) if first else None
        end = _whole(last.evaluate(names, run), last.at) if last else None
        part = value[start:end]
        run.hold(part)
        return part

    return _Node(evaluate, at)


def _whole(value: Any, at: int) -> int:
    number = _checked(exact, at, value) if is_number(value) else None
    if not isinstance(number, int):
        raise ExpressionError(f"Expected a whole number in `[ ]`, got `{kind_of(value)}`", at)
    return number


def _sign(sign: _Token, node: _Node) -> _Node:
    def evaluate(names: Names, run: Run) -> Any:
        value = node.evaluate(names, run)
        if sign.value == "!":
            return not value
        if not is_number(value):
            raise ExpressionError(f"Expected `number` after `{sign.value}`, got `{kind_of(value)}`", sign.at)
        number = _checked(exact, sign.at, value)
        return -number if sign.value == "-" else number

    return _Node(evaluate, sign.at, _folded(evaluate, [node]))


def _chain(first: _Node, rest: list[tuple[_Token, _Node]]) -> _Node:
    """The value of operators of one level, from left to right."""
    steps = [(operator.value, operator.at, node.evaluate) for operator, node in rest]

    def evaluate(names: Names, run: Run) -> Any:
        value = first.evaluate(names, run)
        for operator, at, right in steps:
            run.spend(1)
            if operator == "&&":
                value = bool(value and right(names, run))
            elif operator == "||":
                value = bool(value or right(names, run))
            else:
                value = _combined(operator, at, value, right(names, run), run)
        return value

    return _Node(evaluate, first.at)


def _combined(operator: str, at: int, left: Any, right: Any, run: Run) -> Any:
    match operator:
        case "==":
            return _checked(equal, at, left, right, run)
        case "!=":
            return not _checked(equal, at, left, right, run)
        case "in":
            return _checked(_within, at, at, left, right, run)
        case _:
            return _of_two(operator, at, left, right, run)


def _of_two(operator: str, at: int, left: Any, right: Any, run: Run) -> Any:
    if isinstance(left, str) and isinstance(right, str) and operator not in ("-", "*", "/"):
        if operator == "+":
            run.hold(made := left + right)
            return made
        return _ordered(operator, left, right)
    if not (is_number(left) and is_number(right)):
        kinds = "numbers" if operator in ("-", "*", "/") else "two numbers or two strings"
        raise ExpressionError(
            f"Expected {kinds} around `{operator}`, got `{kind_of(left)}` and `{kind_of(right)}`", at
        )
    one, other = (value if type(value) is int else _checked(exact, at, value) for value in (left, right))
    if operator in ("<", ">", "<=", ">="):
        return _ordered(operator, one, other)
    return _checked(_calculated, at, operator, one, other)


def _calculated(operator: str, left: Any, right: Any) -> Any:
    match operator:
        case "+":
            return bounded(left + right)
        case "-":
            return bounded(left - right)
        case "*":
            return bounded(left * right)
        case _:
            if right == 0:
                raise ValueConversionError("division by zero")
            return bounded(Fraction(left) / right)


def _ordered(operator: str, left: Any, right: Any) -> bool:
    match operator:
        case "<":
            return bool(left < right)
        case ">":
            return bool(left > right)
        case "<=":
            return bool(left <= right)
        case _:
            return bool(left >= right)


def _within(at: int, left: Any, right: Any, run: Run) -> bool:
    if isinstance(right, list):
        return any(equal(left, item, run) for item in right)
    if isinstance(right, dict | str) and isinstance(left, str):
        run.hold(right) if isinstance(right, str) else run.spend(1)
        return left in right
    raise ExpressionError(
        "Expected `in` between a string and a string or an object, or before an array, "
        f"got `{kind_of(left)}` and `{kind_of(right)}`",
        at,
    )


def equal(left: Any, right: Any, run: Run) -> bool:
    """Whether two values are the same in JSON: numbers by value, a boolean is no number."""
    rest = [(left, right)]
    while rest:
        one, other = rest.pop()
        run.spend(1)
        if type(one) is type(other) and not isinstance(one, dict | list):
            if one != other:
                return False
        elif isinstance(one, dict) and isinstance(other, dict):
            run.spend(len(one))
            if one.keys() != other.keys():
                return False
            rest.extend((value, other[name]) for name, value in one.items())
        elif isinstance(one, list) and isinstance(other, list):
            if len(one) != len(other):
                return False
            rest.extend(zip(one, other, strict=True))
        elif not (is_number(one) and is_number(other) and exact(one) == exact(other)):
            return False
    return True
