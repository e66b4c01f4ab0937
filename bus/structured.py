"""Structured mode: a whole CloudEvent as JSON in the value of a record. Pure.

Sources: Kafka protocol binding 1.0.2, sections 3 (which mode) and 3.3; JSON event format 1.0.2, sections 2.2
(types) and 3.1 (data); RFC 2045, section 5.1 (media types). The bus reads this mode, and writes binary mode.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from bus import envelope
from bus.errors import EnvelopeError
from bus.record import Headers
from bus.trace_context import TraceContext, context_of
from contracts import AmbiguousJsonError, read_event_json

MEDIA_TYPE = "application/cloudevents+json"

LOST = (
    "Expected binary mode, attributes as headers `ce_...`, got an event in structured mode whose "
    f"`content-type` does not say so. Send it with the header `content-type: {MEDIA_TYPE}`"
)
"""What is told of an event whose mode its `content-type` does not say."""

_INTEGERS = range(-(2**31), 2**31)  # CloudEvents 1.0.2, type system, Integer
_DATA = ("data", "data_base64")
_NAME = re.compile("[a-z0-9]+")  # CloudEvents 1.0.2, naming conventions
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~{}-]+"
_MEDIA_TYPE = re.compile(rf"[ \t]*({_WORD}/({_WORD}))[ \t]*(?:;.*)?")


def is_structured(content_type: bytes | None) -> bool:
    """Return whether a record's `content-type` means structured mode.

    Raises:
        EnvelopeError: it is no media type, or means an event format other than JSON.
    """
    return content_type is not None and _is_structured(content_type)


@lru_cache(maxsize=64)
def _is_structured(content_type: bytes) -> bool:
    media_type, _ = _media_type(content_type.decode(errors="replace"))
    if media_type == MEDIA_TYPE:
        return True
    if media_type.startswith("application/cloudevents"):
        raise EnvelopeError(
            f"Expected `{MEDIA_TYPE}` or binary mode, got another event format - at header `content-type`"
        )
    return False


def content_type_of(headers: Headers) -> bytes | None:
    """Return the `content-type` of a record; None if it has none."""
    return next((value for name, value in headers if name.lower() == envelope.CONTENT_TYPE and value), None)


def read_envelope(headers: Headers, value: bytes | None) -> tuple[Mapping[str, bytes], envelope.Identity]:
    """Return what `envelope.read_attributes` does, in the mode that the record has.

    Raises:
        ValueError: it is to be an event in structured mode, and its value is not JSON.
        EnvelopeError: it is no CloudEvent; the message names the attribute.
    """
    if is_structured(content_type_of(headers)):
        headers, _ = unfold(headers, value or b"")
    return envelope.read_attributes(headers, envelope.plain_attributes(headers))


def read_trace(headers: Headers, value: bytes | None) -> TraceContext | None:
    """Return the trace context of a record in either mode; that of its headers if it is no event."""
    try:
        attributes, _ = read_envelope(headers, value)
    except (EnvelopeError, ValueError):
        attributes = envelope.trace_headers(headers)
    return context_of(attributes)


def is_lost(headers: Headers, value: bytes) -> bool:
    """Return whether a record in binary mode holds an event in structured mode."""
    if any(name.lower().startswith("ce_") for name, _ in headers):
        return False
    try:
        body = orjson.loads(value)
    except ValueError:
        return False
    return isinstance(body, dict) and "specversion" in body


def unfold(headers: Headers, value: bytes) -> tuple[Headers, Any]:
    """Return an event in structured mode as binary mode has it: its headers, and its data.

    Attributes come from the body alone; other headers, such as those of the trace context, stay. The data is
    bytes, or what a JSON value holds.

    Raises:
        AmbiguousJsonError: two readers would understand the data differently.
        ValueError: the value is not JSON.
        EnvelopeError: it is no CloudEvent; the message names the attribute.
    """
    body = _body(value)
    has_data, data, encoded = "data" in body, body.pop("data", b""), body.pop("data_base64", None)
    found = {name: _text(name, attribute) for name, attribute in body.items() if attribute is not None}
    # The JSON event format, section 3.1.2: without a type `data` is JSON, and of `data_base64` none is known.
    content_type = found.pop("datacontenttype", envelope.JSON.decode() if encoded is None else None)
    unfolded: list[tuple[str, bytes | None]] = [
        (name, given) for name, given in headers if not _is_replaced(name.lower())
    ]
    unfolded += ((f"ce_{name}", text.encode()) for name, text in found.items())
    is_json = content_type is None or _is_json(content_type)
    if content_type is not None:
        unfolded.append((envelope.CONTENT_TYPE, content_type.encode()))
    if encoded is not None:
        if has_data:
            raise EnvelopeError("Expected `data` or `data_base64`, got both")
        return unfolded, _decoded(encoded)
    return unfolded, data.encode() if isinstance(data, str) and not is_json else data


def _body(value: bytes) -> dict[str, Any]:
    try:
        body = read_event_json(value)
    except AmbiguousJsonError as error:
        raise _fault_of(error) from None
    if not isinstance(body, dict):
        raise EnvelopeError("Expected a CloudEvents JSON object, got another JSON value")
    return body


def _fault_of(error: AmbiguousJsonError) -> EnvelopeError | AmbiguousJsonError:
    """Return what is ambiguous as a fault of an attribute, or of the data with its place there."""
    name, *rest = error.steps or ("data",)
    is_twice = error.is_twice and not rest
    if not isinstance(name, str) or (name in _DATA and not is_twice):
        return AmbiguousJsonError(error.fault, tuple(rest))
    return EnvelopeError(f"{'Expected one value, got two' if is_twice else error.fault} - at {_place(name)}")


def _place(name: str) -> str:
    if name in _DATA:
        return f"`{name}`"
    return f"attribute `{name}`" if name == "datacontenttype" else envelope.shown(f"ce_{name}")


def _is_replaced(name: str) -> bool:
    return name == envelope.CONTENT_TYPE or name.startswith("ce_")


def _is_json(content_type: str) -> bool:
    _, subtype = _media_type(content_type)
    return subtype == "json" or subtype.endswith("+json")


def _text(name: str, attribute: object) -> str:
    """Return an attribute as its header has it in binary mode (CloudEvents 1.0.2, type system)."""
    if not _NAME.fullmatch(name):
        raise EnvelopeError(
            "Expected a name of the letters a to z and digits, got another - at an extension attribute"
        )
    if isinstance(attribute, str):
        return attribute
    if f"ce_{name}" in envelope.ATTRIBUTES or name == "datacontenttype":
        raise EnvelopeError(f"Expected text, got another JSON value - at {_place(name)}")
    if isinstance(attribute, bool):
        return "true" if attribute else "false"
    if isinstance(attribute, int) and attribute in _INTEGERS:
        return str(attribute)
    raise EnvelopeError(
        "Expected text, true, false or a whole number of 32 bits, got another JSON value - at an extension "
        "attribute"
    )


def _media_type(text: str) -> tuple[str, str]:
    """Return a media type and its subtype in lower case, without parameters."""
    found = _MEDIA_TYPE.fullmatch(text)
    if found is None:
        raise EnvelopeError(
            "Expected a media type such as `application/json`, got other text - at `content-type`"
        )
    return found[1].lower(), found[2].lower()


def _decoded(encoded: object) -> bytes:
    try:
        if isinstance(encoded, str):
            return b64decode(encoded, validate=True)
    except (Base64Error, ValueError):
        pass
    raise EnvelopeError("Expected base64 (RFC 4648, section 4), got another value - at `data_base64`")
