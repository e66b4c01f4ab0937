"""The envelope: CloudEvents 1.0 attributes as Kafka headers, binary mode. Pure.

Sources: CloudEvents specification 1.0.2; Kafka protocol binding 1.0.2, section 3.2 (attributes are headers
`ce_<name>`, UTF-8 text); distributed tracing, correlation, recorded time and partitioning extensions; W3C
Trace Context. Our own are two: `service` and `startedat`.

Law of this file: no header of a foreign producer causes a crash. A bad header that is no attribute is passed
on; a bad attribute is refused by name. Attributes and trace context are found under names in any case, as
W3C Trace Context, section 3.2.1, and the CloudEvents SDKs have it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from bus.errors import EnvelopeError
from bus.record import Headers

SPEC_VERSION = b"1.0"
CONTENT_TYPE = "content-type"
JSON = b"application/json"

ID, SOURCE, TYPE, TIME = "ce_id", "ce_source", "ce_type", "ce_time"
SPECVERSION, DATASCHEMA, SUBJECT = "ce_specversion", "ce_dataschema", "ce_subject"
CORRELATION, CAUSATION = "ce_correlationid", "ce_causationid"
RECORDED_TIME, PARTITION_KEY = "ce_recordedtime", "ce_partitionkey"
CLASSIFICATION, REGULATION = "ce_dataclassification", "ce_dataregulation"
SERVICE, STARTED_AT = "ce_service", "ce_startedat"
DERIVED_FROM = "ce_derivedfrom"
"""Id of the event of a newer version that this one says in an older version."""
TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
CE_TRACEPARENT, CE_TRACESTATE = "ce_traceparent", "ce_tracestate"
SCHEMA_ID = "__value_schema_id"
"""Where clients of Confluent's Schema Registry look for a schema: the byte 1, then its GUID."""

REQUIRED = (SPECVERSION, ID, SOURCE, TYPE)
TIMES = (TIME, RECORDED_TIME, STARTED_AT)
ATTRIBUTES = frozenset(
    (*REQUIRED, *TIMES, DATASCHEMA, SUBJECT, CORRELATION, CAUSATION, PARTITION_KEY, CLASSIFICATION,
     REGULATION, SERVICE, DERIVED_FROM, CE_TRACEPARENT, CE_TRACESTATE)
)  # fmt: skip
"""The attributes known here; each is text."""
_KNOWN = ATTRIBUTES | {CONTENT_TYPE, TRACEPARENT, TRACESTATE}

MAX_ATTRIBUTE_BYTES = 4096
"""Longest attribute value taken or sent; CloudEvents asks intermediaries for a whole event of 64 KiB."""

_CONTROLS = bytes([*range(0x20), 0x7F])
# CloudEvents 1.0.2, type system, String: no control character, no noncharacter, no lone surrogate.
_FORBIDDEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff\\ufdd0-\\ufdef"
    + "".join(f"\\U{plane:04x}fffe\\U{plane:04x}ffff" for plane in range(17))
    + "]"
)

# RFC 3986, appendix A.
_PCHAR = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})"
_NAME = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*"
_USER = r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:]|%[0-9A-Fa-f]{2})*"
_AUTHORITY = rf"(?:{_USER}@)?(?:\[[A-Za-z0-9\-._~!$&'()*+,;=:]+\]|{_NAME})(?::[0-9]*)?(?=[/?#]|\Z)"
_URI_REFERENCE = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9+.\-]*:|(?![^/?#]*:))"  # without a scheme, no colon in the first segment
    rf"(?://{_AUTHORITY}|(?!//))(?:{_PCHAR}|/)*"
    rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
)
_SYSTEM = re.compile(
    r"(?:[A-Za-z0-9\-._~!$&'()*+,;=@]|%[0-9A-Fa-f]{2})(?:[A-Za-z0-9\-._~!$&'()*+,;=@/]|%[0-9A-Fa-f]{2})*"
)

# CloudEvents 1.0.2, naming conventions.
_ATTRIBUTE_NAME = re.compile("ce_[a-z0-9]+")
_TRACES = frozenset((TRACEPARENT, TRACESTATE))
_IN_ANY_CASE = _TRACES | {CONTENT_TYPE}

# RFC 3339, section 5.6, date-time.
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)

_ALLOWED_TEXT = "text without control characters and noncharacters"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_END_US = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND + 86_400_000_000
_CALENDAR_US = range(
    (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND,
    (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND + 1,
)


def source_of(agency: str, system: str) -> str:
    """Return the `source` of an agency's system, a URN."""
    return f"urn:govbus:{agency}:{system}"


def require_system(system: str) -> str:
    """Return the name of a system that makes its `source` a URN (RFC 8141) and can be told from the agency.

    Raises:
        EnvelopeError: it does not.
    """
    if not isinstance(system, str):
        raise EnvelopeError(f"Expected text, got `{type(system).__name__}` - at `system`")
    if _SYSTEM.fullmatch(system):
        return system
    raise EnvelopeError(
        "Expected ASCII letters, digits and any of `-._~/`, got other text - at `system`. "
        "It is the last part of the event's `source`, which must be a URI"
    )


def text_bytes(name: str, value: object, limit_bytes: int = MAX_ATTRIBUTE_BYTES) -> bytes:
    """Return an attribute's text as UTF-8.

    Args:
        name: its name, for the message.
        value: its text.
        limit_bytes: the most it may take.

    Raises:
        EnvelopeError: CloudEvents or the limit does not allow it.
    """
    if not isinstance(value, str):
        raise EnvelopeError(f"Expected text, got {type(value).__name__} - at `{name}`")
    if value.isascii() and value.isprintable() and 0 < len(value) <= limit_bytes:  # nearly all there are
        return value.encode()
    encoded = value.encode(errors="surrogatepass")
    if _FORBIDDEN.search(value):
        raise EnvelopeError(f"Expected {_ALLOWED_TEXT}, got another character - at `{name}`")
    if not encoded or len(encoded) > limit_bytes:
        raise EnvelopeError(f"Expected 1 to {limit_bytes} bytes of text, got {len(encoded)} - at `{name}`")
    return encoded


_PLAIN_OR_NULL = bytes(code if 0x20 <= code < 0x7F else 0 for code in range(256))


def _is_plain(text: bytes) -> bool:
    return 0 not in text.translate(_PLAIN_OR_NULL)


@lru_cache(maxsize=256)
def _uri_reference(source: bytes) -> str | None:
    """Return a URI or relative reference as text; None if it is none."""
    return source.decode() if source.isascii() and _URI_REFERENCE.fullmatch(source.decode()) else None


def agency_of(source: str) -> str:
    """Return the agency in a `source`, or the whole source if it has another form."""
    parts = source.split(":")
    return parts[2] if len(parts) == 4 and parts[:2] == ["urn", "govbus"] else source


def time_bytes(moment_us: int) -> bytes:
    """Return microseconds since the epoch as RFC 3339 in UTC, such as `2026-01-31T09:30:00.000250Z`."""
    seconds, microseconds = divmod(moment_us, 1_000_000)
    return b"%b.%06dZ" % (_whole_second(seconds), microseconds)


@lru_cache(maxsize=16)
def _whole_second(seconds: int) -> bytes:
    # `strftime` writes a year before 1000 with fewer digits than RFC 3339 asks.
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19].encode()


def _is_time(text: bytes) -> bool:
    if len(text) == 27 and text[20:26].isdigit() and text[26:] == b"Z":  # as the bus writes it
        return _is_second(text[:20])
    return time_us(text.decode()) is not None


@lru_cache(maxsize=64)
def _is_second(text: bytes) -> bool:
    return time_us(f"{text.decode()}0Z") is not None


def time_us(text: str) -> int | None:
    """Return microseconds since the epoch of an RFC 3339 time; None if it is none, or not in the calendar.

    Digits past the microsecond are dropped. A leap second counts as the second after it, as in POSIX.
    """
    if len(text) == 27 and text[26] == "Z" and text[19] == ".":  # as the bus writes it
        fraction = text[20:26]
        if fraction.isdecimal() and fraction.isascii():
            second_us = _second_us(text[:19])
            return None if second_us is None else second_us + int(fraction)
    return _read_time(text)


@lru_cache(maxsize=64)
def _second_us(text: str) -> int | None:
    return _read_time(f"{text}Z")


def _read_time(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    *numbers, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    is_leap = second == 60
    try:
        moment = datetime(year, month, day, hour, minute, second - is_leap, tzinfo=UTC)
    except ValueError:
        return None
    us = (moment - _EPOCH) // _MICROSECOND + 1_000_000 * is_leap
    if sign is not None:
        us -= (int(hours) * 60 + int(minutes)) * (60_000_000 if sign == "+" else -60_000_000)
    if us not in _CALENDAR_US or (is_leap and not _begins_month(us)):
        return None
    return us + int((fraction or "")[:6].ljust(6, "0"))


def _begins_month(us: int) -> bool:
    """Return whether a month ends in UTC: a leap second is nowhere else (RFC 3339, section 5.7)."""
    moment = moment_of(us)
    return moment.day == 1 and us % 86_400_000_000 == 0


def moment_us(moment: datetime) -> int:
    """Return microseconds since the epoch of an aware datetime.

    Raises:
        EnvelopeError: it is no datetime, has no zone, or is outside of the years 1 to 9999 in UTC.
    """
    if not isinstance(moment, datetime):
        raise EnvelopeError(f"Expected a `datetime`, got `{type(moment).__name__}` - at `time`")
    if moment.tzinfo is None:
        raise EnvelopeError(
            "Expected a time with a zone, got one without - at `time`. Use `datetime.now(UTC)`"
        )
    moment_us = (moment - _EPOCH) // _MICROSECOND
    if not _FIRST_US <= moment_us < _END_US:
        raise EnvelopeError("Expected a time of the years 1 to 9999 in UTC, got another - at `time`")
    return moment_us


def moment_of(us: int) -> datetime:
    """Return the aware UTC datetime of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=us)


def moment(text: str) -> datetime | None:
    """Return the aware UTC datetime of an RFC 3339 time, or None if it is not one, or not in the calendar."""
    us = time_us(text)
    return None if us is None else moment_of(us)


Identity = tuple[str, str, str | None, str | None, str | None]
"""What every receipt names, as text: id, source, transaction, service and causation."""


def plain_attributes(headers: Headers | Mapping[str, bytes | None]) -> Mapping[str, Any] | None:
    """Return the headers by name if each is single and not empty, and all are short, plain ASCII; else None.

    A few passes in C tell, and nearly all records are so.
    """
    found: dict[str, Any] = headers if isinstance(headers, dict) else dict(headers)
    if len(found) != len(headers):
        return None
    guid = b""
    if SCHEMA_ID in found:  # binary, and no attribute
        found = found.copy()
        guid = found.pop(SCHEMA_ID) or b""
    try:
        text = b"".join(found.values())
    except TypeError:  # one is null
        return None
    names = "" if _KNOWN.issuperset(found) else "\n".join(found)
    if len(text) + len(guid) + len(names) > MAX_ATTRIBUTE_BYTES:
        return None
    plain = _is_plain(text) and all(found.values()) and (not names or _are_as_written(names, len(found)))
    return found if plain else None


@lru_cache(maxsize=256)
def _are_as_written(lines: str, count: int) -> bool:
    """Return whether names are read under themselves, and those of attributes are right."""
    names = lines.split("\n")
    return len(names) == count and all(
        name == _read_name(name) and (name[:3] != "ce_" or _is_attribute(name)) for name in names
    )


def _read_name(name: str) -> str:
    lower = name.lower()
    return lower if lower.startswith("ce_") or lower in _IN_ANY_CASE else name


def _is_attribute(name: str) -> bool:
    return _ATTRIBUTE_NAME.fullmatch(name) is not None


def read_attributes(
    headers: Headers, plain: Mapping[str, Any] | None = None
) -> tuple[Mapping[str, bytes], Identity]:
    """Return the headers by name and the event's identity; every attribute is present, single and text.

    Args:
        headers: the headers.
        plain: what `plain_attributes` says of them; they are looked at one by one if it is absent.

    Raises:
        EnvelopeError: an attribute is missing, null, empty, doubled, too long, misnamed or no text that
            CloudEvents allows, the source is no URI, or a time none of RFC 3339; the message names it.
    """
    found: Mapping[str, Any] = _sift(headers) if plain is None else plain
    get = found.get
    event_id, source = get(ID), get(SOURCE)
    if not (event_id and source and get(TYPE) and get(SPECVERSION)):
        missing = next(name for name in REQUIRED if not get(name))
        raise EnvelopeError(f"Expected attribute `{missing[3:]}`, got none")
    if found[SPECVERSION] != SPEC_VERSION:
        raise EnvelopeError("Expected `1.0`, got another - at attribute `specversion`")
    uri = _uri_reference(source)
    if uri is None:
        raise EnvelopeError("Expected a URI or a relative reference, got other text - at attribute `source`")
    time, recorded, started = get(TIME), get(RECORDED_TIME), get(STARTED_AT)
    if not (
        (time is None or _is_time(time))
        and (recorded is None or recorded == time or _is_time(recorded))
        and (started is None or _is_time(started))
    ):
        wrong = next(name[3:] for name in TIMES if name in found and not _is_time(found[name]))
        expected = "an RFC 3339 time of the years 1 to 9999, such as `2026-01-31T09:30:00Z`"
        raise EnvelopeError(f"Expected {expected}, got other text - at attribute `{wrong}`")
    transaction, service, causation = get(CORRELATION), get(SERVICE), get(CAUSATION)
    return found, (
        event_id.decode(),
        uri,
        transaction.decode() if transaction else None,
        service.decode() if service else None,
        causation.decode() if causation else None,
    )


def _sift(headers: Headers) -> dict[str, bytes | None]:
    kept: dict[str, bytes | None] = {}
    for given, value in headers:
        name = _read_name(given)
        if name in _TRACES:
            continue
        is_attribute = name.startswith("ce_") or (name == CONTENT_TYPE and value is not None)
        fault = _fault(value) or ("one value, got two" if name in kept else None)
        if is_attribute and not fault:
            if not value:
                fault = "text, got none"
            elif name != CONTENT_TYPE and not _is_attribute(name):
                fault = "a name of the letters a to z and digits, got another"
        if is_attribute and fault:
            raise EnvelopeError(f"Expected {fault} - at {shown(name)}")
        if not fault:
            kept[name] = value
    return {**kept, **trace_headers(headers)}


def trace_headers(headers: Headers) -> dict[str, bytes]:
    """Return the headers of the trace context, each once, whatever else a record has.

    W3C Trace Context, section 3.2.2: two parents are none; section 3.3: several states are one list.
    """
    traces: dict[str, list[bytes | None]] = {}
    for given, value in headers:
        if (name := given.lower()) in _TRACES:
            traces.setdefault(name, []).append(value)
    joined = {name: b",".join(value or b"" for value in values) for name, values in traces.items()}
    if len(traces.get(TRACEPARENT, ())) > 1:
        del joined[TRACEPARENT]
    return {name: value for name, value in joined.items() if value.isascii()}


def _fault(value: bytes | None) -> str | None:
    if value is None:
        return "text, got null"
    if len(value) > MAX_ATTRIBUTE_BYTES:
        return f"at most {MAX_ATTRIBUTE_BYTES} bytes, got more"
    if _is_plain(value):
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "UTF-8 text, got other bytes"
    return f"{_ALLOWED_TEXT}, got another character" if _FORBIDDEN.search(text) else None


def shown(name: str) -> str:
    """Return how a message names a header; a foreign name could hold personal data."""
    if name == CONTENT_TYPE:
        return f"header `{CONTENT_TYPE}`"
    return f"attribute `{name[3:]}`" if name in ATTRIBUTES else "an extension attribute"
