"""Names of agencies, events, subjects, types, versions and URIs, and their syntax.

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

# A catalogue uses folders of these names, and the bus a topic.
RESERVED_EVENTS = frozenset({"dead-letters", "subscriptions"})

_QUOTABLE = re.compile(r"[A-Za-z0-9._:-]{1,200}")


def is_name(text: str) -> bool:
    """Whether the text may name an agency, an event or a service."""
    return len(text) <= NAME_LIMIT and NAME.fullmatch(text) is not None


def is_reserved_agency(text: str) -> bool:
    """Whether no agency may have this name: topics, groups and users of the bus itself begin with it."""
    return text == "govbus" or text.startswith("govbus-")


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
    """The text in backticks if it looks like a name; otherwise a text that does not quote it.

    It may come from the record of another party, which must not be quoted.
    """
    return f"`{text}`" if _QUOTABLE.fullmatch(text) else "something that is not a name"


def meant(word: str, known: Iterable[str]) -> str:
    """A suggestion for the end of a message, if a known word is similar; otherwise empty."""
    close = get_close_matches(word[:200], list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""
