"""Documents of JSON-e: read once, with all their faults, and applied many times.

Law: a result depends only on the variables; its time is bounded by `Run`. Data is never evaluated. A fault
says where in the document it is and in which expression, and quotes no data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from contracts.names import meant
from contracts.paths import Step
from contracts.versions.converters import kind_of
from contracts.versions.expressions import (
    CompiledExpression,
    ExpressionError,
    Names,
    read_expression,
    read_part,
)
from contracts.versions.functions import text_of
from contracts.versions.numbers import ValueConversionError, exact, is_number
from contracts.versions.run import Run

OPERATORS: Final = frozenset(
    {"$eval", "$flatten", "$if", "$let", "$map", "$merge", "$mergeDeep", "$reverse", "$sort", "$switch"}
)
MAX_MAPS: Final = 2
"""Levels of nested `$map`."""

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_RESERVED: Final = re.compile(r"\$[A-Za-z_]\w*")
_VARIABLE: Final = re.compile(_NAME)
_EACH: Final = re.compile(rf"each\(\s*(?P<value>{_NAME})\s*(?:,\s*(?P<index>{_NAME})\s*)?\)")
_BY: Final = re.compile(rf"by\(\s*(?P<value>{_NAME})\s*\)")
_OPENING: Final = re.compile(r"\$?\$\{")
_DELETED: Final = object()

Steps: TypeAlias = tuple[Step, ...]
Render: TypeAlias = Callable[[Names, Run], Any]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a document.

    Attributes:
        steps: The keys and indexes that lead to the value.
        in_name: Whether it is in the last key itself, not in its value.
        at: Which character of that text it is, from 0; None for all of it.
        expression: The expression that it is in, or the operator.
    """

    steps: Steps
    in_name: bool = False
    at: int | None = None
    expression: str = ""


class TemplateError(ValueError):
    """A document has no result for this data.

    Attributes:
        spot: Where in the document.
    """

    def __init__(self, what: str, spot: Spot) -> None:
        super().__init__(what)
        self.spot = spot


@dataclass(frozen=True, slots=True)
class Template:
    """A document, read.

    Attributes:
        faults: Everything that is wrong with it; a document with faults has no result.
    """

    render: Render
    faults: tuple[TemplateError, ...]

    def result(self, names: Names, run: Run) -> Any:
        """The document with the values of its expressions; None where it has none.

        Raises:
            TemplateError: The document has faults, or no result for this data.
            CostError: The run is too long.
        """
        if self.faults:
            raise self.faults[0]
        value = self.render(names, run)
        return None if value is _DELETED else value


def read_template(document: object, names: frozenset[str]) -> Template:
    """Read a document.

    Args:
        document: A JSON value. A `Decimal` in it is a number that a float would alter.
        names: The variables that its expressions may use.
    """
    reader = _Reader()
    render = reader.value(document, (), names, 0)
    return Template(render, tuple(reader.faults))


@dataclass(frozen=True, slots=True)
class _Part:
    """An object with an operator; `maps` counts the levels of `$map` around it."""

    operator: str
    node: Mapping[str, Any]
    steps: Steps
    names: frozenset[str]
    maps: int

    @property
    def value(self) -> Any:
        """The value beside the operator."""
        return self.node[self.operator]

    @property
    def here(self) -> Steps:
        """Where that value is."""
        return (*self.steps, self.operator)

    @property
    def spot(self) -> Spot:
        """Where the operator is, for faults that only data shows."""
        return Spot(self.here, in_name=True, expression=self.operator)


class _Reader:
    def __init__(self) -> None:
        self.faults: list[TemplateError] = []

    def value(self, node: Any, steps: Steps, names: frozenset[str], maps: int) -> Render:
        """Gives the value of a part of the document."""
        match node:
            case str():
                return self._text(node, Spot(steps), names)
            case Mapping():
                return self._mapping(node, steps, names, maps)
            case list():
                items = [self.value(item, (*steps, index), names, maps) for index, item in enumerate(node)]
                return lambda given, run: _items(items, given, run)
            case Decimal():
                return self._fault("Expected a number of at most 17 digits, which JSON keeps", Spot(steps))
            case _:
                return lambda _given, _run: node

    def _fault(self, what: str, spot: Spot) -> Render:
        self.faults.append(TemplateError(what, spot))
        return _nothing

    def _mapping(self, node: Mapping[str, Any], steps: Steps, names: frozenset[str], maps: int) -> Render:
        found = [name for name in node if name in OPERATORS]
        if not found:
            return self._object(node, steps, names, maps)
        if len(found) > 1:
            what = f"`{found[0]}` and `{found[1]}` are in one object; an object has one operator"
            return self._fault(what, Spot((*steps, found[1]), in_name=True))
        operator = found[0]
        if operator == "$map" and maps >= MAX_MAPS:
            self._fault(
                f"`$map` is nested more than {MAX_MAPS} levels deep", Spot(steps, expression=operator)
            )
        read = {
            "$eval": self._eval,
            "$if": self._if,
            "$let": self._let,
            "$map": self._map,
            "$sort": self._sort,
            "$switch": self._switch,
        }.get(operator, self._whole)
        return read(_Part(operator, node, steps, names, maps))

    def _object(self, node: Mapping[str, Any], steps: Steps, names: frozenset[str], maps: int) -> Render:
        fields: list[tuple[Render, Render]] = []
        for name, value in node.items():
            here = (*steps, name)
            if name.startswith("$$") and not name.startswith("$${"):
                key: Render = _constant(name[1:])
            elif _RESERVED.fullmatch(name):
                self._fault(
                    f"`{name}` is not allowed in a conversion; {_allowed()}", Spot(here, in_name=True)
                )
                continue
            else:
                key = self._text(name, Spot(here, in_name=True), names)
            fields.append((key, self.value(value, here, names, maps)))

        def render(given: Names, run: Run) -> Any:
            run.spend(len(fields))
            made = {}
            for key, field in fields:
                name, value = key(given, run), field(given, run)
                if value is not _DELETED:
                    made[name] = value
            return made

        return render

    def _text(self, text: str, spot: Spot, names: frozenset[str]) -> Render:
        """Gives a text with the values of every `${...}` in it."""
        parts: list[str | tuple[CompiledExpression, Spot]] = []
        position = 0
        while (opening := _OPENING.search(text, position)) is not None:
            parts.append(text[position : opening.start()])
            position = opening.end()
            if opening[0] == "$${":
                parts.append("${")
                continue
            try:
                expression, end = read_part(text, position, names)
            except ExpressionError as error:
                whole = text[position:].partition("}")[0]
                return self._fault(str(error), Spot(spot.steps, spot.in_name, error.at, whole))
            parts.append((expression, Spot(spot.steps, spot.in_name, 0, expression.source)))
            position = end + 1
        parts.append(text[position:])
        if len(parts) == 1:
            return _constant(text)

        def render(given: Names, run: Run) -> str:
            made = []
            for part in parts:
                if isinstance(part, str):
                    made.append(part)
                    continue
                value = _evaluated(*part, given, run)
                try:
                    made.append("" if value is None else text_of(value))
                except ValueConversionError as error:
                    raise TemplateError(str(error), part[1]) from None
            whole = "".join(made)
            run.hold(whole)
            return whole

        return render

    def _expression(self, text: Any, steps: Steps, names: frozenset[str], *, in_name: bool = False) -> Render:
        spot = Spot(steps, in_name)
        if not isinstance(text, str):
            return self._fault(f"Expected an expression as text, got `{kind_of(text)}`", spot)
        try:
            expression = read_expression(text, names)
        except ExpressionError as error:
            return self._fault(str(error), Spot(steps, in_name, error.at, text))
        spot = Spot(steps, in_name, 0, text)
        return lambda given, run: _evaluated(expression, spot, given, run)

    def _only(self, part: _Part, *allowed: str, form: re.Pattern[str] | None = None) -> None:
        for name in part.node:
            if name != part.operator and name not in allowed and not (form and form.fullmatch(name)):
                what = f"`{name[:80]}` is not known beside `{part.operator}`{meant(name, allowed)}"
                self._fault(what, Spot((*part.steps, name), in_name=True))

    def _eval(self, part: _Part) -> Render:
        self._only(part)
        return self._expression(part.value, part.here, part.names)

    def _if(self, part: _Part) -> Render:
        self._only(part, "then", "else")
        holds = self._expression(part.value, part.here, part.names)
        ways = {
            name: self.value(part.node[name], (*part.steps, name), part.names, part.maps)
            if name in part.node
            else _nothing
            for name in ("then", "else")
        }
        return lambda given, run: ways["then" if holds(given, run) else "else"](given, run)

    def _let(self, part: _Part) -> Render:
        self._only(part, "in")
        written = part.value
        if not isinstance(written, Mapping) or "in" not in part.node:
            return self._fault(
                "Expected `$let` as an object of names and values, with `in` beside it", Spot(part.steps)
            )
        values = {}
        for name, value in written.items():
            here = (*part.here, name)
            if not _VARIABLE.fullmatch(name):
                self._fault(
                    f"Expected a name of letters, digits and `_`, got `{name[:80]}`", Spot(here, in_name=True)
                )
            values[name] = self.value(value, here, part.names, part.maps)
        inner = self.value(part.node["in"], (*part.steps, "in"), part.names | values.keys(), part.maps)

        def render(given: Names, run: Run) -> Any:
            made = {name: value(given, run) for name, value in values.items()}
            known = {name: None if value is _DELETED else value for name, value in made.items()}
            return inner({**given, **known}, run)

        return render

    def _map(self, part: _Part) -> Render:
        self._only(part, form=_EACH)
        each = [name for name in part.node if _EACH.fullmatch(name)]
        if len(each) != 1:
            return self._fault(
                "Expected one `each(name)` or `each(name, index)` beside `$map`", Spot(part.steps)
            )
        form = _EACH.fullmatch(each[0])
        item, index = (form["value"], form["index"]) if form else ("", None)
        source = self.value(part.value, part.here, part.names, part.maps + 1)
        names = part.names | {item} | ({index} if index else set())
        inner = self.value(part.node[each[0]], (*part.steps, each[0]), names, part.maps + 1)
        spot = part.spot

        def render(given: Names, run: Run) -> Any:
            value = source(given, run)
            if not isinstance(value, list | dict):
                raise TemplateError(f"Expected `array` or `object`, got `{_kind(value)}`", spot)
            made = []
            for number, one in value.items() if isinstance(value, dict) else enumerate(value):
                run.spend(1)
                alone = {"key": number, "val": one} if isinstance(value, dict) else one
                beside = {item: alone} if index is None else {item: one, index: number}
                result = inner({**given, **beside}, run)
                if result is not _DELETED:
                    made.append(result)
            return _merged(spot, made, run) if isinstance(value, dict) else made

        return render

    def _sort(self, part: _Part) -> Render:
        self._only(part, form=_BY)
        by = [name for name in part.node if _BY.fullmatch(name)]
        if len(by) > 1:
            return self._fault("Expected one `by(name)` beside `$sort`", Spot(part.steps))
        source = self.value(part.value, part.here, part.names, part.maps)
        spot = part.spot
        form = _BY.fullmatch(by[0]) if by else None
        item = form["value"] if form else ""
        rank = self._expression(part.node[by[0]], (*part.steps, by[0]), part.names | {item}) if by else None

        def render(given: Names, run: Run) -> Any:
            value = _list(spot, source(given, run))
            ranks = [one if rank is None else rank({**given, item: one}, run) for one in value]
            run.spend(len(value) * len(value).bit_length())
            if all(isinstance(each, str) for each in ranks):
                order = ranks
            elif all(is_number(each) for each in ranks):
                order = [exact(each) for each in ranks]
            else:
                raise TemplateError("Expected only numbers or only strings to sort", spot)
            return [value[number] for number in sorted(range(len(value)), key=order.__getitem__)]

        return render

    def _switch(self, part: _Part) -> Render:
        self._only(part)
        written = part.value
        if not isinstance(written, Mapping):
            return self._fault("Expected `$switch` as an object of conditions and values", Spot(part.here))
        ways: list[tuple[Render, Render]] = []
        default: Render = _nothing
        for name, value in written.items():
            here = (*part.here, name)
            way = self.value(value, here, part.names, part.maps)
            if name == "$default":
                default = way
            else:
                ways.append((self._expression(name, here, part.names, in_name=True), way))
        spot = part.spot

        def render(given: Names, run: Run) -> Any:
            true = [way for holds, way in ways if holds(given, run)]
            if len(true) > 1:
                raise TemplateError("Expected at most one condition that holds, got several", spot)
            return (true[0] if true else default)(given, run)

        return render

    def _whole(self, part: _Part) -> Render:
        self._only(part)
        source = self.value(part.value, part.here, part.names, part.maps)
        spot = part.spot
        work = {"$flatten": _flat, "$merge": _merged, "$mergeDeep": _merged_deep, "$reverse": _reversed}[
            part.operator
        ]
        return lambda given, run: work(spot, source(given, run), run)


def _allowed() -> str:
    return f"the allowed operators are {', '.join(f'`{name}`' for name in sorted(OPERATORS))}"


def _constant(value: Any) -> Render:
    return lambda _given, _run: value


def _nothing(_given: Names, _run: Run) -> Any:
    return _DELETED


def _kind(value: Any) -> str:
    return "nothing" if value is _DELETED else kind_of(value)


def _evaluated(expression: CompiledExpression, spot: Spot, given: Names, run: Run) -> Any:
    run.spend(1)
    try:
        return expression.evaluate(given, run)
    except ExpressionError as error:
        raise TemplateError(str(error), Spot(spot.steps, spot.in_name, error.at, spot.expression)) from None


def _items(items: list[Render], given: Names, run: Run) -> list[Any]:
    run.spend(len(items))
    values = (item(given, run) for item in items)
    return [value for value in values if value is not _DELETED]


def _list(spot: Spot, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TemplateError(f"Expected `array`, got `{_kind(value)}`", spot)
    return value


def _objects(spot: Spot, value: Any) -> list[dict[str, Any]]:
    parts = _list(spot, value)
    for part in parts:
        if not isinstance(part, dict):
            raise TemplateError(f"Expected an array of objects, got `{_kind(part)}` in it", spot)
    return parts


def _flat(spot: Spot, value: Any, run: Run) -> list[Any]:
    made: list[Any] = []
    for part in _list(spot, value):
        many = part if isinstance(part, list) else [part]
        run.spend(1 + len(many))
        made.extend(many)
    return made


def _reversed(spot: Spot, value: Any, run: Run) -> list[Any]:
    run.hold(value)
    return _list(spot, value)[::-1]


def _merged(spot: Spot, value: Any, run: Run) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in _objects(spot, value):
        run.spend(1 + len(part))
        made.update(part)
    return made


def _merged_deep(spot: Spot, value: Any, run: Run) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for part in _objects(spot, value):
        made = _together(made, part, run)
    return made


def _together(left: Any, right: Any, run: Run) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        run.spend(len(left) + len(right))
        return left + right
    if isinstance(left, dict) and isinstance(right, dict):
        run.spend(1 + len(left) + len(right))
        both = {name: _together(left[name], value, run) for name, value in right.items() if name in left}
        return {**left, **right, **both}
    return right
