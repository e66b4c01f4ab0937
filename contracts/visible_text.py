"""Text from others, made visible: on a terminal, in a log, in JSON. Pure.

Law of this file: no value ends its line, moves the cursor, sets a colour, or hides or reorders what stands
beside it. Such characters are written as escapes: controls, line and paragraph separators, format characters
such as the marks of bidirectional text, lone surrogates, and what the terminal draws as nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

LONGEST: Final = 2_000
"""Characters of a line, or of a value in a table, that are shown; the rest is counted."""

# Unicode 16, DerivedCoreProperties, `Default_Ignorable_Code_Point`: those that Python calls printable, with
# the blank of Braille. A terminal draws nothing for them.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def visible(text: str, longest: int | None = None) -> str:
    r"""The text as one line of visible characters; what is visible already stays as it is.

    Args:
        text: Any text.
        longest: Characters to keep; all by default. The result then ends with the number of those left out.

    Example:
        >>> visible("paid\nrefused")
        'paid\\nrefused'
    """
    hidden = 0
    if longest is not None and len(text) > longest:
        hidden = len(text) - longest
        text = text[:longest]
    if not text.isascii() or not text.isprintable():
        text = "".join(letter if _is_visible(letter) else _escape(letter) for letter in text)
    return f"{text}... and {hidden:,} more characters" if hidden else text


def visible_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON in which every character is visible; a reader gets back the same value.

    Args:
        value: A JSON value.
        indent: Spaces of each level; one line by default.
    """
    return visible_in_json(json.dumps(value, ensure_ascii=False, indent=indent))


def visible_in_json(text: str) -> str:
    """JSON with the characters inside its texts escaped; its own line breaks stay."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        letter if letter == "\n" or _is_visible(letter) else json.dumps(letter)[1:-1] for letter in text
    )


def _is_visible(letter: str) -> bool:
    return letter.isprintable() and not _UNSEEN.match(letter)


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
