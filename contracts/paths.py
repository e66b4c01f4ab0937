"""Paths into data: `$.child.name`, `$.children[*].name`, `$.items[0]`.

A path names a place, never what is there. `[*]` stands for every item of an array.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

EVERY: Final = "*"
Step = str | int

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<index>[0-9]{1,9}|\*)\]|\['(?P<quoted>[^'\\]+)'\]"
)


def parse_path(text: str) -> tuple[Step, ...]:
    """Split a path into property names, indexes and `*`.

    Raises:
        ValueError: The text is not a path.
    """
    if not text.startswith("$"):
        raise ValueError("Expected a path that begins with `$`")
    steps: list[Step] = []
    position = 1
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            raise ValueError(
                f"Expected `.name`, `[0]`, `[*]` or `['name']` at character {position + 1} of the path"
            )
        name = match["name"] or match["quoted"]
        index = match["index"]
        steps.append(name if name is not None else EVERY if index == EVERY else int(index))
        position = match.end()
    return tuple(steps)


def render_path(steps: Iterable[Step]) -> str:
    """Write steps as a path that `parse_path` reads back."""
    return "$" + "".join(_render(step) for step in steps)


def pointer(steps: Iterable[Step]) -> str:
    """Write steps as a JSON pointer within a document: `#/properties/age`."""
    return "#" + "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in steps)


def _render(step: Step) -> str:
    if isinstance(step, int) or step == EVERY:
        return f"[{step}]"
    if _PLAIN.fullmatch(step):
        return f".{step}"
    quoted = step.replace("\\", "_").replace("'", "_")
    return f"['{quoted}']"
