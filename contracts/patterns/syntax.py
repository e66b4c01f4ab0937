"""What a pattern is made of, once read."""

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
    """A place between characters."""

    kind: AnchorKind


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """One of them."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """The same, `low` to `high` times (None: without end)."""

    body: Node
    low: int
    high: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What must follow, or must not, without being taken."""

    body: Node
    wanted: bool


Node = Characters | Anchor | Sequence | Choice | Repeat | Look
