"""JSON values: numbers by value, equality as JSON Schema has it, types."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from fractions import Fraction
from typing import Any, Final

from contracts.compatibility.containment.nodes import JsonType
from contracts.compatibility.containment.results import NotUnderstoodError

_LARGE: Final = 10**30
_MOST_VALUES: Final = 20_000


def type_of(value: object) -> JsonType:
    """The JSON type of a value.

    Raises:
        NotUnderstoodError: It is none.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float() | Fraction():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case Mapping():
            return "object"
        case _:
            raise NotUnderstoodError("a schema holds what JSON cannot")


def is_number(value: object) -> bool:
    """Whether the value is a JSON number; a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def exact(number: Any) -> Fraction:
    """The number as it is written: 0.1 is one tenth.

    Raises:
        NotUnderstoodError: It is no finite number.
    """
    if isinstance(number, int) and not isinstance(number, bool):
        return Fraction(number)
    if isinstance(number, Fraction):
        return number
    if not isinstance(number, float) or not math.isfinite(number):
        raise NotUnderstoodError("a number is out of range")
    return Fraction(repr(number))


def written(number: Fraction) -> int | float:
    """The number as JSON has it; an integer where it is one, but 1e308 not with all its digits."""
    if number.denominator == 1 and (abs(number) < _LARGE or Fraction(repr(_float(number))) != number):
        return number.numerator
    return _float(number)


def _float(number: Fraction) -> float:
    try:
        return float(number)
    except OverflowError:
        return 0.0


def is_written_exactly(number: Fraction) -> bool:
    """Whether `written` gives the number itself."""
    value = written(number)
    return isinstance(value, int) or (math.isfinite(value) and Fraction(repr(value)) == number)


def identity(value: Any) -> Hashable:
    """What two values share exactly when JSON Schema calls them equal."""
    of = type_of(value)
    if of == "number":
        return (of, exact(value))
    if of == "array":
        return (of, tuple(identity(item) for item in value))
    if of == "object":
        return (of, frozenset((name, identity(item)) for name, item in value.items()))
    return (of, value)


def is_modest(value: Any) -> bool:
    """Whether the value is small enough to be shown; parts that are shared count each time."""
    rest = [value]
    for _ in range(_MOST_VALUES):
        if not rest:
            return True
        here = rest.pop()
        if isinstance(here, dict):
            rest.extend(here.values())
        elif isinstance(here, list):
            rest.extend(here)
    return False


def depth_of(value: Any) -> int:
    """How deep arrays and objects are nested in the value, which is modest."""
    depth, level = 0, [value]
    while level:
        inner = [
            here.values() if isinstance(here, dict) else here
            for here in level
            if isinstance(here, dict | list)
        ]
        level = [one for part in inner for one in part]
        depth += 1
    return depth
