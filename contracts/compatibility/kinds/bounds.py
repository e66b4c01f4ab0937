"""Kinds of difference in bounds: how long, how many, how large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from contracts.compatibility.kinds.kind import Kind, changing, narrowing, widening

# Keyword, its name in a kind, what it bounds, and whether it bounds from above.
BOUNDS: Final = (
    ("maxLength", "MAX_LENGTH", "the longest text", True),
    ("minLength", "MIN_LENGTH", "the shortest text", False),
    ("maximum", "MAXIMUM", "the largest number", True),
    ("minimum", "MINIMUM", "the smallest number", False),
    ("exclusiveMaximum", "EXCLUSIVE_MAXIMUM", "the number that all must be below", True),
    ("exclusiveMinimum", "EXCLUSIVE_MINIMUM", "the number that all must be above", False),
    ("maxItems", "MAX_ITEMS", "the largest number of items", True),
    ("minItems", "MIN_ITEMS", "the smallest number of items", False),
    ("maxProperties", "MAX_PROPERTIES", "the largest number of properties", True),
    ("minProperties", "MIN_PROPERTIES", "the smallest number of properties", False),
    ("maxContains", "MAX_CONTAINS", "the largest number of items of the kind that `contains` names", True),
    ("minContains", "MIN_CONTAINS", "the smallest number of items of the kind that `contains` names", False),
)


def _bound(word: str, what: str, *, from_above: bool) -> Iterator[Kind]:
    stay = "keep the bound where it was, or publish a new major version"
    plain = f"{what[0].upper()}{what[1:]}"
    if word != "MIN_CONTAINS":  # absent, it is 1
        drop = "leave the bound away within this major version, or publish a new major version"
        yield narrowing(f"{word}_ADDED", f"{plain} is now bounded", drop)
        yield widening(f"{word}_REMOVED", f"{plain} is no longer bounded")
    larger, smaller = f"{plain} allowed is larger", f"{plain} allowed is smaller"
    if from_above:
        yield widening(f"{word}_INCREASED", larger)
        yield narrowing(f"{word}_DECREASED", smaller, stay)
    else:
        yield narrowing(f"{word}_INCREASED", larger, stay)
        yield widening(f"{word}_DECREASED", smaller)


KINDS: Final = (
    *(kind for _, word, what, from_above in BOUNDS for kind in _bound(word, what, from_above=from_above)),
    narrowing("MULTIPLE_OF_ADDED", "Numbers must now be multiples of one"),
    widening("MULTIPLE_OF_REMOVED", "Numbers need no longer be multiples of one"),
    narrowing("MULTIPLE_OF_EXPANDED", "Numbers must be multiples of a multiple of what they were"),
    widening("MULTIPLE_OF_REDUCED", "Numbers may be multiples of a part of what they were"),
    changing("MULTIPLE_OF_CHANGED", "Numbers must be multiples of something else"),
)
