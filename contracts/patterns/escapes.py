"""Reads escapes and character classes of an ECMA-262 regular expression."""

from __future__ import annotations

import re
from typing import Literal

from contracts.patterns import charset
from contracts.patterns.charset import Ranges
from contracts.patterns.errors import UnsupportedPatternError
from contracts.patterns.properties import property_ranges, unicode_digits, unicode_spaces, unicode_word

_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
# Without `<` and `>`: some dialects read `\<` and `\>` as word boundaries.
_THEMSELVES = frozenset("^$\\.*+?()[]{}|/-_ !\"#%&',:;=@`~")
_PROPERTY = re.compile(r"\{([^{}]{1,60})\}")
_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_PAIR = re.compile(r"([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})")
_UNIT = re.compile(r"[0-9A-Fa-f]{4}")
_POINT = re.compile(r"\{0*([0-9A-Fa-f]{1,6})\}")


def unsupported(expected: str, got: str) -> UnsupportedPatternError:
    """An error in the common format."""
    return UnsupportedPatternError(f"Expected {expected}, got {got}")


class PatternReader:
    r"""A pattern and the current position in it.

    Attributes:
        marks: Constructs read so far on which dialects differ: `\b`, lookaheads, `\d` and similar.
    """

    def __init__(self, text: str, *, unicode: bool = False) -> None:
        self._text = text
        self._at = 0
        self._unicode_classes = unicode
        self.marks: set[Literal["boundary", "lookahead", "shorthand"]] = set()

    def ended(self) -> bool:
        """Whether the end is reached."""
        return self._at >= len(self._text)

    def peek(self) -> str:
        """The next character; empty at the end."""
        return self._text[self._at : self._at + 1]

    def take(self) -> str:
        """Read the next character.

        Raises:
            UnsupportedPatternError: The end is reached.
        """
        if self.ended():
            raise unsupported("more of the pattern", "its end")
        self._at += 1
        return self._text[self._at - 1]

    def skip(self, prefix: str) -> bool:
        """Read the prefix if it follows, and return whether it did."""
        follows = self._text.startswith(prefix, self._at)
        self._at += len(prefix) if follows else 0
        return follows

    def match(self, wanted: re.Pattern[str]) -> re.Match[str] | None:
        """Read what matches, if it follows."""
        found = wanted.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found

    def escape(self, *, in_class: bool) -> Ranges:
        """Read an escape after its backslash, and return its characters.

        Raises:
            UnsupportedPatternError: It is a back-reference, or dialects differ on it.
        """
        character = self.take()
        if character in "dDsSwW":
            self.marks.add("shorthand")
            ranges = _shorthand(character.lower(), unicode=self._unicode_classes)
            return ranges if character.islower() else charset.complement(ranges)
        if character in "pP":
            if not (found := self.match(_PROPERTY)):
                raise unsupported("`\\p{name}`", "another form")
            ranges = property_ranges(found[1])
            return ranges if character == "p" else charset.complement(ranges)
        code = self._code(character, in_class=in_class)
        return charset.union([(code, code)])

    def _code(self, character: str, *, in_class: bool) -> int:
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in _THEMSELVES:
            return ord(character)
        if character == "b" and in_class:
            return 0x08
        if character == "0" and not self.peek().isdigit():
            return 0
        if character == "c" and self.peek().isascii() and self.peek().isalpha():
            return ord(self.take()) % 32
        if character == "x" and (found := self.match(_HEX)):
            return int(found[0], 16)
        if character == "u":
            return self._unicode()
        raise unsupported(
            "an escape of ECMA-262", "a back-reference" if character in "123456789k" else "another"
        )

    def _unicode(self) -> int:
        if found := self.match(_PAIR):
            high, low = int(found[1], 16), int(found[2], 16)
            return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        if found := self.match(_UNIT):
            return int(found[0], 16)
        if (found := self.match(_POINT)) and int(found[1], 16) <= charset.LAST:
            return int(found[1], 16)
        raise unsupported("`\\uXXXX` or `\\u{X}`", "another form")

    def bracket(self) -> Ranges:
        """Read a character class after its `[`, and return its characters.

        Raises:
            UnsupportedPatternError: It is not closed, or has an invalid range.
        """
        negated = self.skip("^")
        found: list[tuple[int, int]] = []
        while not self.skip("]"):
            first, one = self._member()
            if self.peek() == "-" and not self._text.startswith("-]", self._at):
                self.take()
                _, another = self._member()
                if one is None or another is None or one > another:
                    raise unsupported("a range of characters in order", "another")
                found.append((one, another))
            else:
                found.extend(first)
        ranges = charset.union(found)
        return charset.complement(ranges) if negated else ranges

    def _member(self) -> tuple[Ranges, int | None]:
        character = self.take()
        if character != "\\":
            return charset.characters(character), ord(character)
        shorthand = self.peek() in ("d", "D", "w", "W", "s", "S", "p", "P")
        ranges = self.escape(in_class=True)
        return ranges, ranges[0][0] if ranges and not shorthand else None


def _shorthand(character: str, *, unicode: bool) -> Ranges:
    if unicode:
        return {"d": unicode_digits, "s": unicode_spaces, "w": unicode_word}[character]()
    return {"d": charset.DIGITS, "s": charset.SPACE, "w": charset.WORD}[character]
