"""How a schema is known to other tools: a number and a GUID that follow from its content alone.

The same content has the same two everywhere, in whatever order versions came, in every copy of the catalogue.
The GUID's bytes are ASCII: a Kafka header that holds it stays text, like all others.
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
