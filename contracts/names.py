"""Names and what they are made of: agencies, events, subjects, types, versions, URIs.

`civil-registry` + `birth-registered` = subject `civil-registry.birth-registered`; its version 1.0 has the
type `civil-registry.birth-registered.v1`, which is also its topic, and the data schema
`urn:govbus:contract:civil-registry.birth-registered:1.0`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
SUBJECT = re.compile(rf"{NAME.pattern}\.{NAME.pattern}")
VERSION = re.compile(r"([1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")
NAME_LIMIT = 64

# Topics the bus makes for itself, and folders beside the events, would collide with contracts of these names.
RESERVED_AGENCIES = frozenset({"govbus"})
RESERVED_EVENTS = frozenset({"dead-letters", "subscriptions"})

_QUOTABLE = re.compile(r"[A-Za-z0-9._:-]{1,200}")


def is_name(text: str) -> bool:
    """Whether the text may name an agency, an event or a service."""
    return len(text) <= NAME_LIMIT and NAME.fullmatch(text) is not None


def is_subject(text: str) -> bool:
    """Whether the text has the form `<agency>.<event>`."""
    agency, _, event = text.partition(".")
    return is_name(agency) and is_name(event)


def parts_of(number: str) -> tuple[int, int]:
    """Major and minor of a version's number."""
    major, _, minor = number.partition(".")
    return int(major), int(minor)


def event_type(subject: str, major: int) -> str:
    """The CloudEvents type, and topic, of one major version: `<subject>.v<major>`."""
    return f"{subject}.v{major}"


def data_schema(subject: str, number: str) -> str:
    """The CloudEvents `dataschema` of one exact version."""
    return f"urn:govbus:contract:{subject}:{number}"


def quotable(text: str) -> str:
    """The text in backticks when it has the form of a name; otherwise only that it has not.

    A name asked for may come from a foreign record: what does not look like a name is not repeated.
    """
    return f"`{text}`" if _QUOTABLE.fullmatch(text) else "something that is not a name"


def meant(word: str, known: Iterable[str]) -> str:
    """The rest of a sentence that says which known word is close; empty when none is."""
    close = get_close_matches(word[:200], list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
