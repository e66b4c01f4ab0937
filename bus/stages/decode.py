"""Decode: from a record's bytes to an event, or to the reason why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bus import envelope, structured
from bus.batch_limits import EVENT_HEADERS, MALFORMED, UNREAD, unread
from bus.errors import EnvelopeError
from bus.event import Event
from bus.outcome import DeadLetter, Reason
from bus.record import FetchedRecord, Headers, Record
from bus.stages.convert import TopicConversion
from contracts import AmbiguousJsonError, ContractVersion, GrantedFields, read_event_json

NAME = "decode"

MAX_BESIDE_BYTES = 262_144
"""The most that key and headers may take: compressed, a topic takes more than may be parked with the data."""
PLAIN_KEY_BYTES = MAX_BESIDE_BYTES - 17 * (envelope.MAX_ATTRIBUTE_BYTES + 1)
"""A key that is no longer exceeds that with no plain attributes, each of which takes a byte at least."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a topic of a subscription holds.

    Args:
        type: the CloudEvents type of the topic.
        versions: the schema versions known, by their `dataschema`.
        current: the version to check against if an event names none.
        max_bytes: the largest value the contract allows.
    """

    type: bytes
    versions: Mapping[bytes, ContractVersion]
    current: ContractVersion
    max_bytes: int
    conversion: TopicConversion | None = None
    """Conversion to the version of the subscription; None if none is needed."""
    granted: GrantedFields | None = None
    """What handlers see of the data; None for everything."""


def decode(record: Record, expected: Expected) -> Event[Any] | DeadLetter:
    """Return the event in `record`, or a dead letter; its type is checked before its data."""
    value = record.value
    if value is None:
        return DeadLetter(Reason.TOMBSTONE, "Expected data, got null")
    plain = envelope.plain_attributes(record.named if isinstance(record, FetchedRecord) else record.headers)
    headers = record.headers if plain is None else ()
    may_exceed = (
        plain is None
        or len(plain) > EVENT_HEADERS
        or len(value) > expected.max_bytes
        or len(record.key or b"") > PLAIN_KEY_BYTES
    )
    if may_exceed and (excess := _excess(record, len(value), expected.max_bytes)) is not None:
        return DeadLetter(Reason.TOO_LARGE, excess)
    content: Any = value
    in_body = False
    try:
        media_type = (
            structured.content_type_of(headers) if plain is None else plain.get(envelope.CONTENT_TYPE)
        )
        in_body = media_type != envelope.JSON and structured.is_structured(media_type)
        if in_body:
            headers, content = structured.unfold(record.headers, value)
            plain = envelope.plain_attributes(headers)
        attributes, identity = envelope.read_attributes(headers, plain)
    except EnvelopeError as error:
        return _without_envelope(headers if in_body else record.headers, value, error, in_body=in_body)
    except ValueError as error:
        return _no_json(error, "a CloudEvents JSON object", value, expected.current)
    if attributes[envelope.TYPE] != expected.type:
        return DeadLetter(Reason.UNKNOWN_TYPE, f"Expected type `{expected.type.decode()}`, got another")
    schema = attributes.get(envelope.DATASCHEMA)
    contract = expected.current if schema is None else expected.versions.get(schema)
    if contract is None and schema is not None and _is_newer(schema, expected.current):
        contract = expected.current
    if contract is None:
        known = ", ".join(sorted(uri.decode() for uri in expected.versions))
        return DeadLetter(Reason.UNKNOWN_VERSION, f"Expected dataschema {known}, got another")
    try:
        data = read_event_json(content) if isinstance(content, bytes) else content
        return Event(record, attributes, identity, data, contract)
    except ValueError as error:
        return _no_json(error, "JSON", content, contract)


def _no_json(error: ValueError, expected: str, text: bytes, contract: ContractVersion) -> DeadLetter:
    detail = f"Expected {expected}, got {'other bytes' if text else 'none'}"
    if isinstance(error, AmbiguousJsonError):
        detail = f"{error.fault} - at `{contract.reader.path_of(error.steps)}`"
    return DeadLetter(Reason.NOT_JSON, detail)


def _without_envelope(headers: Headers, value: bytes, error: EnvelopeError, *, in_body: bool) -> DeadLetter:
    if (why := unread(headers)) is not None:
        return DeadLetter(Reason.MALFORMED_ENVELOPE if why in MALFORMED else Reason.TOO_LARGE, UNREAD[why])
    is_lost = not in_body and structured.is_lost(headers, value)
    return DeadLetter(Reason.MALFORMED_ENVELOPE, structured.LOST if is_lost else str(error))


def _excess(record: Record, size_bytes: int, limit_bytes: int) -> str | None:
    if size_bytes > limit_bytes:
        return f"Expected at most {limit_bytes} bytes, got {size_bytes}"
    if len(record.headers) > EVENT_HEADERS:
        return f"Expected at most {EVENT_HEADERS} headers, got {len(record.headers)}"
    beside = len(record.key or b"") + 16 * len(record.headers)
    for name, value in record.headers:
        beside += len(name) + len(value or b"")
    if beside > MAX_BESIDE_BYTES:
        return f"Expected at most {MAX_BESIDE_BYTES} bytes of key and headers, got {beside}"
    return None


def _is_newer(schema: bytes, current: ContractVersion) -> bool:
    """Whether a `dataschema` names a minor version newer than the latest one known."""
    subject, _, number = schema.decode().rpartition(":")
    major, _, minor = number.partition(".")
    known = current.dataschema.rpartition(":")[0]
    return (
        subject == known
        and major == str(current.major)
        and (minor.isascii() and minor.isdecimal())
        and int(minor) > current.minor
    )
