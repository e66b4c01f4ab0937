"""Decode: from a record's bytes to an event, or to the reason why not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from bus import envelope
from bus.errors import EnvelopeError
from bus.event import Event
from bus.outcome import DeadLetter, Reason
from bus.record import Headers, Record
from bus.stages.convert import TopicConversion
from contracts import ContractVersion

NAME = "decode"

MAX_BESIDE_BYTES = 262_144
"""The most that key and headers may take: compressed, a topic takes more than may be parked with the data."""

_JSON = (envelope.CONTENT_TYPE, envelope.JSON)


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


def decode(record: Record, expected: Expected) -> Event[Any] | DeadLetter:
    """Return the event in `record`, or a dead letter; its type is checked before its data."""
    value = record.value
    if value is None:
        return DeadLetter(Reason.TOMBSTONE, "Expected data, got null")
    headers = record.headers
    plain = envelope.plain_attributes(headers)
    if (excess := _excess(record, len(value), expected.max_bytes, is_plain=plain is not None)) is not None:
        return DeadLetter(Reason.TOO_LARGE, excess)
    try:
        if not _is_binary(headers, plain):
            headers, value = _unfold(value)
            plain = envelope.plain_attributes(headers)
        attributes, identity = envelope.read_attributes(headers, plain)
    except EnvelopeError as error:
        return DeadLetter(Reason.MALFORMED_ENVELOPE, str(error))
    except (ValueError, TypeError):  # TypeError: nested deeper than JSON can be written again
        return DeadLetter(Reason.NOT_JSON, "Expected a CloudEvents JSON object, got other bytes")
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
        return Event(record, attributes, identity, orjson.loads(value), contract)
    except ValueError:
        return DeadLetter(Reason.NOT_JSON, "Expected JSON, got other bytes")


def _excess(record: Record, size_bytes: int, limit_bytes: int, *, is_plain: bool) -> str | None:
    if size_bytes > limit_bytes:
        return f"Expected at most {limit_bytes} bytes, got {size_bytes}"
    beside = len(record.key or b"") + 16 * len(record.headers)
    if is_plain and beside + envelope.MAX_ATTRIBUTE_BYTES <= MAX_BESIDE_BYTES:
        return None
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
        subject == known and major == str(current.major) and minor.isdecimal() and int(minor) > current.minor
    )


def _is_binary(headers: Headers, plain: Mapping[str, bytes] | None) -> bool:
    """Return whether `content-type` means binary mode (Kafka binding, section 3)."""
    if plain is not None:
        return not plain.get(envelope.CONTENT_TYPE, b"").startswith(envelope.STRUCTURED)
    if _JSON in headers:
        return True
    return not any(n == envelope.CONTENT_TYPE and v and v.startswith(envelope.STRUCTURED) for n, v in headers)


def _unfold(value: bytes) -> tuple[Headers, bytes]:
    """Turn structured mode (CloudEvents JSON format 1.0.2, section 3) into headers and data."""
    body = orjson.loads(value)
    if not isinstance(body, dict):
        raise EnvelopeError("Expected a CloudEvents JSON object, got another JSON value")
    data = body.pop("data", None)
    headers: list[tuple[str, bytes | None]] = []
    for name, attribute in body.items():
        if attribute is None:  # JSON format, section 2.2: the same as absent
            continue
        if not isinstance(attribute, str | int | bool):
            raise EnvelopeError("Expected text attributes, got another JSON value")
        headers.append((f"ce_{name}", str(attribute).encode()))
    return headers, orjson.dumps(data)
