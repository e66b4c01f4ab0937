r"""Sets of strings: what `pattern`, `minLength`, `maxLength`, `const` and `enum` say together, exactly.

Patterns are read as both validators read them: ECMA-262 with the `u` flag, found anywhere in the text, `.`
is any character but a line feed, `$` is the end of the text, `\d` and `\w` are ASCII.
"""

from contracts.patterns.errors import PatternError, TooLargeError, UnsupportedPatternError
from contracts.patterns.language import Language

__all__ = ["Language", "PatternError", "TooLargeError", "UnsupportedPatternError"]
