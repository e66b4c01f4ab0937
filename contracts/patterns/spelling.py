r"""A pattern as ECMA-262 with the `u` flag insists on it, with the meaning that lenient dialects give it.

Lenient: `\_` and `\-` outside a class, `[` inside one, `]`, `{` and `}` on their own, `[\w-.]`.
"""

from __future__ import annotations

import re
from typing import Final

_TOKEN: Final = re.compile(
    r"\\[pPu]\{[^{}]*\}|\\k<[^>]*>|\\.|\{[0-9]+(?:,[0-9]*)?\}|\(\?P?<[^>]*>|.", re.DOTALL
)
_PART: Final = re.compile(
    r"\\[pP]\{[^{}]*\}|\\.|\[(?:\\.|[^\]\\])*\]|\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]*))?\}|.",
    re.DOTALL,
)
_ESCAPABLE: Final = frozenset("^$\\.*+?()[]{}|/")
_OF_PROPERTY: Final = 50
_SHORTHAND: Final = re.compile(r"\\[dDwWsSpP]")


def strictly_spelled(pattern: str) -> str:
    """The pattern without what strict dialects refuse though all others agree on it."""
    parts: list[str] = []
    start: int | None = None
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        inside = start is not None
        if text.startswith("\\") and len(text) == 2:
            is_plain = text[1].isascii() and not text[1].isalnum() and text[1] not in _ESCAPABLE
            parts.append(text[1] if is_plain and not (inside and text[1] in "-^]") else text)
        elif not inside and text == "[":
            start = len(parts)
            parts.append(text)
        elif inside and text == "]":
            start = None
            parts.append(text)
        elif inside and text == "-":
            after = pattern[token.end() : token.end() + 2]
            is_range = not (_SHORTHAND.match(parts[-1]) or _SHORTHAND.match(after))
            parts.append("-" if is_range else r"\-")
        elif (inside and text in "[(){}/|") or (not inside and text in ("]", "{", "}")):
            parts.append(f"\\{text}")
        else:
            parts.append(text)
    return "".join(parts)


def weight(pattern: str) -> int:
    """About how many states jsonschema-rs makes of a pattern, each of some 1,200 bytes."""
    return written_out(pattern, at_most=True, of_property=_OF_PROPERTY)


def written_out(pattern: str, *, at_most: bool = False, of_property: int = 1) -> int:
    """About how long the pattern is with its counted repetitions written out.

    Args:
        pattern: Its text.
        at_most: Whether to write out the larger count of each repetition; else the smaller.
        of_property: What one Unicode property counts, instead of 1.
    """
    open_groups, last = [0], 0
    for token in _PART.finditer(pattern):
        text = token[0]
        if token["least"]:
            count = token["most"] or token["least"] if at_most else token["least"]
            open_groups[-1] += last * (int(count[:9]) - 1)
        elif text == "(":
            open_groups.append(0)
        elif text == ")" and len(open_groups) > 1:
            last = open_groups.pop()
            open_groups[-1] += last
        else:
            last = of_property if r"\p" in text.lower() else 1
            open_groups[-1] += last
    return sum(open_groups)
