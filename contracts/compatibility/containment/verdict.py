"""What is said about a pair of schemas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

Answer: TypeAlias = Literal["compatible", "incompatible", "undecided"]


class _NoWitness:
    """The mark of a verdict without a witness: `None` is a JSON value, and may be one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_WITNESS"


NO_WITNESS: Final = _NoWitness()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether every instance of the old schema is an instance of the new one.

    Attributes:
        answer: `compatible` is proved; `incompatible` has a witness; `undecided` says why it is neither.
        reason: One sentence. It names keywords and places, never data.
        witness: An instance of the old schema that the new one refuses, say two validators; or NO_WITNESS.
        old_path: JSON pointer to what the old schema says about the place, such as `#/properties/age`.
        new_path: JSON pointer to the keyword of the new schema that refuses the witness.
    """

    answer: Answer
    reason: str
    witness: Any = NO_WITNESS
    old_path: str | None = None
    new_path: str | None = None
