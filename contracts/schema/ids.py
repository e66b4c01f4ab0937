"""The number and the GUID of a schema for other tools, made from its content alone.

Equal content has equal ids in every copy of the catalogue, in whatever order versions were added. The GUID's
bytes are ASCII, so that a Kafka header that holds it is text, like all others.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID


def schema_id(schema: Mapping[str, Any], references: Mapping[str, Mapping[str, Any]]) -> int:
    """The number of a schema, with what it refers to: 31 bits, never 0."""
    return int.from_bytes(_digest(schema, references)[:4]) & 0x7FFFFFFF or 1


def schema_guid(schema: Mapping[str, Any], references: Mapping[str, Mapping[str, Any]]) -> UUID:
    """The GUID of a schema, with what it refers to: 112 bits of its hash."""
    return UUID(bytes=bytes(byte & 0x7F for byte in _digest(schema, references)[16:]))


def _digest(schema: Mapping[str, Any], references: Mapping[str, Mapping[str, Any]]) -> bytes:
    return hashlib.sha256(json.dumps([schema, references], sort_keys=True).encode()).digest()
