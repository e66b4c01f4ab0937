"""What a search for a value ends with: one, the proof that there is none, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Found:
    """A value."""

    value: Any


@dataclass(frozen=True, slots=True)
class Empty:
    """No value exists."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Neither found nor excluded, and what stood in the way."""

    why: str


EMPTY: Final = Empty()
Result: TypeAlias = Found | Empty | Unknown
