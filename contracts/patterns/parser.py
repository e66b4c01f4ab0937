r"""Parses an ECMA-262 regular expression (`u` flag), without recursion.

More lenient than ECMA-262 where all dialects agree on the meaning (`\-`, `\_`, a lone `]` or `}`), and
stricter where they do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from contracts.patterns import charset
from contracts.patterns.budget import MAX_DEPTH, MAX_TEXT
from contracts.patterns.errors import TooLargeError
from contracts.patterns.escapes import PatternReader, unsupported
from contracts.patterns.syntax import Anchor, Characters, Choice, Look, Node, Repeat, Sequence

_COUNTED = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_NAMED = re.compile(r"\?P?<[^\W\d]\w*>")
_QUANTIFIERS = "*+?{"
_MOST = 10**9


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
    reader = PatternReader(text, unicode=unicode)
    groups = [_Group(None)]
    while not reader.ended():
        _read(reader, groups)
    if len(groups) > 1:
        raise unsupported("each `(` to be closed", "one that is not")
    looks = "lookahead" in reader.marks
    disputed = "boundary" in reader.marks or (looks and "shorthand" in reader.marks)
    return ParsedPattern(groups[0].node(), looks, disputed)


def _read(reader: PatternReader, groups: list[_Group]) -> None:
    match character := reader.take():
        case "(":
            groups.append(_Group(_opening(reader)))
            if len(groups) > MAX_DEPTH:
                raise TooLargeError(f"Expected groups nested at most {MAX_DEPTH} levels deep, got more")
        case ")":
            if len(groups) == 1:
                raise unsupported("`)` to close a group", "one that closes none")
            _add(reader, groups, groups.pop(-1).node())
        case "|":
            groups[-1].options.append(_sequence(groups[-1].parts))
            groups[-1].parts = []
        case "^" | "$":
            _add(reader, groups, Anchor("start" if character == "^" else "end"))
        case "*" | "+" | "?" | "{":
            raise unsupported("something to repeat", f"`{character}` after nothing")
        case _:
            _add(reader, groups, _atom(reader, character))


def _atom(reader: PatternReader, character: str) -> Node:
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


def _opening(reader: PatternReader) -> bool | None:
    if reader.peek() != "?":
        return None
    if reader.skip("?:") or reader.match(_NAMED):
        return None
    if (wanted := reader.skip("?=")) or reader.skip("?!"):
        reader.marks.add("lookahead")
        return wanted
    raise unsupported("a plain, named or lookahead group", "another kind")


def _add(reader: PatternReader, groups: list[_Group], node: Node) -> None:
    quantifier = _quantifier(reader)
    if quantifier is not None:
        if isinstance(node, Anchor | Look):
            raise unsupported("something to repeat", "a quantifier after an assertion")
        node = Repeat(node, *quantifier)
        if reader.peek() in _QUANTIFIERS and not reader.ended():
            raise unsupported("one quantifier", "a quantifier after a quantifier")
    groups[-1].parts.append(node)


def _quantifier(reader: PatternReader) -> tuple[int, int | None] | None:
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
        raise unsupported("a range of counts in order", "one that runs backwards")
    if max(low, high or 0) > _MOST:
        raise TooLargeError("Expected counts of bounded size in the pattern, got larger ones")
    return low, high


def _sequence(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Sequence(tuple(parts))
