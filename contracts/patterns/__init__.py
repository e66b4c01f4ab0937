r"""Exact sets of strings that `pattern`, `minLength`, `maxLength`, `const` and `enum` accept together.

Patterns have the meaning of both validators: ECMA-262 with the `u` flag, matched anywhere in the text; `.` is
any character except a line feed, `$` is the end of the text, `\d` and `\w` are ASCII.
"""

from contracts.patterns.errors import PatternError, TooLargeError, UnsupportedPatternError
from contracts.patterns.language import Language

__all__ = ["Language", "PatternError", "TooLargeError", "UnsupportedPatternError"]
