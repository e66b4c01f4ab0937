"""Errors about patterns that cannot be analysed.

PatternError
 ├── SlowPatternError           a match took longer than it may
 ├── TooLargeError              its automaton, or a combination of automata, exceeds the budget
 └── UnsupportedPatternError    it is not a regular language, or not an ECMA-262 regular expression
"""

from __future__ import annotations

from typing import ClassVar

from contracts.errors import ContractError


class PatternError(ContractError):
    """A pattern cannot be analysed."""

    reason: ClassVar[str] = "pattern"


class SlowPatternError(PatternError):
    """A match took longer than it may."""

    reason: ClassVar[str] = "pattern-slow"


class TooLargeError(PatternError):
    """An automaton exceeds the budget of states or steps."""

    reason: ClassVar[str] = "pattern-too-large"


class UnsupportedPatternError(PatternError):
    """The pattern is not a regular language, or not an ECMA-262 regular expression."""

    reason: ClassVar[str] = "pattern-unsupported"
