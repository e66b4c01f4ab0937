"""The trace context of an event: what is read from its headers, and may be written to others. Pure.

Sources: W3C Trace Context, level 1 and 2, sections 3.2 (traceparent) and 3.3 (tracestate), 3.3.1.5 (limits).

Law of this file: what is malformed is absent, and never passed on. Baggage is neither read nor written; see
decision 27.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from bus import envelope

MAX_STATE_CHARACTERS = 4096
"""The most of a `tracestate` that is passed on; the standard asks for 512 at least."""

MAX_MEMBERS = 32
LONG_MEMBER_CHARACTERS = 128
"""Longer members are the first to go where a `tracestate` is too long."""

_PARENT = re.compile(
    r"[ \t]*(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?[ \t]*"
)
_MEMBER = re.compile(r"([a-z0-9][a-z0-9_\-*/@]{0,255})=[ -+\--<>-~]{0,255}[!-+\--<>-~]")


class TraceContext(NamedTuple):
    """A `traceparent` and its `tracestate`, both well-formed."""

    parent: str
    state: str | None


@lru_cache(maxsize=16)  # each event asks twice
def trace_context(parent: bytes, state: bytes | None) -> TraceContext | None:
    """Return the trace context of a pair of headers, or None if the parent is malformed.

    A parent of a later version is written as one of version 00 (section 3.2.4). A malformed state, or one of
    more than 32 members, is dropped whole; of two members with one key the first stays.
    """
    found = _PARENT.fullmatch(parent.decode("ascii", "replace"))
    if found is None:
        return None
    version, ids, flags, later = found.groups()
    if version == "00":
        if later is not None:
            return None
    else:
        flags = f"{int(flags, 16) & 1:02x}"  # the one flag that a later version is known to have
    return TraceContext(f"00-{ids}-{flags}", _state(state.decode("ascii", "replace")) if state else None)


def context_of(attributes: Mapping[str, bytes]) -> TraceContext | None:
    """Return the trace context of an event: that of its header, else that of its attribute.

    The header is of the latest hop, the attribute of the first (distributed tracing extension).
    """
    get = attributes.get
    parent, first = get(envelope.TRACEPARENT), get(envelope.CE_TRACEPARENT)
    context = None if parent is None else trace_context(parent, get(envelope.TRACESTATE))
    if context is None and first is not None:
        return trace_context(first, get(envelope.CE_TRACESTATE))
    return context


def _state(text: str) -> str | None:
    members: dict[str, str] = {}
    count = 0
    for part in text.split(","):
        member = part.strip(" \t")
        if not member:
            continue
        found, count = _MEMBER.fullmatch(member), count + 1
        if found is None or count > MAX_MEMBERS:
            return None
        members.setdefault(found[1], member)
    return ",".join(_fitting([*members.values()])) or None


def _fitting(members: list[str]) -> list[str]:
    while sum(map(len, members)) + len(members) - 1 > MAX_STATE_CHARACTERS:
        long = (member for member in reversed(members) if len(member) > LONG_MEMBER_CHARACTERS)
        members.remove(next(long, members[-1]))
    return members
