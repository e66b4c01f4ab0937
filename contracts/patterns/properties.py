"""The characters of a Unicode property, determined with the validator, so that both always agree."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import chain

import jsonschema_rs

from contracts.patterns.charset import LAST, SURROGATES, Ranges, union
from contracts.patterns.errors import UnsupportedPatternError

_NAME = re.compile(r"(?:[A-Za-z_]+=)?[A-Za-z0-9_]+")
_BLOCK = 4096


@lru_cache(maxsize=64)
def property_ranges(name: str) -> Ranges:
    r"""The characters of `\p{name}`: general categories, scripts, binary properties.

    Raises:
        UnsupportedPatternError: The property is unknown.
    """
    if not _NAME.fullmatch(name):
        raise UnsupportedPatternError("Expected the name of a Unicode property, got another text")
    try:
        has = jsonschema_rs.Draft202012Validator({"pattern": rf"^\p{{{name}}}"})
        alike = jsonschema_rs.Draft202012Validator({"pattern": rf"^(\p{{{name}}}*|\P{{{name}}}*)$"})
    except (ValueError, jsonschema_rs.ValidationError):
        raise UnsupportedPatternError("Expected a known Unicode property, got another name") from None
    found: list[tuple[int, int]] = []
    blocks = [(low, low + _BLOCK - 1) for low in range(LAST + 1 - _BLOCK, -1, -_BLOCK)]
    while blocks:
        low, high = blocks.pop()
        text = _text(low, high)
        if not alike.is_valid(text):
            middle = (low + high) // 2
            blocks += [(middle + 1, high), (low, middle)]
        elif has.is_valid(text):
            found.append((low, high))
    return union(found)


def unicode_digits() -> Ranges:
    r"""The characters of `\d` in dialects that use Unicode."""
    return property_ranges("Nd")


def unicode_spaces() -> Ranges:
    r"""The characters of `\s` in dialects that use Unicode."""
    return property_ranges("White_Space")


def unicode_word() -> Ranges:
    r"""The characters of `\w` in dialects that use Unicode."""
    names = ("Alphabetic", "M", "Nd", "Pc", "Join_Control")
    return union(chain.from_iterable(property_ranges(name) for name in names))


def _text(low: int, high: int) -> str:
    first, last = SURROGATES
    return "".join(chr(code) for code in range(low, high + 1) if not first <= code <= last)
