"""The syntax tree of a pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contracts.patterns.charset import Ranges

AnchorKind = Literal["start", "end", "boundary", "inside"]


@dataclass(frozen=True, slots=True, eq=False)
class Characters:
    """One character of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """A condition on the position between two characters."""

    kind: AnchorKind


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A concatenation."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """An alternation."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """A repetition, `low` to `high` times (None: unlimited)."""

    body: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A lookahead, positive (`wanted`) or negative."""

    body: Node
    wanted: bool


Node = Characters | Anchor | Sequence | Choice | Repeat | Look
