"""Converters from what legacy systems write to what contracts require. Pure; `CONVERTERS` lists them.

They are the words of a connector's mapping (`as: date`) and of a conversion between versions
(`date(event.born, {format: '%d/%m/%Y'})`). A converter takes the value and the options beside it, and returns
the new value or raises `ValueConversionError` with what it expected, without the value.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final
from zoneinfo import ZoneInfo

from contracts.versions.numbers import (
    Number,
    ValueConversionError,
    bounded,
    exact,
    is_number,
    number_text,
    read_number,
    rounded,
)
from contracts.versions.time_format import TimeFormat

SMALLEST: Final = -(2**63)
LARGEST: Final = 2**64 - 1
"""The integers that every JSON library of the bus can write."""
MOST_DIGITS: Final = 30
"""After a decimal point, and before it in text."""
MOST_LENGTH: Final = 1_000
"""Characters that `pad` may ask for."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")
_DECIMAL_COMMA = re.compile(
    r"[+-]?([0-9]{1,30}|[1-9][0-9]{0,2}([.\s])[0-9]{3}(\2[0-9]{3}){0,8})(,[0-9]{1,30})?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FINE_FRACTION = re.compile(r"([.,][0-9]{6})([0-9]{1,30})")
_UNITS: Final = ("years", "months", "days", "hours", "minutes", "seconds")
_WITHIN_YEARS: Final = "Expected a time between the years 1 and 9999"


@dataclass(frozen=True, slots=True)
class ConversionOptions:
    """The options beside a converter.

    Attributes:
        format: The format of a `date` or `datetime`; ISO 8601 when absent.
        zone: Time zone of a `datetime` that carries none.
        comma: Whether `decimal` reads a comma as the decimal sign. Dots or spaces may then stand between
            thousands, the same everywhere, and nowhere else.
        values: The table of `lookup`.
        digits: Digits after the decimal point, for `decimal` and `round`.
        length: Characters that `pad` makes.
        fill: The character that `pad` puts before the text.
        shift: What `add` adds: a number of `years`, `months`, `days`, `hours`, `minutes` or `seconds`.
    """

    format: TimeFormat | None = None
    zone: tzinfo | None = None
    comma: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    digits: int | None = None
    length: int = 0
    fill: str = " "
    shift: Mapping[str, int] = field(default_factory=dict)


class ConversionOptionError(ValueError):
    """An option beside a converter is unknown, missing or of the wrong kind.

    Attributes:
        name: The option.
        fix: What to write instead.
    """

    def __init__(self, what: str, name: str, fix: str) -> None:
        super().__init__(what)
        self.name = name
        self.fix = fix


def read_options(written: Mapping[str, Any]) -> ConversionOptions:
    """The options of a converter as they are written.

    Args:
        written: Their values by name; each name is one of `CONVERSION_OPTIONS`.

    Raises:
        ConversionOptionError: A value is of the wrong kind.
    """
    for name, value in written.items():
        if not CONVERSION_OPTIONS[name].holds(value):
            raise ConversionOptionError(
                f"wrong type for `{name}`", name, f"write {CONVERSION_OPTIONS[name].kind}"
            )
    zone = None
    if "time_zone" in written:
        try:
            zone = zone_named(written["time_zone"])
        except ValueConversionError as error:
            raise ConversionOptionError("unknown time zone", "time_zone", str(error)) from None
    return ConversionOptions(
        format=_read_format(written.get("format"), written.get("pivot")),
        zone=zone,
        comma=written.get("comma", False),
        values=written.get("values", {}),
        digits=written.get("digits"),
        length=written.get("length", 0),
        fill=written.get("fill", " "),
        shift={unit: written[unit] for unit in _UNITS if unit in written},
    )


def _read_format(text: str | None, pivot: int | None) -> TimeFormat | None:
    if text is None and pivot is None:
        return None
    try:
        return TimeFormat.compile(text or "", pivot)
    except ValueError as error:
        name = "pivot" if text is None else "format"
        what = f"`{name}` can be read in more than one way, or in none"
        raise ConversionOptionError(what, name, str(error)) from None


def kind_of(value: Any) -> str:
    """The JSON type of a value; safe in a message."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float() | Fraction():
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
    if isinstance(value, str):
        return value
    if not is_number(value):
        raise ValueConversionError(f"Expected a string or a number, got `{kind_of(value)}`")
    return number_text(value)


def _to_integer(value: Any, _options: ConversionOptions) -> int:
    expected = f"Expected a whole number from {SMALLEST} to {LARGEST}"
    if is_number(value):
        number = exact(value)
    elif _INTEGER.fullmatch(text := _text(value).strip()):
        number = int(text)
    else:
        raise ValueConversionError(expected)
    if not isinstance(number, int) or not SMALLEST <= number <= LARGEST:
        raise ValueConversionError(expected)
    return number


def _to_decimal(value: Any, options: ConversionOptions) -> str:
    if is_number(value):
        return number_text(value, options.digits)
    text = _text(value).strip()
    if options.comma:
        if not _DECIMAL_COMMA.fullmatch(text):
            what = "Expected a number with a decimal comma, with dots or spaces between thousands only"
            raise ValueConversionError(what)
        text = re.sub(r"[.\s]", "", text).replace(",", ".")
    if not _DECIMAL.fullmatch(text):
        raise ValueConversionError("Expected a decimal number")
    if options.digits is not None:
        return number_text(Fraction(text), options.digits)
    number = Decimal(text)
    return format(number or abs(number), "f")


def _to_rounded(value: Any, options: ConversionOptions) -> Number:
    if not is_number(value):
        raise ValueConversionError(f"Expected `number`, got `{kind_of(value)}`")
    return rounded(exact(value), options.digits or 0)


def _to_sum(value: Any, _options: ConversionOptions) -> Number:
    if not isinstance(value, list):
        raise ValueConversionError(f"Expected `array`, got `{kind_of(value)}`")
    total: Number = 0
    for item in value:
        if isinstance(item, str):
            total += read_number(item)
        elif is_number(item):
            total += exact(item)
        else:
            raise ValueConversionError("Expected a list of numbers, or of decimals as text")
    return bounded(total)


def _to_padded(value: Any, options: ConversionOptions) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueConversionError(f"Expected a string or a whole number, got `{kind_of(value)}`")
    text = str(value)
    if len(text) > options.length:
        raise ValueConversionError(f"Expected at most {options.length} characters")
    return text.rjust(options.length, options.fill)


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
    return _in_utc(_read_moment(_text(value).strip(), options))


def _read_moment(text: str, options: ConversionOptions) -> datetime:
    try:
        moment = datetime.fromisoformat(text) if options.format is None else options.format.read(text)
    except ValueError:
        written = "ISO 8601" if options.format is None else options.format.text
        raise ValueConversionError(f"Expected a time as `{written}`") from None
    return _in_zone(moment, options.zone) if moment.tzinfo is None else moment


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueConversionError(_WITHIN_YEARS) from None


def _in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
    if zone is None:
        raise ValueConversionError("Expected a time with an offset, or a `time_zone` beside it")
    local = moment.replace(tzinfo=zone)
    try:
        exists = local.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment
    except OverflowError:
        raise ValueConversionError(_WITHIN_YEARS) from None
    if not exists:
        raise ValueConversionError("Expected a time that exists, got one that the clock skipped")
    return local


def _to_datetime(value: Any, options: ConversionOptions) -> str:
    text = _text(value).strip()
    return _time_text(_in_utc(_read_moment(text, options)), text, options)


def _time_text(moment: datetime, text: str, options: ConversionOptions) -> str:
    """The time with the digits of its second that the text has beyond microseconds."""
    fine = _FINE_FRACTION.search(text) if options.format is None else None
    beyond = fine[2].rstrip("0") if fine else ""
    shown = moment.isoformat(timespec="microseconds") if beyond else moment.isoformat()
    return f"{shown.removesuffix('+00:00')}{beyond}Z"


def _add(value: Any, options: ConversionOptions) -> str:
    text = _text(value).strip()
    shift = {unit: options.shift.get(unit, 0) for unit in _UNITS}
    clock = timedelta(hours=shift["hours"], minutes=shift["minutes"], seconds=shift["seconds"])
    try:
        if options.format is None and _DAY.fullmatch(text):
            if clock:
                raise ValueConversionError("Expected a time to add hours, minutes or seconds to, got a date")
            return _later(date.fromisoformat(_to_date(text, options)), shift).isoformat()
        moment = _read_moment(text, options)
        wall = moment.replace(tzinfo=None)
        later = datetime.combine(_later(wall.date(), shift), wall.time())
        return _time_text(_in_utc(_in_zone(later, moment.tzinfo)) + clock, text, options)
    except (OverflowError, ValueError) as error:
        if isinstance(error, ValueConversionError):
            raise
        raise ValueConversionError(_WITHIN_YEARS) from None


def _later(day: date, shift: Mapping[str, int]) -> date:
    months = day.year * 12 + day.month - 1 + shift["years"] * 12 + shift["months"]
    year, month = months // 12, months % 12 + 1
    if not 1 <= year <= 9999:
        raise ValueConversionError(_WITHIN_YEARS)
    last = calendar.monthrange(year, month)[1]
    return date(year, month, min(day.day, last)) + timedelta(days=shift["days"])


def days_between(earlier: Any, later: Any) -> int:
    """The days from one date to another, below zero when the second one is earlier.

    Raises:
        ValueConversionError: One is no date.
    """
    first, last = (date.fromisoformat(_to_date(day, ConversionOptions())) for day in (earlier, later))
    return (last - first).days


def seconds_between(earlier: Any, later: Any) -> Number:
    """The seconds from one time to another, to the microsecond; below zero when the second one is earlier.

    Raises:
        ValueConversionError: One is no time with an offset.
    """
    first, last = (read_time(moment, ConversionOptions()) for moment in (earlier, later))
    return bounded(Fraction((last - first) // timedelta(microseconds=1), 1_000_000))


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


@dataclass(frozen=True, slots=True)
class ConversionOption:
    """One option of `CONVERSION_OPTIONS`.

    Attributes:
        schema: The JSON Schema of its value.
        kind: What to write, for messages.
    """

    schema: Mapping[str, Any]
    kind: str

    def holds(self, value: Any) -> bool:
        """Whether a value is of its kind."""
        least, most = (self.schema.get(name, limit) for name, limit in _LIMITS[self.schema["type"]])
        match self.schema["type"]:
            case "boolean":
                return isinstance(value, bool)
            case "integer":
                return type(value) is int and least <= value <= most
            case "string":
                return isinstance(value, str) and least <= len(value) <= most
            case _:
                return isinstance(value, dict)


_LIMITS: Final = {
    "boolean": (("minimum", 0), ("maximum", 0)),
    "integer": (("minimum", SMALLEST), ("maximum", LARGEST)),
    "object": (("minProperties", 0), ("maxProperties", 0)),
    "string": (("minLength", 0), ("maxLength", 1_000)),
}


def _whole(smallest: int, largest: int) -> ConversionOption:
    schema = {"type": "integer", "minimum": smallest, "maximum": largest}
    return ConversionOption(schema, f"a whole number from {smallest} to {largest:,}")


_SHIFT = ConversionOption(
    {"type": "integer", "minimum": -1_000_000_000, "maximum": 1_000_000_000}, "a whole number"
)
_TEXT = ConversionOption({"type": "string"}, "a string")

CONVERSION_OPTIONS: Final[Mapping[str, ConversionOption]] = {
    "comma": ConversionOption({"type": "boolean"}, "a boolean: true or false"),
    "digits": _whole(0, MOST_DIGITS),
    "fill": ConversionOption({"type": "string", "minLength": 1, "maxLength": 1}, "one character"),
    "format": _TEXT,
    "length": _whole(1, MOST_LENGTH),
    "pivot": ConversionOption({"type": "integer"}, "a whole number"),
    "time_zone": _TEXT,
    "values": ConversionOption({"type": "object"}, "a table of values"),
    **dict.fromkeys(_UNITS, _SHIFT),
}


@dataclass(frozen=True, slots=True)
class Converter:
    """One word of `CONVERTERS`.

    Attributes:
        convert: Converts a value.
        options: The options that it reads.
        needs: Those of which one must be there; none when empty.
    """

    convert: Callable[[Any, ConversionOptions], Any]
    options: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    def __call__(self, value: Any, options: ConversionOptions) -> Any:
        """The converted value.

        Raises:
            ValueConversionError: The value does not convert.
        """
        return self.convert(value, options)

    def lacks(self, written: Mapping[str, Any]) -> str | None:
        """What must be written beside it and is not, None when nothing is missing."""
        if not self.needs or any(name in written for name in self.needs):
            return None
        return " or ".join(f"`{name}`" for name in self.needs)


CONVERTERS: Final[Mapping[str, Converter]] = {
    "add": Converter(_add, ("format", "pivot", "time_zone", *_UNITS), _UNITS),
    "boolean": Converter(_to_boolean),
    "date": Converter(_to_date, ("format", "pivot")),
    "datetime": Converter(_to_datetime, ("format", "pivot", "time_zone")),
    "decimal": Converter(_to_decimal, ("comma", "digits")),
    "integer": Converter(_to_integer),
    "lookup": Converter(_look_up, ("values",), ("values",)),
    "lower": Converter(lambda value, _options: _text(value).lower()),
    "pad": Converter(_to_padded, ("fill", "length"), ("length",)),
    "round": Converter(_to_rounded, ("digits",)),
    "sum": Converter(_to_sum),
    "text": Converter(_to_text),
    "trim": Converter(lambda value, _options: _text(value).strip()),
    "upper": Converter(lambda value, _options: _text(value).upper()),
}
