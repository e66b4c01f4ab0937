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
| `{from: $.fees, as: [sum, decimal], digits: 2}`    | the sum of a list, as text with two digits         |
| `{from: $.country, default: FR}`                   | the value, or the default when absent or empty     |

A field of the data that is really called `from` is written `$from`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.errors import RecordRejectedError
from connectors.translation.codes import suggestion
from contracts import (
    CONVERSION_OPTIONS,
    CONVERTERS,
    ConversionOptionError,
    ConversionOptions,
    DataPath,
    ValueConversionError,
    plain_value,
    read_options,
)

Steps = tuple[str | int, ...]
_MISSING = object()
_LEFT_OUT = object()
FROM_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "as": {},
    "default": {},
    "from": {"type": "string", "pattern": r"^\$"},
    "optional": {"type": "boolean"},
}
"""What stands beside `from` besides the options of its converters, each with the JSON Schema of its value."""


class MappingSyntaxError(ValueError):
    """A mapping that cannot be compiled.

    Attributes:
        steps: Where in the document, keys and indexes from its root.
        fix: What to write instead.
    """

    def __init__(self, message: str, steps: Steps, fix: str) -> None:
        super().__init__(message)
        self.steps = steps
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

    def paths(self) -> Iterator[tuple[DataPath, Steps]]:
        """Every path that is read, with where it is written."""
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
        steps: Where the path is written.
        converters: Their names, in order.
        options: What the converters may need.
        default: The value where there is none or an empty one.
        optional: Whether an absent or empty value is left out.
    """

    path: DataPath
    steps: Steps
    converters: tuple[str, ...] = ()
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
        try:
            for name in self.converters:
                value = CONVERTERS[name](value, self.options)
            return plain_value(value)
        except ValueConversionError as error:
            raise RecordRejectedError(str(error), path=self.path.text) from None

    def paths(self) -> Iterator[tuple[DataPath, Steps]]:
        """The one path."""
        yield self.path, self.steps


@dataclass(frozen=True, slots=True)
class ObjectOf(Expression):
    """An object of mapped values."""

    fields: Mapping[str, Expression]

    def evaluate(self, root: Any) -> dict[str, Any]:
        """The object, without the fields that are left out."""
        values = {name: expression.evaluate(root) for name, expression in self.fields.items()}
        return {name: value for name, value in values.items() if value is not _LEFT_OUT}

    def paths(self) -> Iterator[tuple[DataPath, Steps]]:
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

    def paths(self) -> Iterator[tuple[DataPath, Steps]]:
        """Those of its items."""
        for expression in self.items:
            yield from expression.paths()


def value_of(expression: Expression | None, root: Any) -> Any | None:
    """The mapped value, None where there is no expression or it is left out."""
    value = None if expression is None else expression.evaluate(root)
    return None if value is _LEFT_OUT else value


def compile_mapping(node: Any, steps: Steps = ()) -> Expression:
    """Compile a mapping as YAML gives it.

    Args:
        node: The mapping.
        steps: Where it is in its document, for errors.

    Raises:
        MappingSyntaxError: Something in it cannot be understood; the error says where.
    """
    match node:
        case str() if node.startswith("$$"):
            return Constant(node[1:])
        case str() if node.startswith("$"):
            return ValueAt(_path(node, steps), steps)
        case {"from": _}:
            return _conversion(node, steps)
        case Mapping():
            return ObjectOf(
                {
                    name.removeprefix("$"): compile_mapping(value, (*steps, name))
                    for name, value in node.items()
                }
            )
        case list():
            return ListOf(tuple(compile_mapping(item, (*steps, index)) for index, item in enumerate(node)))
        case _:
            return Constant(node)


def _is_empty(value: Any) -> bool:
    return value is _MISSING or value is None or (isinstance(value, str) and not value.strip())


def _path(text: Any, steps: Steps) -> DataPath:
    try:
        return DataPath.parse(text if isinstance(text, str) else "")
    except ValueError as error:
        raise MappingSyntaxError(str(error), steps, 'write a path such as $.name or $["Full name"]') from None


def _conversion(node: Mapping[str, Any], steps: Steps) -> ValueAt:
    for name, value in node.items():
        if name not in FROM_OPTIONS and name not in CONVERSION_OPTIONS:
            what = f"unknown option `{name}` beside `from`"
            raise MappingSyntaxError(
                what, (*steps, name), suggestion(name, {**FROM_OPTIONS, **CONVERSION_OPTIONS})
            )
        if name == "optional" and not isinstance(value, bool):
            what = f"wrong type for `{name}`"
            raise MappingSyntaxError(what, (*steps, name), "write a boolean: true or false")
    written = node.get("as", [])
    converters = tuple(written) if isinstance(written, list) else (written,)
    for name in converters:
        if not isinstance(name, str) or name not in CONVERTERS:
            what = f"unknown converter `{name}`"
            raise MappingSyntaxError(what, (*steps, "as"), suggestion(str(name), CONVERTERS))
        if (lacking := CONVERTERS[name].lacks(node)) is not None:
            raise MappingSyntaxError(
                f"`{name}` without {lacking}", (*steps, "as"), f"write {lacking} beside it"
            )
    try:
        options = read_options({name: value for name, value in node.items() if name in CONVERSION_OPTIONS})
    except ConversionOptionError as error:
        raise MappingSyntaxError(str(error), (*steps, error.name), error.fix) from None
    return ValueAt(
        path=_path(node["from"], (*steps, "from")),
        steps=(*steps, "from"),
        converters=converters,
        options=options,
        default=node.get("default", _MISSING),
        optional=node.get("optional", False),
    )
