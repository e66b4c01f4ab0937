"""Rows of a table as records, and their positions as JSON. Pure."""

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from connectors.database_values import DatabaseText, UnreadValue
from connectors.source import Json, MalformedRecord, SourceRecord

Position = tuple[Any, ...]
"""A row's place in the reading order: the value of the position column, then of the key columns."""


MOST_LEVELS = 100
"""How deep objects and lists of a value may be nested; JSON readers differ in what they take."""

_LEAST_INTEGER, _MOST_INTEGER = -(2**63), 2**64 - 1
"""The integers that readers of JSON commonly carry, and the bus' own does."""


class UnreadableValueError(ValueError):
    """A column has a value that JSON cannot carry; the message has its type, not the value."""


def json_value(value: Any, levels: int = MOST_LEVELS) -> Json:
    """A database value as JSON: dates and times in ISO 8601, decimals and UUIDs as text, bytes in base64.

    Args:
        value: The value.
        levels: How deep it may be nested.

    Raises:
        UnreadableValueError: It could not be read, or JSON cannot carry it: it is not finite, an integer
            beyond 64 bits, not text of any encoding, nested too deep, or of an unknown kind.
    """
    match value:
        case UnreadValue():
            raise UnreadableValueError(f"Expected a value that can be read, got {value.kind} on reading it")
        case DatabaseText():
            raise UnreadableValueError("Expected a time of the years 1 to 9999 and before 24:00, got another")
        case None | bool():
            return value
        case str():
            return _readable(value)
        case int() | float() | Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case _:
            return _nested(value, levels)


def _number(value: int | float | Decimal) -> Json:
    if isinstance(value, int):
        if _LEAST_INTEGER <= value <= _MOST_INTEGER:
            return value
        raise UnreadableValueError("Expected an integer of at most 64 bits, got a longer one")
    if not math.isfinite(value):
        raise UnreadableValueError("Expected a finite number, got one that is not")
    return value if isinstance(value, float) else format(value, "f")


def _nested(value: Any, levels: int) -> Json:
    if levels == 0:
        raise UnreadableValueError(f"Expected at most {MOST_LEVELS} levels of objects and lists, got more")
    match value:
        case Mapping():
            return {_readable(str(name)): json_value(item, levels - 1) for name, item in value.items()}
        case list() | tuple():
            return [json_value(item, levels - 1) for item in value]
        case _:
            raise UnreadableValueError(f"Expected a value that JSON can carry, got `{type(value).__name__}`")


def _readable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnreadableValueError(
            "Expected text, got bytes that are not in the database's encoding"
        ) from None
    return text


def record_of(row: Mapping[str, Any], position: Position, table: str) -> SourceRecord | MalformedRecord:
    """One row as a record, or as a malformed one when a column cannot be read.

    Args:
        row: The row's columns by name.
        position: Its place in the reading order.
        table: The table's name, with its schema if it has one.
    """
    place = "/".join(_text_of(part) for part in position)
    where = {"table": table, "position": _text_of(position[0])}
    data: dict[str, Json] = {}
    problem = None
    for name, value in row.items():
        try:
            data[name] = json_value(value)
        except UnreadableValueError as error:
            problem = problem or f"{error} - at `$.{name}`"
    if problem is not None:
        return MalformedRecord(_raw(row), problem, where, data)
    return SourceRecord(data, f"{table}/{place}", where)


def _raw(row: Mapping[str, Any]) -> bytes:
    """The row as text for a dead letter, with escapes for what UTF-8 cannot carry."""
    return orjson.dumps({ascii(name)[1:-1]: _shown(value) for name, value in row.items()})


def _shown(value: Any) -> str:
    """The value as text, whatever it is."""
    try:
        return ascii(value)
    except Exception as error:  # noqa: BLE001 - of a driver's own type, or a number of too many digits
        return f"<{type(value).__name__} that raises {type(error).__name__}>"


def _text_of(part: Any) -> str:
    return str(part).replace("%", "%25").replace("/", "%2F").encode("utf-8", "backslashreplace").decode()


def encode_position(position: Sequence[Any]) -> list[Json]:
    """A position as JSON that `decode_position` turns back into the same values."""
    return [_encode_part(part) for part in position]


def _encode_part(part: Any) -> Json:
    match part:
        case datetime():
            return {"datetime": part.isoformat()}
        case date():
            return {"date": part.isoformat()}
        case Decimal():
            return {"decimal": str(part)}
        case UUID():
            return {"uuid": str(part)}
        case bytes():
            return {"bytes": part.hex()}
        case _:
            return part


def decode_position(written: Sequence[Json]) -> Position:
    """A position from its JSON."""
    return tuple(_decode_part(part) for part in written)


def _decode_part(part: Json) -> Any:
    match part:
        case {"datetime": str(text)}:
            return datetime.fromisoformat(text)
        case {"date": str(text)}:
            return date.fromisoformat(text)
        case {"decimal": str(text)}:
            return Decimal(text)
        case {"uuid": str(text)}:
            return UUID(text)
        case {"bytes": str(text)}:
            return bytes.fromhex(text)
        case _:
            return part
