"""Why a pattern cannot be reasoned about.

PatternError
 ├── TooLargeError              its automaton, or a combination of automata, outgrows the budget
 └── UnsupportedPatternError    it is no regular language, or no ECMA-262 regular expression
"""

from __future__ import annotations

from typing import ClassVar

from contracts.errors import ContractError


class PatternError(ContractError):
    """A pattern cannot be reasoned about."""

    reason: ClassVar[str] = "pattern"


class TooLargeError(PatternError):
    """An automaton outgrows the budget of states or of work."""

    reason: ClassVar[str] = "pattern-too-large"


class UnsupportedPatternError(PatternError):
    """The pattern is no regular language, or not written in ECMA-262."""

    reason: ClassVar[str] = "pattern-unsupported"
