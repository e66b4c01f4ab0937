"""The envelope: CloudEvents 1.0 attributes as Kafka headers, binary mode. Pure.

Sources: CloudEvents specification 1.0.2; Kafka protocol binding 1.0.2, section 3.2 (attributes are headers
`ce_<name>`, UTF-8 text); distributed tracing, correlation, recorded time and partitioning extensions; W3C
Trace Context. Our own are two: `service` and `startedat`.

Law of this file: no header of a foreign producer causes a crash. A bad header that is no attribute is passed
on; a bad attribute is refused by name.
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
STRUCTURED = b"application/cloudevents+json"

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


def _is_plain(text: bytes) -> bool:
    return text.isascii() and len(text.translate(None, _CONTROLS)) == len(text)


@lru_cache(maxsize=256)
def _is_uri_reference(source: bytes) -> bool:
    return source.isascii() and _URI_REFERENCE.fullmatch(source.decode()) is not None


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
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S").encode()


def time_us(text: str) -> int | None:
    """Return microseconds since the epoch of an RFC 3339 time; None if it is none, or not in the calendar."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    us = (moment - _EPOCH) // _MICROSECOND
    return us if us in _CALENDAR_US else None


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


def plain_attributes(headers: Headers) -> Mapping[str, Any] | None:
    """Return the headers by name if each is single, and all are short and plain ASCII; else None.

    A few passes in C tell, and nearly all records are so.
    """
    found: dict[str, Any] = dict(headers)
    once = len(found) == len(headers)
    try:
        guid = found.pop(SCHEMA_ID, b"")  # binary, and no attribute
        text = b"".join(found.values())
        size_bytes = len(text) + len(guid) + len("".join(found))
    except TypeError:  # one is null
        return None
    return found if once and size_bytes <= MAX_ATTRIBUTE_BYTES and _is_plain(text) else None


def read_attributes(
    headers: Headers, plain: Mapping[str, Any] | None = None
) -> tuple[Mapping[str, bytes], Identity]:
    """Return the headers by name and the event's identity; every attribute is present, single and text.

    Args:
        headers: the headers.
        plain: what `plain_attributes` says of them; they are looked at one by one if it is absent.

    Raises:
        EnvelopeError: an attribute is missing, null, doubled, too long or no text that CloudEvents allows, or
            the source is no URI; the message names it.
    """
    found: Mapping[str, Any] = _sift(headers) if plain is None else plain
    get = found.get
    event_id, source = get(ID), get(SOURCE)
    if not (event_id and source and get(TYPE) and get(SPECVERSION)):
        missing = next(name for name in REQUIRED if not get(name))
        raise EnvelopeError(f"Expected attribute `{missing[3:]}`, got none")
    if found[SPECVERSION] != SPEC_VERSION:
        raise EnvelopeError("Expected `1.0`, got another - at attribute `specversion`")
    if not _is_uri_reference(source):
        raise EnvelopeError("Expected a URI or a relative reference, got other text - at attribute `source`")
    transaction, service, causation = get(CORRELATION), get(SERVICE), get(CAUSATION)
    return found, (
        event_id.decode(),
        source.decode(),
        transaction.decode() if transaction else None,
        service.decode() if service else None,
        causation.decode() if causation else None,
    )


def _sift(headers: Headers) -> dict[str, bytes | None]:
    kept: dict[str, bytes | None] = {}
    for name, value in headers:
        fault = _fault(value) or ("one value, got two" if name in kept else None)
        if name.startswith("ce_") and fault:
            raise EnvelopeError(f"Expected {fault} - at {_shown(name)}")
        if not fault:
            kept[name] = value
    return kept


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


def _shown(name: str) -> str:
    """Return the name of a known attribute; a foreign name could hold personal data."""
    known = {ID, SOURCE, TYPE, TIME, SPECVERSION, DATASCHEMA, SUBJECT, CORRELATION, CAUSATION, RECORDED_TIME}
    known |= {PARTITION_KEY, CLASSIFICATION, REGULATION, SERVICE, STARTED_AT, DERIVED_FROM}
    known |= {CE_TRACEPARENT, CE_TRACESTATE}
    return f"attribute `{name[3:]}`" if name in known else "an extension attribute"
