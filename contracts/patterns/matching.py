r"""Whether a pattern matches a text, by the library `regex`: no part of it is shared with the automata.

It backtracks, so each match has a limit of time, of which 1,000,000 characters take a few milliseconds. A
pattern is rewritten where Python's dialect differs from ECMA-262 with the `u` flag: `\d`, `\w` and `\s`, `$`,
escapes of characters, empty classes. Unicode properties are left to `regex`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import regex  # type: ignore[import-untyped] # it has no types

from contracts.patterns import charset
from contracts.patterns.budget import MAX_PROGRAM, MAX_TEXT
from contracts.patterns.charset import Ranges
from contracts.patterns.errors import SlowPatternError, TooLargeError, UnsupportedPatternError
from contracts.patterns.spelling import written_out

MATCH_SECONDS: Final = 0.05
"""Processor time for one match, beyond which a pattern counts as too slow for the text."""
_TOKEN: Final = re.compile(
    r"\\u[dD](?P<high>[89abAB][0-9A-Fa-f]{2})\\u[dD](?P<low>[c-fC-F][0-9A-Fa-f]{2})"
    r"|\\u\{0*(?P<point>[0-9A-Fa-f]{1,6})\}|\\c(?P<control>[A-Za-z])|\\(?P<nul>0)(?![0-9])"
    r"|\\(?P<class>[dDwWsS])|\\.|(?P<empty>\[\^?\])|.",
    re.DOTALL,
)
_CLASSES: Final = {"d": charset.DIGITS, "w": charset.WORD, "s": charset.SPACE}


def finds(pattern: str, text: str, limit_seconds: float = MATCH_SECONDS) -> bool:
    """Whether the pattern matches somewhere in the text.

    Args:
        pattern: As in JSON Schema: ECMA-262 with the `u` flag.
        text: What it is searched in.
        limit_seconds: When to give up, in seconds of processor time.

    Raises:
        SlowPatternError: There is no answer within the limit.
        TooLargeError: The pattern is too long.
        UnsupportedPatternError: `regex` cannot read the pattern.
    """
    try:
        return _compiled(pattern).search(text, timeout=max(limit_seconds, 0.001)) is not None
    except TimeoutError:
        raise SlowPatternError("Expected a pattern that matches in linear time, got a slow one") from None


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> Any:
    if len(pattern) > MAX_TEXT:
        raise TooLargeError(f"Expected a pattern of at most {MAX_TEXT} characters, got {len(pattern)}")
    if written_out(pattern) > MAX_PROGRAM:  # `regex` writes all of it out
        raise TooLargeError("Expected a pattern whose shortest texts are of bounded length, got another")
    try:
        return regex.compile(_rewritten(pattern), regex.VERSION0)
    except (regex.error, ValueError, OverflowError, RecursionError):
        raise UnsupportedPatternError("Expected a pattern that `regex` can read, got another") from None


def _rewritten(pattern: str) -> str:
    parts: list[str] = []
    inside = False
    for token in _TOKEN.finditer(pattern):
        text = token[0]
        if not inside and token["empty"]:
            parts.append("(?!)" if text == "[]" else r"[\x00-\U0010ffff]")
        elif token["empty"]:
            parts.append(r"\[" if text == "[]" else r"\[\^")
            inside = False
            parts.append("]")
        elif token["class"]:
            ranges = _CLASSES[token["class"].lower()]
            ranges = ranges if token["class"].islower() else charset.complement(ranges)
            parts.append(_spelled(ranges) if inside else f"[{_spelled(ranges)}]")
        elif (code := _code(token)) is not None:
            parts.append(_letter(code))
        elif not inside and text == "$":
            parts.append(r"\Z")
        elif inside and text == "[":
            parts.append(r"\[")
        else:
            inside = text == "[" or (inside and text != "]")
            parts.append(text)
    return "".join(parts)


def _code(token: re.Match[str]) -> int | None:
    if token["high"]:
        high, low = int("d" + token["high"], 16), int("d" + token["low"], 16)
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
    if token["point"]:
        return min(int(token["point"], 16), charset.LAST)
    if token["control"]:
        return ord(token["control"]) % 32
    return 0 if token["nul"] else None


def _spelled(ranges: Ranges) -> str:
    return "".join(f"{_letter(low)}-{_letter(high)}" for low, high in ranges)


def _letter(code: int) -> str:
    return f"\\U{code:08x}"
