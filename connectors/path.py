"""Paths into a record: `$.name`, `$["Date of birth"]`, `$.lines[0].amount`, `$` for all of it. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"""\.([A-Za-z_][\w-]*)|\["((?:[^"\\]|\\["\\])+)"\]|\[(\d{1,6})\]""")


class PathSyntaxError(ValueError):
    """A path that cannot be read; `position` is where in the text, counted from 0."""

    def __init__(self, position: int) -> None:
        super().__init__(f'expected `.name`, `["any name"]` or `[0]` at character {position + 1}')
        self.position = position


@dataclass(frozen=True, slots=True)
class Path:
    """A parsed path.

    Attributes:
        text: As it was written.
        steps: Names and indexes, outermost first.
    """

    text: str
    steps: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str) -> "Path":
        """Read a path that starts with `$`.

        Raises:
            PathSyntaxError: It is not a path; the error says at which character.
        """
        if not text.startswith("$"):
            raise PathSyntaxError(0)
        steps: list[str | int] = []
        position = 1
        while position < len(text):
            match = _STEP.match(text, position)
            if match is None:
                raise PathSyntaxError(position)
            name, quoted, index = match.groups()
            steps.append(int(index) if index else name or re.sub(r"\\(.)", r"\1", quoted))
            position = match.end()
        return cls(text, tuple(steps))

    def look_up(self, root: Any, missing: Any = None) -> Any:
        """The value at this path, or `missing` where there is none."""
        value = root
        for step in self.steps:
            value = _inside(value, step)
            if value is _NOTHING:
                return missing
        return value


_NOTHING = object()


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step, _NOTHING) if isinstance(value, Mapping) else _NOTHING
    return value[step] if _is_list(value) and step < len(value) else _NOTHING


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
