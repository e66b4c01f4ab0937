"""Rows of a table as records, and their positions as JSON. Pure."""

import base64
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from connectors.source import Json, MalformedRecord, SourceRecord

Position = tuple[Any, ...]
"""A row's place in the reading order: the value of the position column, then of the key columns."""


class UnreadableValueError(ValueError):
    """A column has a value that JSON cannot carry; the message has its type, not the value."""


def json_value(value: Any) -> Json:
    """A database value as JSON: dates and times in ISO 8601, decimals and UUIDs as text, bytes in base64.

    Raises:
        UnreadableValueError: It is not finite, not text of any encoding, or of an unknown kind.
    """
    match value:
        case None | bool() | int():
            return value
        case str():
            return _readable(value)
        case float() if math.isfinite(value):
            return value
        case Decimal() if value.is_finite():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case _:
            return _nested(value)


def _nested(value: Any) -> Json:
    match value:
        case Mapping():
            return {str(name): json_value(item) for name, item in value.items()}
        case list() | tuple():
            return [json_value(item) for item in value]
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
    shown = {name: ascii(value) for name, value in row.items()}
    return orjson.dumps(shown)


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
