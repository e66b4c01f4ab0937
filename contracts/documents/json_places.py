"""The line and column of each value in valid JSON text, found without recursion."""

from __future__ import annotations

import json
import re

from contracts.finding import Place
from contracts.paths import Step

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
# An unclosed string is one token: otherwise each quote in it would be tried again, in quadratic time.
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[{}\[\]]', re.DOTALL)


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
    path: list[Step] = []
    opened: list[str] = []
    name_next = False
    line, line_start, last = 1, 0, 0
    for match in _TOKEN.finditer(text):
        mark, start = match[0], match.start()
        if breaks := text.count("\n", last, start):
            line, line_start = line + breaks, text.rfind("\n", last, start) + 1
        last = start
        here = Place(file, line, start - line_start + 1)
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
            places[tuple(path)] = here
            name_next = False
        elif mark != ":":
            places.setdefault(tuple(path), here)
            if mark in ("{", "["):
                opened.append(mark)
                path.append("" if mark == "{" else 0)
                name_next = mark == "{"
    return places
