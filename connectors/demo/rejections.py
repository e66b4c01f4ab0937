"""What the bus turned away, read from the agencies' dead-letter topics and traced back to a case. Pure.

A source names the file and line, or the table and position, a record came from, and the books know whose that
is. An event that was turned away further on carries its case's reference in its data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Protocol

from connectors.demo.check import Rejection

__all__ = ["Letter", "rejection_of"]

PREFIX = "govbus-dead-letter-"
REFUSED = frozenset({"contract-violation", "too-large", "not-json", "malformed-envelope"})
"""Reasons for which a publisher refuses an event before it is sent."""


class Letter(Protocol):
    """The parts of a Kafka record that are read here."""

    @property
    def topic(self) -> str:
        """Its topic."""

    @property
    def offset(self) -> int:
        """Its place in it."""

    @property
    def value(self) -> bytes | None:
        """The original bytes."""

    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]:
        """The original headers, and why it lies here."""


def rejection_of(letter: Letter, places: Mapping[tuple[str, str, str], str]) -> Rejection:
    """Return what a dead letter says.

    Args:
        letter: A record of `<agency>.dead-letters`.
        places: The case behind each file and line or table and row of an agency's books.
    """
    agency = letter.topic.removesuffix(".dead-letters")
    facts = {
        name.removeprefix(PREFIX): (value or b"").decode("utf-8", "replace")
        for name, value in letter.headers
        if name.startswith(PREFIX)
    }
    place = (facts.get("file") or facts.get("table") or "", facts.get("line") or facts.get("position") or "")
    reason = facts.get("reason", "unknown")
    from_source = bool(place[0])
    return Rejection(
        kind="refused" if from_source and reason in REFUSED else "dead-lettered",
        agency=agency,
        reason=reason,
        stage=facts.get("stage", "unknown"),
        where=":".join(place) if from_source else f"{letter.topic}:{letter.offset}",
        reference=places.get((agency, *place)) or _reference_in(letter.value),
    )


def _reference_in(value: bytes | None) -> str | None:
    try:
        data = json.loads(value or b"null")
    except ValueError:
        return None
    found = data.get("reference") if isinstance(data, dict) else None
    return found if isinstance(found, str) else None
