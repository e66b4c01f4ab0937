"""Parses a request: its path, query, and the schema in its body. All input is untrusted."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn
from urllib.parse import parse_qsl, unquote_to_bytes

from contracts.documents.document import MAX_JSON_BYTES
from contracts.documents.json_reader import MAX_JSON_DEPTH, json_depth, without_duplicates
from contracts.errors import SchemaUnusableError
from contracts.publish.http_registry import errors
from contracts.publish.http_registry.holdings import Holdings
from contracts.schema.dialect import DRAFT_2020_12, Schema, dialect_of, schema_fault

MAX_BODY_BYTES: Final = 2 * MAX_JSON_BYTES
"""The schema is text inside JSON, in which each quote takes two characters."""
MAX_REFERENCES: Final = 100


@dataclass(frozen=True, slots=True)
class RegistryRequest:
    """One request.

    Attributes:
        words: The variable segments of the path, such as the subject.
        query: The last value of each parameter.
        body: The body.
    """

    words: tuple[str, ...]
    query: Mapping[str, str]
    body: bytes = b""

    def flag(self, name: str) -> bool:
        """Whether a parameter is `true`, in any letter case."""
        return self.query.get(name, "").lower() == "true"

    def number(self, name: str, default: int) -> int:
        """A parameter as a number; the default when it is not a number."""
        text = self.query.get(name, "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else default


def path_words(raw_path: bytes) -> list[str]:
    """Split an undecoded path at its slashes, then decode each part, so that `%2F` is not a separator.

    Raises:
        RegistryError: A part is not UTF-8.
    """
    try:
        return [unquote_to_bytes(part).decode() for part in raw_path.split(b"/") if part]
    except UnicodeDecodeError:
        raise errors.unreadable("Expected a path in UTF-8") from None


def query_of(raw_query: bytes) -> Mapping[str, str]:
    """The parameters of a query.

    Raises:
        RegistryError: There are too many.
    """
    try:
        return dict(parse_qsl(raw_query.decode("latin-1"), keep_blank_values=True, max_num_fields=50))
    except ValueError:
        raise errors.unreadable("Expected at most 50 parameters, got more") from None


def sent_schema(request: RegistryRequest, holdings: Holdings) -> tuple[Schema, dict[str, Schema]]:
    """The schema in the body, and the schemas in its `references`.

    Raises:
        RegistryError: The body contains no supported JSON Schema.
    """
    body = _json(request.body, "the body", errors.unreadable)
    if not isinstance(body, dict) or not isinstance(body.get("schema"), str):
        raise errors.unusable_schema("Expected an object with the schema as text in `schema`")
    if body.get("schemaType") != "JSON":
        raise errors.unusable_schema("Expected `schemaType` to be `JSON`: no other type is supported")
    schema = _json(body["schema"].encode("utf-8", "replace"), "`schema`", errors.unusable_schema)
    if not isinstance(schema, dict):
        raise errors.unusable_schema("Expected `schema` to hold a JSON object")
    schema = {"$schema": DRAFT_2020_12, **schema}
    try:
        dialect_of(schema)  # first, as its message lists the supported dialects
        fault = schema_fault(schema)
    except SchemaUnusableError as error:
        raise errors.unusable_schema(str(error)) from None
    if fault:
        raise errors.unusable_schema(f"Invalid schema: {fault[1]}")
    return schema, _references(body.get("references"), holdings)


def _references(rows: object, holdings: Holdings) -> dict[str, Schema]:
    rows = [] if rows is None else rows
    if not isinstance(rows, list) or len(rows) > MAX_REFERENCES:
        raise errors.unusable_schema(f"Expected `references` to be a list of at most {MAX_REFERENCES}")
    found: dict[str, Schema] = {}
    for row in rows:
        match row:
            case {"name": str(name), "subject": str(subject), "version": int(version)}:
                found[name] = holdings.entry(subject, str(version)).schema
            case _:
                raise errors.unusable_schema(
                    "Expected each of `references` to have name, subject and version"
                )
    return found


def _json(content: bytes, name: str, refusal: Callable[[str], errors.RegistryError]) -> Any:
    try:
        text = content.decode(json.detect_encoding(content))
        if json_depth(text) > MAX_JSON_DEPTH:
            raise refusal(f"Expected {name} to be nested at most {MAX_JSON_DEPTH} levels")
        value = json.loads(text, object_pairs_hook=without_duplicates, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
        return value
    except ValueError:
        raise refusal(f"Expected {name} to be JSON with each name once in its object") from None


def _no_constant(_name: str) -> NoReturn:
    raise ValueError
