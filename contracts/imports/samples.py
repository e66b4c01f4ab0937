"""Infers a schema from samples: types, formats, generous bounds, and required properties. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from contracts.schema.json_values import json_type

_FORMATS: Final = (
    ("date", re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)),
    ("date-time", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)),
    ("uuid", re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)),
)
_LEAST_LENGTH: Final = 64
_LEAST_ITEMS: Final = 16


def inferred(values: list[Any]) -> dict[str, Any]:
    """A schema that all values match. It allows each type that occurs."""
    by_type: dict[str, list[Any]] = {}
    for value in values:
        by_type.setdefault(json_type(value).strip("`"), []).append(value)
    if {"integer", "number"} <= by_type.keys():
        by_type["number"] += by_type.pop("integer")
    types = sorted(by_type, key=lambda name: name == "null")
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    if objects := by_type.get("object"):
        schema |= _object(objects)
    if arrays := by_type.get("array"):
        items = [item for array in arrays for item in array]
        schema["items"] = inferred(items) if items else {}
        schema["maxItems"] = _roomy(max(map(len, arrays)), _LEAST_ITEMS)
    if texts := by_type.get("string"):
        schema |= _text(texts)
    if (numbers := by_type.get("integer")) and min(numbers) >= 0:
        schema["minimum"] = 0
    scalars = [value for value in values if isinstance(value, str | int | float)]
    return {**schema, "examples": scalars[:1]} if scalars else schema


def _object(values: list[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for value in values for name in value)
    required = [name for name in names if all(name in value for value in values)]
    return {
        "properties": {name: inferred([value[name] for value in values if name in value]) for name in names},
        **({"required": required} if required else {}),
    }


def _text(values: list[str]) -> dict[str, Any]:
    for name, pattern in _FORMATS:
        if all(pattern.fullmatch(value) for value in values):
            return {"format": name}
    return {"maxLength": _roomy(max(map(len, values)), _LEAST_LENGTH)}


def _roomy(length: int, least: int) -> int:
    """The next power of two from twice the length, but at least `least`."""
    return max(least, 1 << (2 * length - 1).bit_length()) if length else least
