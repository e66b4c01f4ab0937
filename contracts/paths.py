"""Paths into data, as RFC 9535 writes them: `$.child.name`, `$['full name']`, `$["full name"]`, `$.items[0]`.

A path names a place, not its value. `[*]` matches every item of an array. Unlike in RFC 9535, a name
after a dot may hold `-`, and no name is empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

EVERY: Final = "*"
Step = str | int

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LETTER = r"A-Za-z_\x80-\ud7ff\ue000-\U0010ffff"
_STEP = re.compile(
    rf"\.(?P<name>[{_LETTER}][{_LETTER}0-9-]*)|\[(?P<index>[0-9]{{1,9}}|\*)\]|"
    r"""\[(?P<quote>['"])"""
    r"(?P<quoted>(?:(?!(?P=quote))[^\\]|\\(?:[bfnrt/\\]|(?P=quote)|u[0-9A-Fa-f]{4}))+)(?P=quote)\]"
)
_QUOTE_OR_ESCAPE = re.compile(r'\\.|"', re.DOTALL)
_NOTHING = object()


def parse_path(text: str, *, every: bool = True) -> tuple[Step, ...]:
    """Split a path into property names, indexes and `*`.

    Args:
        text: The path.
        every: Whether the path may contain `[*]`.

    Raises:
        ValueError: The text is not a path; the message says at which character.
    """
    if not text.startswith("$"):
        raise ValueError("Expected a path that begins with `$`")
    steps: list[Step] = []
    position = 1
    while position < len(text):
        match = _STEP.match(text, position)
        step = None if match is None else _step(match)
        if match is None or step is None or (match["index"] == EVERY and not every):
            expected = (
                "`.name`, `['any name']`, `[0]` or `[*]`" if every else "`.name`, `['any name']` or `[0]`"
            )
            raise ValueError(f"Expected {expected} at character {position + 1} of the path")
        steps.append(step)
        position = match.end()
    return tuple(steps)


def _step(match: re.Match[str]) -> Step | None:
    """The step, None where an escape names no character."""
    if index := match["index"]:
        return index if index == EVERY else int(index)
    if quoted := match["quoted"]:
        if match["quote"] == "'":
            quoted = _QUOTE_OR_ESCAPE.sub(_as_json, quoted)
        name = str(json.loads(f'"{quoted}"', strict=False))
        return None if any("\ud800" <= letter <= "\udfff" for letter in name) else name
    return match["name"]


def _as_json(match: re.Match[str]) -> str:
    return {'"': r"\"", r"\'": "'"}.get(match[0], match[0])


def render_path(steps: Iterable[Step]) -> str:
    """Write steps as a path that `parse_path` reads back."""
    return "$" + "".join(_render(step) for step in steps)


def pointer(steps: Iterable[Step]) -> str:
    """Write steps as a JSON pointer within a document: `#/properties/age`."""
    return "#" + "".join(f"/{escaped(str(step))}" for step in steps)


def escaped(name: str) -> str:
    """Write a name as a step of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def pointer_names(pointer: str) -> list[str]:
    """Read the steps of a JSON pointer, with or without `#`; an index is a text of digits."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _render(step: Step) -> str:
    if isinstance(step, int) or step == EVERY:
        return f"[{step}]"
    if _PLAIN.fullmatch(step):
        return f".{step}"
    quoted = json.dumps(step, ensure_ascii=False)[1:-1].replace(r"\"", '"').replace("'", r"\'")
    return f"['{quoted}']"


@dataclass(frozen=True, slots=True)
class DataPath:
    """A path to one value, without `[*]`.

    Attributes:
        text: As it was written.
        steps: Names and indexes, outermost first.
    """

    text: str
    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str) -> DataPath:
        """Read a path.

        Raises:
            ValueError: The text is not a path to one value; the message says at which character.
        """
        return cls(text, parse_path(text, every=False))

    def look_up(self, data: Any, missing: Any = None) -> Any:
        """The value at this path, or `missing` where there is none."""
        value = data
        for step in self.steps:
            value = _inside(value, step)
            if value is _NOTHING:
                return missing
        return value


def _inside(value: Any, step: Step) -> Any:
    if isinstance(step, str):
        return value.get(step, _NOTHING) if isinstance(value, Mapping) else _NOTHING
    is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
    return value[step] if is_list and step < len(value) else _NOTHING
