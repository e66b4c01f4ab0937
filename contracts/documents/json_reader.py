"""Reads JSON text, and finds the line and column of each value, without recursion."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from contracts.documents import rules
from contracts.errors import DocumentError
from contracts.finding import Place
from contracts.paths import Step

MAX_JSON_DEPTH: Final = 128

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
# An unclosed string is one token: otherwise each quote in it would be tried again, in quadratic time.
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)
# One character of a text as it is written; a pair of surrogates is one.
_LETTER = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u....|\\.|.", re.DOTALL)


def read_json_text(text: str, file: str) -> Any:
    """Parse a JSON document.

    Raises:
        DocumentError: The text breaks a rule of `contracts.documents.rules`.
    """
    if json_depth(text) > MAX_JSON_DEPTH:
        raise DocumentError(rules.TOO_DEEP.at(Place(file), f"nested deeper than {MAX_JSON_DEPTH} levels"))
    try:
        return json.loads(text, object_pairs_hook=without_duplicates, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        fault = rules.SYNTAX.at(Place(file, error.lineno, error.colno), f"not JSON: {error.msg}")
    except _DuplicateKeyError as error:
        place = _second_place(text, error.key, file)
        fault = rules.DUPLICATE_KEY.at(place, "a property name occurs twice in one object")
    except ValueError:
        fault = rules.SYNTAX.at(Place(file), "not JSON: a number that JSON does not allow")
    raise DocumentError(fault)


def exact_json(text: str) -> Any:
    """A document that `read_json_text` takes; a number that a float would alter is a `Decimal` in it."""
    return json.loads(text, parse_float=_exact)


def _exact(written: str) -> float | Decimal:
    number = Decimal(written)
    return float(written) if Decimal(repr(float(written))) == number else number


def json_depth(text: str) -> int:
    """The nesting depth of objects and arrays, without parsing."""
    if text.count("{") + text.count("[") < 100:
        return 0
    depth = deepest = 0
    for match in _BRACKET.finditer(text):
        mark = match[0]
        if mark in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "}]":
            depth -= 1
    return deepest


def json_places(text: str, file: str) -> dict[tuple[Step, ...], Place]:
    """The place of each value by its steps; for a property, the place of its name."""
    places: dict[tuple[Step, ...], Place] = {}
    line, line_start, last = 1, 0, 0
    for steps, _is_name, match in _marks(text):
        start = match.start()
        if breaks := text.count("\n", last, start):
            line, line_start = line + breaks, text.rfind("\n", last, start) + 1
        last = start
        places.setdefault(steps, Place(file, line, start - line_start + 1))
    return places


def json_text_place(
    text: str, file: str, steps: tuple[Step, ...], *, in_name: bool = False, at: int | None = None
) -> Place:
    """The place of a value itself, or of a character in a text.

    Args:
        text: The JSON document.
        file: Its name.
        steps: Where the value is.
        in_name: Whether the name of that property is meant, not its value.
        at: Which character of the text, from 0; the place of the whole value when None.
    """
    found = next(
        (match for path, is_name, match in _marks(text) if (path, is_name) == (steps, in_name)), None
    )
    if found is None:
        return Place(file)
    position = found.start()
    if at is not None and found[0].startswith('"'):
        letters = _LETTER.finditer(text, position + 1, found.end() - 1)
        position = next((each.start() for each in islice(letters, at, None)), found.end() - 1)
    return Place(file, text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _marks(text: str) -> Iterator[tuple[tuple[Step, ...], bool, re.Match[str]]]:
    """Every name and every value of a document: its steps, whether it is a name, and where it begins."""
    path: list[Step] = []
    opened: list[str] = []
    name_next = False
    for match in _TOKEN.finditer(text):
        mark = match[0]
        if mark in ("}", "]"):
            opened.pop()
            path.pop()
            name_next = False
        elif mark == ",":
            name_next = opened[-1] == "{"
            if not name_next:
                path[-1] = int(path[-1]) + 1
        elif name_next:
            path[-1] = json.loads(mark)
            yield tuple(path), True, match
            name_next = False
        elif mark != ":":
            yield tuple(path), False, match
            if mark in ("{", "["):
                opened.append(mark)
                path.append("" if mark == "{" else 0)
                name_next = mark == "{"


class _DuplicateKeyError(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key


def without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these members, for `json.loads`.

    Raises:
        ValueError: A name occurs twice: readers differ in which of the two they take.
    """
    value = dict(pairs)
    if len(value) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise _DuplicateKeyError(next(key for key in counts if counts[key] > 1))
    return value


def _no_constant(_name: str) -> None:
    raise ValueError


def _second_place(text: str, key: str, file: str) -> Place:
    found = list(re.finditer(re.escape(json.dumps(key, ensure_ascii=False)) + r"\s*:", text))
    start = found[-1].start() if found else 0
    return Place(file, text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start))
