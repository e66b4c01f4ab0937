"""Sets of JSON strings that a finite automaton can tell: union, intersection, difference, inclusion, members.

A language is cut by length into pieces, each with its own automaton: `maxLength: 1000000` costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from contracts.patterns.automaton import (
    EVERYTHING,
    NOTHING,
    Automaton,
    Operation,
    combined,
    complemented,
    of_pattern,
    of_words,
)
from contracts.patterns.errors import UnsupportedPatternError
from contracts.patterns.lengths import lengths_of
from contracts.patterns.members import MANY, count_texts, texts
from contracts.patterns.parser import parse
from contracts.patterns.properties import unicode_word
from contracts.patterns.syntax import Anchor, Characters, Node, Repeat, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    low: int
    high: int | None
    automaton: Automaton


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """A regular language over Unicode code points. Lengths count code points; surrogates are no characters.

    Every operation is bounded: past its budget it raises TooLargeError.
    """

    _pieces: tuple[_Piece, ...]

    @classmethod
    def everything(cls) -> Language:
        """Every string."""
        return cls((_Piece(0, None, EVERYTHING),))

    @classmethod
    def nothing(cls) -> Language:
        """No string."""
        return cls((_Piece(0, None, NOTHING),))

    @classmethod
    def pattern(cls, text: str) -> Language:
        """The strings in which a JSON Schema `pattern` is found: ECMA-262 with the `u` flag, unanchored.

        Raises:
            TooLargeError: Its automaton is too large.
            UnsupportedPatternError: It is no regular language, or not ECMA-262.
        """
        return _pattern(text)

    @classmethod
    def length(cls, low: int, high: int | None) -> Language:
        """The strings of at least `low` and at most `high` characters (None: without end)."""
        return cls(tuple(_cut(max(low, 0), high, EVERYTHING)))

    @classmethod
    def words(cls, words: Iterable[str]) -> Language:
        """These strings and no other; those with a surrogate are left out.

        Raises:
            TooLargeError: They are too many or too long.
        """
        return cls((_Piece(0, None, of_words(words)),))

    def __and__(self, other: Language) -> Language:
        return self._combined(other, "and")

    def __or__(self, other: Language) -> Language:
        return self._combined(other, "or")

    def __sub__(self, other: Language) -> Language:
        return self._combined(other, "without")

    def complement(self) -> Language:
        """Every other string."""
        return Language(tuple(_Piece(p.low, p.high, complemented(p.automaton)) for p in self._pieces))

    def is_empty(self) -> bool:
        """Whether no string belongs to it."""
        return all(lengths_of(p.automaton).next(p.low, p.high) is None for p in self._pieces)

    def accepts(self, text: str) -> bool:
        """Whether a string belongs to it."""
        return any(
            piece.automaton.matches(text)
            for piece in self._pieces
            if piece.low <= len(text) and (piece.high is None or len(text) <= piece.high)
        )

    def includes(self, other: Language) -> bool:
        """Whether every string of the other belongs to it."""
        return (other - self).is_empty()

    def shortest(self) -> str | None:
        """A shortest string, the most readable one; None if there is none."""
        return next(iter(self.some(1)), None)

    def some(self, count: int) -> list[str]:
        """Distinct strings, short and readable ones first; fewer than asked only where there are no more."""
        return list(islice(self._texts(count), count))

    def size(self) -> int | None:
        """How many strings belong to it: None if without end; 2**63 stands for that many and more."""
        total = 0
        for piece in self._pieces:
            counted = count_texts(piece.automaton, piece.low, piece.high)
            if counted is None:
                return None
            total += counted
        return min(total, MANY)

    def lengths(self) -> tuple[int, int | None]:
        """The least and the greatest length (None: without end); (0, -1) if no string belongs to it."""
        least = [lengths_of(p.automaton).next(p.low, p.high) for p in self._pieces]
        held = [(piece, low) for piece, low in zip(self._pieces, least, strict=True) if low is not None]
        if not held:
            return (0, -1)
        return held[0][1], _greatest(held[-1][0])

    def _combined(self, other: Language, operation: Operation) -> Language:
        return Language(
            tuple(
                _joined(
                    _Piece(low, high, combined(one.automaton, another.automaton, operation))
                    for one in self._pieces
                    for another in other._pieces
                    for low, high in [(max(one.low, another.low), _least(one.high, another.high))]
                    if high is None or low <= high
                )
            )
        )

    def _texts(self, count: int) -> Iterator[str]:
        for piece in self._pieces:
            yield from texts(piece.automaton, piece.low, piece.high, count)


@lru_cache(maxsize=512)
def _pattern(text: str) -> Language:
    parsed = parse(text)
    repeated = _whole_repeat(parsed.node)
    if repeated is None:
        automaton = of_pattern(parsed.node)
        if parsed.disputed:
            _refuse_differences(text, automaton, unicode=parsed.looks)
        return Language((_Piece(0, None, automaton),))
    anywhere = Sequence((Anchor("start"), Repeat(repeated.body, 0, None), Anchor("end")))
    return Language(tuple(_cut(repeated.low, repeated.high, of_pattern(anywhere))))


def _refuse_differences(text: str, automaton: Automaton, *, unicode: bool) -> None:
    if not of_pattern(parse(text, unicode=unicode).node, unicode_word()).same(automaton):
        raise UnsupportedPatternError(
            "Expected a pattern that every validator reads alike, got `\\b`, or a lookahead beside `\\d`,"
            " `\\s` or `\\w`, where they differ on characters beyond ASCII - write `[0-9]`, `[A-Za-z0-9_]`"
        )


def _whole_repeat(node: Node) -> Repeat | None:
    """The repeat of `^[a-z]{1,5000}$`: a class of characters and a length, no automaton of 5,000 states."""
    match node:
        case Sequence((Anchor("start"), Repeat(Characters()) as repeat, Anchor("end"))):
            return repeat
        case _:
            return None


def _cut(low: int, high: int | None, automaton: Automaton) -> Iterator[_Piece]:
    if high is not None and high < low:
        yield _Piece(0, None, NOTHING)
        return
    if low > 0:
        yield _Piece(0, low - 1, NOTHING)
    yield _Piece(low, high, automaton)
    if high is not None:
        yield _Piece(high + 1, None, NOTHING)


def _joined(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    held: _Piece | None = None
    for piece in sorted(pieces, key=lambda piece: piece.low):
        if held and held.automaton.same(piece.automaton):
            held = _Piece(held.low, piece.high, held.automaton)
        else:
            if held:
                yield held
            held = piece
    if held:
        yield held


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _greatest(piece: _Piece) -> int | None:
    lengths = lengths_of(piece.automaton)
    if piece.high is None or (lengths.longest is not None and lengths.longest <= piece.high):
        return lengths.longest
    length = piece.high
    while lengths.next(length, piece.high) is None:
        length -= 1
    return length
