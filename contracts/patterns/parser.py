r"""Parses an ECMA-262 regular expression (`u` flag), without recursion.

More lenient than ECMA-262 where all dialects agree on the meaning (`\-`, `\_`, a lone `]` or `}`), and
stricter where they do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from contracts.patterns import charset
from contracts.patterns.budget import MAX_DEPTH, MAX_TEXT
from contracts.patterns.charset import Ranges
from contracts.patterns.errors import TooLargeError, UnsupportedPatternError
from contracts.patterns.properties import property_ranges, unicode_digits, unicode_spaces, unicode_word
from contracts.patterns.syntax import Anchor, Characters, Choice, Look, Node, Repeat, Sequence

_COUNTED = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_NAMED = re.compile(r"\?P?<[^\W\d]\w*>")
_CONTROLS = {"t": 0x09, "n": 0x0A, "v": 0x0B, "f": 0x0C, "r": 0x0D}
# Without `<` and `>`: some dialects read `\<` and `\>` as word boundaries.
_THEMSELVES = frozenset("^$\\.*+?()[]{}|/-_ !\"#%&',:;=@`~")
_PROPERTY = re.compile(r"\{([^{}]{1,60})\}")
_HEX = re.compile(r"[0-9A-Fa-f]{2}")
_PAIR = re.compile(r"([dD][89abAB][0-9A-Fa-f]{2})\\u([dD][c-fC-F][0-9A-Fa-f]{2})")
_UNIT = re.compile(r"[0-9A-Fa-f]{4}")
_POINT = re.compile(r"\{0*([0-9A-Fa-f]{1,6})\}")
_QUANTIFIERS = "*+?{"
_MOST = 10**9


def _unsupported(expected: str, got: str) -> UnsupportedPatternError:
    return UnsupportedPatternError(f"Expected {expected}, got {got}")


class _Reader:
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
        return self._at >= len(self._text)

    def peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def take(self) -> str:
        """Read the next character.

        Raises:
            UnsupportedPatternError: The end is reached.
        """
        if self.ended():
            raise _unsupported("more of the pattern", "its end")
        self._at += 1
        return self._text[self._at - 1]

    def skip(self, prefix: str) -> bool:
        """Read the prefix if it follows, and return whether it did."""
        follows = self._text.startswith(prefix, self._at)
        self._at += len(prefix) if follows else 0
        return follows

    def match(self, wanted: re.Pattern[str]) -> re.Match[str] | None:
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
                raise _unsupported("`\\p{name}`", "another form")
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
        raise _unsupported(
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
        raise _unsupported("`\\uXXXX` or `\\u{X}`", "another form")

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
                    raise _unsupported("a range of characters in order", "another")
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


@dataclass(slots=True)
class _Group:
    look: bool | None
    options: list[Node] = field(default_factory=list)
    parts: list[Node] = field(default_factory=list)

    def node(self) -> Node:
        self.options.append(_sequence(self.parts))
        body = self.options[0] if len(self.options) == 1 else Choice(tuple(self.options))
        return body if self.look is None else Look(body, self.look)


@dataclass(frozen=True, slots=True)
class ParsedPattern:
    r"""A parsed pattern.

    Attributes:
        node: The syntax tree.
        looks: Whether it contains a lookahead.
        disputed: Whether it contains `\b`, or a lookahead with `\d`, `\s` or `\w`, which `jsonschema-rs` does
            not restrict to ASCII as ECMA-262 does.
    """

    node: Node
    looks: bool
    disputed: bool


def parse(text: str, *, unicode: bool = False) -> ParsedPattern:
    r"""Parse a pattern.

    Args:
        text: The pattern.
        unicode: Read `\d`, `\s` and `\w` as `jsonschema-rs` does in a pattern with a lookahead.

    Raises:
        TooLargeError: It is too long or too deeply nested.
        UnsupportedPatternError: It is not a regular language, or not ECMA-262.
    """
    if len(text) > MAX_TEXT:
        raise TooLargeError(f"Expected a pattern of at most {MAX_TEXT} characters, got {len(text)}")
    reader = _Reader(text, unicode=unicode)
    groups = [_Group(None)]
    while not reader.ended():
        _read(reader, groups)
    if len(groups) > 1:
        raise _unsupported("each `(` to be closed", "one that is not")
    looks = "lookahead" in reader.marks
    disputed = "boundary" in reader.marks or (looks and "shorthand" in reader.marks)
    return ParsedPattern(groups[0].node(), looks, disputed)


def _read(reader: _Reader, groups: list[_Group]) -> None:
    match character := reader.take():
        case "(":
            groups.append(_Group(_opening(reader)))
            if len(groups) > MAX_DEPTH:
                raise TooLargeError(f"Expected groups nested at most {MAX_DEPTH} levels deep, got more")
        case ")":
            if len(groups) == 1:
                raise _unsupported("`)` to close a group", "one that closes none")
            _add(reader, groups, groups.pop(-1).node())
        case "|":
            groups[-1].options.append(_sequence(groups[-1].parts))
            groups[-1].parts = []
        case "^" | "$":
            _add(reader, groups, Anchor("start" if character == "^" else "end"))
        case "*" | "+" | "?" | "{":
            raise _unsupported("something to repeat", f"`{character}` after nothing")
        case _:
            _add(reader, groups, _atom(reader, character))


def _atom(reader: _Reader, character: str) -> Node:
    if character == ".":
        return Characters(charset.DOT)
    if character == "[":
        return Characters(reader.bracket())
    if character != "\\":
        return Characters(charset.characters(character))
    following = reader.peek()
    if following in ("b", "B"):
        reader.take()
        reader.marks.add("boundary")
        return Anchor("boundary" if following == "b" else "inside")
    return Characters(reader.escape(in_class=False))


def _opening(reader: _Reader) -> bool | None:
    if reader.peek() != "?":
        return None
    if reader.skip("?:") or reader.match(_NAMED):
        return None
    if (wanted := reader.skip("?=")) or reader.skip("?!"):
        reader.marks.add("lookahead")
        return wanted
    raise _unsupported("a plain, named or lookahead group", "another kind")


def _add(reader: _Reader, groups: list[_Group], node: Node) -> None:
    quantifier = _quantifier(reader)
    if quantifier is not None:
        if isinstance(node, Anchor | Look):
            raise _unsupported("something to repeat", "a quantifier after an assertion")
        node = Repeat(node, *quantifier)
        if reader.peek() in _QUANTIFIERS and not reader.ended():
            raise _unsupported("one quantifier", "a quantifier after a quantifier")
    groups[-1].parts.append(node)


def _quantifier(reader: _Reader) -> tuple[int, int | None] | None:
    counts: tuple[int, int | None]
    if reader.skip("*"):
        counts = (0, None)
    elif reader.skip("+"):
        counts = (1, None)
    elif reader.skip("?"):
        counts = (0, 1)
    elif found := reader.match(_COUNTED):
        counts = _counts(found)
    else:
        return None
    reader.skip("?")  # lazy: the same language
    return counts


def _counts(found: re.Match[str]) -> tuple[int, int | None]:
    low = int(found[1][:12])
    high = low if found[2] is None else int(found[3][:12]) if found[3] else None
    if high is not None and high < low:
        raise _unsupported("a range of counts in order", "one that runs backwards")
    if max(low, high or 0) > _MOST:
        raise TooLargeError("Expected counts of bounded size in the pattern, got larger ones")
    return low, high


def _sequence(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Sequence(tuple(parts))
