"""Converters from what legacy systems write to what contracts require. Pure; `CONVERTERS` lists them.

A converter takes the value and the options beside it, and returns the new value or raises
`ValueConversionError` with what it expected, without the value.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.translation.time_format import TimeFormat

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_DECIMAL_COMMA = re.compile(
    r"[+-]?([0-9]{1,30}|[1-9][0-9]{0,2}([.\s])[0-9]{3}(\2[0-9]{3}){0,8})(,[0-9]{1,30})?"
)


class ValueConversionError(ValueError):
    """A value does not convert; the message says what was expected, without the value."""


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """The options beside `as:` in a mapping.

    Attributes:
        format: The format of a `date` or `datetime`; ISO 8601 when absent.
        zone: Time zone of a `datetime` that carries none.
        comma: Whether `decimal` reads a comma as the decimal sign. Dots or spaces may then stand between
            thousands, the same everywhere, and nowhere else.
        values: The table of `lookup`.
    """

    format: TimeFormat | None = None
    zone: tzinfo | None = None
    comma: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


def kind_of(value: Any) -> str:
    """The JSON type of a value; safe in a message."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueConversionError(f"Expected `string`, got `{kind_of(value)}`")
    return value


def _to_text(value: Any, _options: ConversionOptions) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueConversionError(f"Expected a string or a number, got `{kind_of(value)}`")
    return str(value)


def _to_integer(value: Any, _options: ConversionOptions) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = _text(value).strip()
    if not _INTEGER.fullmatch(text):
        raise ValueConversionError("Expected a whole number of at most 18 digits")
    return int(text)


def _to_decimal(value: Any, options: ConversionOptions) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        text = str(value)  # a number has no signs between its thousands
    else:
        text = _text(value).strip()
        if options.comma:
            if not _DECIMAL_COMMA.fullmatch(text):
                what = "Expected a number with a decimal comma, with dots or spaces between thousands only"
                raise ValueConversionError(what)
            text = re.sub(r"[.\s]", "", text).replace(",", ".")
    if not _DECIMAL.fullmatch(text):
        raise ValueConversionError("Expected a decimal number")
    return format(Decimal(text), "f")


def _to_boolean(value: Any, _options: ConversionOptions) -> bool:
    if isinstance(value, bool):
        return value
    answer = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}.get(
        str(value).strip().lower() if isinstance(value, str | int) else ""
    )
    if answer is None:
        raise ValueConversionError("Expected true, false, yes, no, 1 or 0")
    return answer


def _to_date(value: Any, options: ConversionOptions) -> str:
    text = _text(value).strip()
    try:
        day = date.fromisoformat(text) if options.format is None else options.format.read(text).date()
    except ValueError:
        written = "YYYY-MM-DD" if options.format is None else options.format.text
        raise ValueConversionError(f"Expected a date as `{written}`") from None
    return day.isoformat()


def read_time(value: Any, options: ConversionOptions) -> datetime:
    """The time in a text, in UTC.

    A time without an offset is in `options.zone`. In the hour that a clock set back shows twice it is the
    first of the two, by summer time; a time that the clock skipped is refused.

    Raises:
        ValueConversionError: It is no time, or has no offset and no zone is given.
    """
    text = _text(value).strip()
    try:
        moment = datetime.fromisoformat(text) if options.format is None else options.format.read(text)
    except ValueError:
        written = "ISO 8601" if options.format is None else options.format.text
        raise ValueConversionError(f"Expected a time as `{written}`") from None
    if moment.tzinfo is None:
        moment = _in_zone(moment, options.zone)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueConversionError("Expected a time between the years 1 and 9999") from None


def _in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
    if zone is None:
        raise ValueConversionError("Expected a time with an offset, or a `time_zone` beside it")
    local = moment.replace(tzinfo=zone)
    try:
        exists = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
    except OverflowError:
        raise ValueConversionError("Expected a time between the years 1 and 9999") from None
    if not exists:
        raise ValueConversionError("Expected a time that exists, got one that the clock skipped")
    return local


def _to_datetime(value: Any, options: ConversionOptions) -> str:
    return read_time(value, options).isoformat().replace("+00:00", "Z")


def _look_up(value: Any, options: ConversionOptions) -> Any:
    key = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, str | int) and key in options.values:
        return options.values[key]
    raise ValueConversionError("Expected one of the keys under `values`")


def zone_named(name: str) -> tzinfo:
    """The time zone of a name such as `Europe/Paris`.

    Raises:
        ValueConversionError: This machine knows no such zone.
    """
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueConversionError("Expected a time zone of the tz database such as `Europe/Paris`") from None


CONVERTERS: Mapping[str, Callable[[Any, ConversionOptions], Any]] = {
    "boolean": _to_boolean,
    "date": _to_date,
    "datetime": _to_datetime,
    "decimal": _to_decimal,
    "integer": _to_integer,
    "lookup": _look_up,
    "lower": lambda value, _options: _text(value).lower(),
    "text": _to_text,
    "trim": lambda value, _options: _text(value).strip(),
    "upper": lambda value, _options: _text(value).upper(),
}
