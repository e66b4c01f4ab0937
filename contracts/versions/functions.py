"""The functions of expressions: those of JSON-e, and the converters of a connector's mapping by their names.

A converter takes its value, and its options as an object: `pad(event.number, {length: 8, fill: '0'})`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from contracts.versions.converters import (
    CONVERTERS,
    ConversionOptionError,
    ConversionOptions,
    Converter,
    days_between,
    kind_of,
    read_options,
    seconds_between,
)
from contracts.versions.numbers import ValueConversionError, exact, is_number, number_text, read_number
from contracts.versions.run import Run

Call: TypeAlias = Callable[[Sequence[Any], ConversionOptions, Run], Any]

_MANY: Final = 100
_NO_OPTIONS: Final = ConversionOptions()


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes.

    Attributes:
        least: Its fewest arguments.
        most: Its most arguments.
        values: How many of them are values; the one after those holds the options.
        options: The names of its options.
        needs: Those of which one must be there; none when empty.
    """

    least: int
    most: int
    values: int
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def told(self, name: str) -> str:
        """What a call must have, for messages."""
        if self.options:
            names = ", ".join(f"`{option}`" for option in self.options)
            return f"`{name}(value, {{option: value}})`, with the options {names}"
        if self.most == _MANY:
            return f"at least one argument of `{name}`"
        return f"{self.least} argument{'s' * (self.least != 1)} of `{name}`"

    def lacks(self, written: Collection[str]) -> str | None:
        """Which option is missing, None when none is."""
        if not self.needs or any(name in written for name in self.needs):
            return None
        return " or ".join(f"`{name}`" for name in self.needs)

    def read(self, written: Mapping[str, Any]) -> ConversionOptions:
        """The options as a value.

        Raises:
            ValueConversionError: One of them is of the wrong kind.
        """
        try:
            return read_options(written) if written else _NO_OPTIONS
        except ConversionOptionError as error:
            raise ValueConversionError(f"{error}: {error.fix}") from None


@dataclass(frozen=True, slots=True)
class Function:
    """One function: what it takes, and what it does."""

    signature: Signature
    call: Call


_KINDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "array": lambda value: isinstance(value, list),
    "number": is_number,
    "string": lambda value: isinstance(value, str),
}


def _takes(kinds: str, work: Callable[..., Any], *, count: int = 1, most: int = 0) -> Function:
    """A function of `count` values up to `most`, each of one of these kinds; of any where none is named."""

    def call(values: Sequence[Any], _options: ConversionOptions, run: Run) -> Any:
        for value in values:
            if kinds and not any(_KINDS[kind](value) for kind in kinds.split()):
                expected = " or ".join(f"`{kind}`" for kind in kinds.split())
                raise ValueConversionError(f"Expected {expected}, got `{kind_of(value)}`")
            run.hold(value)
        return work(*values)

    return Function(Signature(count, most or count, most or count), call)


def text_of(value: Any) -> str:
    """A value in a text: numbers with every digit.

    Raises:
        ValueConversionError: It is an array or an object.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list() | dict():
            raise ValueConversionError(f"Expected a single value, got `{kind_of(value)}`")
        case _:
            return number_text(value)


def _number(value: Any) -> Any:
    return read_number(value) if isinstance(value, str) else exact(value)


def _least(*values: Any) -> Any:
    return min(exact(value) for value in values)


def _largest(*values: Any) -> Any:
    return max(exact(value) for value in values)


def _join(values: Sequence[Any], _options: ConversionOptions, run: Run) -> str:
    items, between = values
    if not isinstance(items, list):
        raise ValueConversionError(f"Expected `array`, got `{kind_of(items)}`")
    run.hold(items)
    mark = text_of(between)
    texts = [text_of(item) for item in items]
    run.spend((sum(map(len, texts)) + len(mark) * len(texts)) // 16)
    return mark.join(texts)


def _split(text: Any, between: Any) -> list[str]:
    whole, mark = text_of(text), text_of(between)
    return whole.split(mark) if mark else list(whole)


def _kind(value: Any) -> str:
    kind = kind_of(value)
    return "number" if kind == "integer" else kind


def _from_converter(converter: Converter) -> Function:
    def call(values: Sequence[Any], options: ConversionOptions, run: Run) -> Any:
        run.hold(values[0])
        return converter(values[0], options)

    most = 2 if converter.options else 1
    least = 2 if converter.needs else 1
    return Function(Signature(least, most, 1, converter.options, converter.needs), call)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": _takes("number", lambda value: abs(exact(value))),
    "ceil": _takes("number", lambda value: math.ceil(exact(value))),
    "days_between": _takes("string", days_between, count=2),
    "floor": _takes("number", lambda value: math.floor(exact(value))),
    "join": Function(Signature(2, 2, 2), _join),
    "len": _takes("array string", len),
    "lowercase": _takes("string", str.lower),
    "lstrip": _takes("string", str.lstrip),
    "max": _takes("number", _largest, most=_MANY),
    "min": _takes("number", _least, most=_MANY),
    "number": _takes("number string", _number),
    "rstrip": _takes("string", str.rstrip),
    "seconds_between": _takes("string", seconds_between, count=2),
    "split": _takes("number string", _split, count=2),
    "str": _takes("", text_of),
    "strip": _takes("string", str.strip),
    "typeof": _takes("", _kind),
    "uppercase": _takes("string", str.upper),
    **{name: _from_converter(converter) for name, converter in CONVERTERS.items()},
}
