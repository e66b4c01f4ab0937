"""What JSON can hold: the type of a value, and the first place in data that no JSON text could have."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final

from contracts.paths import pointer_names

NOT_JSON: Final = (ValueError, TypeError, OverflowError, RecursionError)
"""Errors a validator raises for what JSON cannot hold: odd types, lone surrogates, endless nesting."""
_DEEPEST: Final = 250
_PLAIN: Final = (str, int, float, type(None))


def json_type(value: object) -> str:
    """The JSON type of a value, in backticks; for what is not JSON, only that it is not."""
    match value:
        case None:
            return "`null`"
        case bool():
            return "`boolean`"
        case int():
            return "`integer`"
        case float():
            return "`number`"
        case str():
            return "`string`"
        case list() | tuple():
            return "`array`"
        case Mapping():
            return "`object`"
        case _:
            return "something that is not JSON"


def unshared(value: Any) -> Any:
    """A copy in plain dictionaries and lists; no part of it is the same object as another."""
    if isinstance(value, _PLAIN):
        return value  # most are; tested first, as the test for a mapping is slow
    if isinstance(value, dict) or isinstance(value, Mapping):  # noqa: SIM101 - a dictionary is quicker to tell
        return {name: item if isinstance(item, _PLAIN) else unshared(item) for name, item in value.items()}
    return [unshared(item) for item in value] if isinstance(value, list | tuple) else value


def first_not_json(data: object) -> list[str | int]:
    """The steps to the first value that is no JSON, or is nested without end; the root when all is JSON."""
    rest: list[tuple[list[str | int], object]] = [([], data)]
    while rest:
        path, value = rest.pop()
        if len(path) > _DEEPEST or not _may_be_json(value):
            return path[:_DEEPEST]
        if isinstance(value, Mapping):
            if not all(isinstance(name, str) and _may_be_json(name) for name in value):
                return path
            rest.extend(([*path, name], item) for name, item in value.items())
        elif isinstance(value, list | tuple):
            rest.extend(([*path, index], item) for index, item in enumerate(value))
    return []


def is_larger(data: object, count: int) -> bool:
    """Whether the data holds more than this many values. Stops there."""
    rest = [data]
    while rest and count >= 0:
        value = rest.pop()
        count -= 1
        if isinstance(value, Mapping):
            rest.extend(islice(value.values(), count + 1))
        elif isinstance(value, list | tuple):
            rest.extend(value[: count + 1])
    return count < 0


def steps_of(data: object, pointer: str) -> list[str | int]:
    """The steps that a JSON pointer takes through the data; names alone from where it leaves the data."""
    steps: list[str | int] = []
    value: Any = data
    for name in pointer_names(pointer):
        step = int(name) if isinstance(value, list | tuple) and name.isdecimal() else name
        steps.append(step)
        try:
            value = value[step]
        except (LookupError, TypeError):
            value = None
    return steps


def _may_be_json(value: object) -> bool:
    if isinstance(value, str):
        return not any("\ud800" <= letter <= "\udfff" for letter in value)
    return value is None or isinstance(value, bool | int | float | list | tuple | Mapping)
