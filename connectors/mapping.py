"""The mapping of a configuration file: how a record becomes event data, or an event a request. Pure.

A mapping is written in YAML and compiled once:

| written                                            | gives                                              |
|----------------------------------------------------|----------------------------------------------------|
| `$.name`, `$["Date of birth"]`, `$`                | the value at that path                             |
| `text`, `17`, `true`, `null`                       | itself; `$$5` is the text `$5`                     |
| `{a: ..., b: ...}`, `[..., ...]`                   | an object or a list of mapped values               |
| `{from: $.born, as: date, format: "%d/%m/%Y"}`     | the value, converted                               |
| `{from: $.phone, as: [trim], optional: true}`      | the same, left out when absent, null or empty      |
| `{from: $.sex, as: lookup, values: {M: male}}`     | the value's entry in a table                       |
| `{from: $.country, default: FR}`                   | the value, or the default when absent or empty     |

A field of the data that is really called `from` is written `$from`.
"""

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.conversion import CONVERTERS, ConversionOptions, ValueConversionError, zone_named
from connectors.errors import RecordRejectedError
from contracts import DataPath

Place = tuple[str | int, ...]
_MISSING = object()
_LEFT_OUT = object()
_OPTIONS = ("as", "comma", "default", "format", "from", "optional", "time_zone", "values")


class MappingSyntaxError(ValueError):
    """A mapping that cannot be compiled.

    Attributes:
        place: Where in the mapping, keys and indexes from its root.
        fix: What to write instead.
    """

    def __init__(self, message: str, place: Place, fix: str) -> None:
        super().__init__(message)
        self.place = place
        self.fix = fix


class Expression(ABC):
    """A compiled mapping."""

    __slots__ = ()

    @abstractmethod
    def evaluate(self, root: Any) -> Any:
        """The mapped value.

        Raises:
            RecordRejectedError: The record lacks something, or something does not convert.
        """

    def paths(self) -> Iterator[tuple[DataPath, Place]]:
        """Every path that is read, with its place in the mapping."""
        yield from ()


@dataclass(frozen=True, slots=True)
class Constant(Expression):
    """A value that is the same for every record."""

    value: Any

    def evaluate(self, root: Any) -> Any:  # noqa: ARG002 - a constant looks at nothing
        """The value."""
        return self.value


@dataclass(frozen=True, slots=True)
class ValueAt(Expression):
    """A value taken from the record, converted step by step.

    Attributes:
        path: Where it is.
        place: Where the path is written.
        steps: Names of converters, in order.
        options: What the converters may need.
        default: What stands in for an absent or empty value.
        optional: Whether an absent or empty value is left out.
    """

    path: DataPath
    place: Place
    steps: tuple[str, ...] = ()
    options: ConversionOptions = field(default_factory=ConversionOptions)
    default: Any = _MISSING
    optional: bool = False

    def evaluate(self, root: Any) -> Any:
        """The value, converted; see `Expression.evaluate`."""
        value = self.path.look_up(root, _MISSING)
        if (self.optional or self.default is not _MISSING) and _is_empty(value):
            return _LEFT_OUT if self.default is _MISSING else self.default
        if value is _MISSING:
            raise RecordRejectedError("Expected a value, found none", path=self.path.text)
        for step in self.steps:
            try:
                value = CONVERTERS[step](value, self.options)
            except ValueConversionError as error:
                raise RecordRejectedError(str(error), path=self.path.text) from None
        return value

    def paths(self) -> Iterator[tuple[DataPath, Place]]:
        """The one path."""
        yield self.path, self.place


@dataclass(frozen=True, slots=True)
class ObjectOf(Expression):
    """An object of mapped values."""

    fields: Mapping[str, Expression]

    def evaluate(self, root: Any) -> dict[str, Any]:
        """The object, without the fields that are left out."""
        values = {name: expression.evaluate(root) for name, expression in self.fields.items()}
        return {name: value for name, value in values.items() if value is not _LEFT_OUT}

    def paths(self) -> Iterator[tuple[DataPath, Place]]:
        """Those of its fields."""
        for expression in self.fields.values():
            yield from expression.paths()


@dataclass(frozen=True, slots=True)
class ListOf(Expression):
    """A list of mapped values."""

    items: tuple[Expression, ...]

    def evaluate(self, root: Any) -> list[Any]:
        """The list, without the items that are left out."""
        values = (expression.evaluate(root) for expression in self.items)
        return [value for value in values if value is not _LEFT_OUT]

    def paths(self) -> Iterator[tuple[DataPath, Place]]:
        """Those of its items."""
        for expression in self.items:
            yield from expression.paths()


def value_of(expression: Expression | None, root: Any) -> Any | None:
    """The mapped value, None where there is no expression or it is left out."""
    value = None if expression is None else expression.evaluate(root)
    return None if value is _LEFT_OUT else value


def compile_mapping(node: Any, place: Place = ()) -> Expression:
    """Compile a mapping as YAML gives it.

    Args:
        node: The mapping.
        place: Where it stands in its file, for errors.

    Raises:
        MappingSyntaxError: Something in it cannot be understood; the error says where.
    """
    match node:
        case str() if node.startswith("$$"):
            return Constant(node[1:])
        case str() if node.startswith("$"):
            return ValueAt(_path(node, place), place)
        case {"from": _}:
            return _conversion(node, place)
        case Mapping():
            return ObjectOf(
                {_field_name(name): compile_mapping(value, (*place, name)) for name, value in node.items()}
            )
        case list():
            return ListOf(tuple(compile_mapping(item, (*place, index)) for index, item in enumerate(node)))
        case _:
            return Constant(node)


def _field_name(written: str) -> str:
    return written.removeprefix("$")


def _is_empty(value: Any) -> bool:
    return value is _MISSING or value is None or (isinstance(value, str) and not value.strip())


def _path(text: Any, place: Place) -> DataPath:
    try:
        return DataPath.parse(text if isinstance(text, str) else "")
    except ValueError as error:
        raise MappingSyntaxError(str(error), place, 'write a path such as $.name or $["Full name"]') from None


def _conversion(node: Mapping[str, Any], place: Place) -> ValueAt:
    for name in node:
        if name not in _OPTIONS:
            near = difflib.get_close_matches(name, _OPTIONS, 1)
            raise MappingSyntaxError(
                f"unknown option `{name}` beside `from`",
                (*place, name),
                f"did you mean `{near[0]}`?" if near else f"write one of {', '.join(_OPTIONS)}",
            )
    for name, kind in (
        ("optional", bool),
        ("comma", bool),
        ("format", str),
        ("time_zone", str),
        ("values", dict),
    ):
        if name in node and not isinstance(node[name], kind):
            raise MappingSyntaxError(f"wrong type for `{name}`", (*place, name), f"write a {kind.__name__}")
    return ValueAt(
        path=_path(node["from"], (*place, "from")),
        place=(*place, "from"),
        steps=_steps(node, place),
        options=_conversion_options(node, place),
        default=node.get("default", _MISSING),
        optional=node.get("optional", False),
    )


def _conversion_options(node: Mapping[str, Any], place: Place) -> ConversionOptions:
    try:
        zone = zone_named(node["time_zone"]) if "time_zone" in node else None
    except ValueConversionError as error:
        raise MappingSyntaxError("unknown time zone", (*place, "time_zone"), str(error)) from None
    return ConversionOptions(
        format=node.get("format"), zone=zone, comma=node.get("comma", False), values=node.get("values", {})
    )


def _steps(node: Mapping[str, Any], place: Place) -> tuple[str, ...]:
    written = node.get("as", [])
    steps = written if isinstance(written, list) else [written]
    for step in steps:
        if not isinstance(step, str) or step not in CONVERTERS:
            near = difflib.get_close_matches(str(step), CONVERTERS, 1)
            raise MappingSyntaxError(
                f"unknown converter `{step}`",
                (*place, "as"),
                f"did you mean `{near[0]}`?" if near else f"write one of {', '.join(CONVERTERS)}",
            )
    return tuple(steps)
