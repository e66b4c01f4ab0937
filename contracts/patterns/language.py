"""Regular sets of JSON strings: union, intersection, difference, inclusion, members.

A language is split by length into pieces, each with its own automaton, so `maxLength: 1000000` is cheap.
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
    """A regular language over Unicode code points without surrogates. Lengths count code points.

    Every operation is bounded, and raises TooLargeError beyond its budget.
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
        """The strings that match a JSON Schema `pattern`: ECMA-262 with the `u` flag, unanchored.

        Raises:
            TooLargeError: Its automaton is too large.
            UnsupportedPatternError: It is not a regular language, or not ECMA-262; or validators differ on
                it.
        """
        found = _readings(text)
        if len(found) > 1:
            raise UnsupportedPatternError(
                "Expected a pattern with one meaning in all validators, got `\\b`, or a lookahead with `\\d`,"
                " `\\s` or `\\w`, which differ on characters beyond ASCII - write `[0-9]`, `[A-Za-z0-9_]`"
            )
        return found[0]

    @classmethod
    def readings(cls, text: str) -> tuple[Language, ...]:
        r"""What a `pattern` means in ECMA-262 and, only where that differs, in `jsonschema-rs`.

        That takes `\b`, and in a pattern with a lookahead `\d`, `\s` and `\w`, for those of Unicode.

        Raises:
            TooLargeError: Its automaton is too large.
            UnsupportedPatternError: It is not a regular language, or not ECMA-262.
        """
        return _readings(text)

    @classmethod
    def length(cls, low: int, high: int | None) -> Language:
        """The strings of at least `low` and at most `high` characters (None: unlimited)."""
        return cls(tuple(_cut(max(low, 0), high, EVERYTHING)))

    @classmethod
    def words(cls, words: Iterable[str]) -> Language:
        """Exactly these strings, except those with a surrogate.

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
        """The complement."""
        return Language(tuple(_Piece(p.low, p.high, complemented(p.automaton)) for p in self._pieces))

    def is_empty(self) -> bool:
        """Whether it contains no string."""
        return all(lengths_of(p.automaton).next(p.low, p.high) is None for p in self._pieces)

    def accepts(self, text: str) -> bool:
        """Whether it contains a string."""
        return any(
            piece.automaton.matches(text)
            for piece in self._pieces
            if piece.low <= len(text) and (piece.high is None or len(text) <= piece.high)
        )

    def includes(self, other: Language) -> bool:
        """Whether it contains all strings of the other."""
        return (other - self).is_empty()

    def shortest(self) -> str | None:
        """The most readable of the shortest strings; None if it is empty."""
        return next(iter(self.some(1)), None)

    def some(self, count: int) -> list[str]:
        """Up to `count` distinct strings, short and readable ones first."""
        return list(islice(self._texts(count), count))

    def size(self) -> int | None:
        """The number of strings, at most 2**63; None if infinite."""
        total = 0
        for piece in self._pieces:
            counted = count_texts(piece.automaton, piece.low, piece.high)
            if counted is None:
                return None
            total += counted
        return min(total, MANY)

    def lengths(self) -> tuple[int, int | None]:
        """The minimum and maximum length (None: unlimited); (0, -1) if it is empty."""
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
def _readings(text: str) -> tuple[Language, ...]:
    parsed = parse(text)
    repeated = _whole_repeat(parsed.node)
    if repeated is not None:
        anywhere = Sequence((Anchor("start"), Repeat(repeated.body, 0, None), Anchor("end")))
        return (Language(tuple(_cut(repeated.low, repeated.high, of_pattern(anywhere)))),)
    automata = [of_pattern(parsed.node)]
    if parsed.disputed:
        other = of_pattern(parse(text, unicode=parsed.looks).node, unicode_word())
        automata += [] if other.same(automata[0]) else [other]
    return tuple(Language((_Piece(0, None, automaton),)) for automaton in automata)


def _whole_repeat(node: Node) -> Repeat | None:
    """The repetition of a pattern like `^[a-z]{1,5000}$`, which then needs no automaton of 5,000 states."""
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
