"""Strings: words they must and must not be, lengths, patterns and their complements, asserted formats.

A value found is confirmed or combined later: finding one proves nothing. So a guess is enough for patterns
that are not understood, while emptiness is concluded only without them. Of a pattern that validators read in
two ways, emptiness is concluded for both, and a value is found that both take. Without a pattern, lengths and
words decide; with one, regular languages do. A format is a predicate that implies itself; a pattern around it
and sample words stand in for the rest, each only where it proves something.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from itertools import count, product
from operator import and_
from string import ascii_lowercase
from typing import Final

from contracts.compatibility.containment.nodes import Constraint
from contracts.compatibility.containment.results import (
    EMPTY,
    Found,
    NotUnderstoodError,
    PatternDoubt,
    Result,
    Unknown,
)
from contracts.patterns import Language, PatternError, TooLargeError, UnsupportedPatternError
from contracts.patterns.matching import finds
from contracts.schema.formats import ASSERTED

TOO_LARGE: Final = "which is too large to be compared"
_DAY: Final = r"\d{4}-\d\d-\d\d"
_TIME: Final = r"[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)"
# Every text of the format matches; not every match is of the format.
_AROUND: Final = {
    "date": rf"^{_DAY}$",
    "date-time": rf"^{_DAY}{_TIME}$",
    "email": r"^[^@]+@.+$|^\"",
    "uri": r"^[A-Za-z][A-Za-z0-9+.\-]*:",
    "uuid": r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
}
_SAMPLES: Final = {
    "date": ("2026-02-28", "1999-12-31", "2000-02-29"),
    "date-time": ("2026-02-28T12:00:00Z", "1999-12-31T23:59:59.5+01:00", "2000-02-29t00:00:00z"),
    "email": ("a@b.co", "a@b", "some.body+tag@mail.example.org", '"a b"@c.de'),
    "uri": ("https://example.org/", "urn:a:b", "a:b", "http://example.org/a/long/path?with=query#part"),
    "uuid": ("2eb8aa08-aa98-11ea-b4aa-73b441d16380", "2EB8AA08-AA98-11EA-B4AA-73B441D16380"),
}
_SAMPLED: Final = 60
_GUESSES: Final = (
    "a",
    "A",
    "1",
    "",
    " ",
    "Abc",
    "abc",
    "abcdefgh",
    "12345678",
    "a-b",
    "a b",
    "aaaaaaaaaaaa",
    "_",
)
_MOST_REFUSED: Final = 50_000
_LONGEST: Final = 100_000


@dataclass(slots=True)
class _Demand:
    allowed: frozenset[str] | None = None
    refused: set[str] = field(default_factory=set)
    shortest: int = 0
    longest: int | None = None
    patterns: list[tuple[str, bool]] = field(default_factory=list)
    formats: list[tuple[str, bool]] = field(default_factory=list)

    def take(self, constraint: Constraint) -> None:
        match constraint:
            case ("in", words):
                self.allowed = words if self.allowed is None else self.allowed & words
            case ("nin", words):
                self.refused |= words
            case ("longer", length):
                self.shortest = max(self.shortest, length)
            case ("shorter", length):
                self.longest = length if self.longest is None else min(self.longest, length)
            case ("pattern" | "npattern" as kind, text):
                self.patterns.append((text, kind == "pattern"))
            case ("format" | "nformat" as kind, name):
                self.formats.append((name, kind == "format"))
            case _:
                raise NotUnderstoodError("an odd limit of strings")

    def allows_simply(self, word: str) -> bool:
        return (
            len(word) >= self.shortest
            and (self.longest is None or len(word) <= self.longest)
            and word not in self.refused
            and all(has_format(name, word) is wanted for name, wanted in self.formats)
        )

    def languages(self) -> list[Language]:
        """What its patterns leave in ECMA-262 and, where one of them is disputed, in the other reading."""
        is_disputed = any(len(_readings(text)) > 1 for text, _ in self.patterns)
        return [self._language(index) for index in ((0, -1) if is_disputed else (0,))]

    def _language(self, reading: int) -> Language:
        language = Language.length(self.shortest, self.longest)
        for text, wanted in self.patterns:
            if readings := _readings(text):
                own = readings[reading]
                language = language & (own if wanted else own.complement())
        for name, wanted in self.formats:
            if wanted:
                language = language & Language.pattern(_AROUND[name])
        return language - Language.words(self.refused) if self.refused else language


def has_format(name: str, word: str) -> bool:
    """Whether the text has the format, one of those that are asserted."""
    try:
        return ASSERTED[name](word)
    except (ValueError, IndexError):
        return False


def matches(pattern: str, word: str) -> bool | None:
    """Whether a `pattern` finds something in the text; None where it is not understood, or disputed."""
    truths = {language.accepts(word) for language in _readings(pattern)}
    return truths.pop() if len(truths) == 1 else None


def is_strange(pattern: str) -> bool:
    """Whether a pattern is too large for a regular language, beyond them, or two of them."""
    return len(_readings(pattern)) != 1


@lru_cache(maxsize=4096)
def _readings(pattern: str) -> tuple[Language, ...]:
    """What a pattern means; nothing where it is not understood."""
    try:
        return Language.readings(pattern)
    except (UnsupportedPatternError, TooLargeError):
        return ()


def may_match(pattern: str, word: str) -> bool:
    """A guess, for a pattern that is not understood: good enough for a witness, which is confirmed later."""
    try:
        return finds(pattern, word)
    except PatternError:
        return False


def find_string(constraints: Iterable[Constraint]) -> Result:
    """A string that keeps all the constraints."""
    return _find(frozenset(constraints))


@lru_cache(maxsize=1024)
def _find(constraints: frozenset[Constraint]) -> Result:
    demand = _Demand()
    for constraint in constraints:
        demand.take(constraint)
    if demand.longest is not None and demand.longest < demand.shortest:
        return EMPTY
    if any((name, not wanted) in demand.formats for name, wanted in demand.formats):
        return EMPTY
    if demand.allowed is not None:
        return _among_words(demand, sorted(demand.allowed, key=lambda word: (len(word), word)))
    if not demand.patterns and not any(wanted for _, wanted in demand.formats):
        return _by_length(demand)
    try:
        return _among_language(demand)
    except TooLargeError:
        patterns = [text for text, _ in demand.patterns]
        if not patterns:
            return Unknown("lengths and formats of a string, which are too large to be compared")
        return Unknown(PatternDoubt(max(patterns, key=len), TOO_LARGE))


def doubt_of(pattern: str) -> PatternDoubt:
    """What stands in the way of reasoning about a pattern that is none of a bounded regular language."""
    try:
        Language.pattern(pattern)
    except PatternError as error:
        said = str(error)
        return PatternDoubt(pattern, f"which is not reasoned about ({said[0].lower()}{said[1:]})")
    return PatternDoubt(pattern, TOO_LARGE)


def _among_words(demand: _Demand, words: Iterable[str]) -> Result:
    doubt: str | None = None
    for word in filter(demand.allows_simply, words):
        found = {
            text: matches(text, word) if wanted else _opposite(matches(text, word))
            for text, wanted in demand.patterns
        }
        if False in found.values():
            continue
        doubt = next((text for text, truth in found.items() if truth is None), None)
        if doubt is None:
            return Found(word)
    return EMPTY if doubt is None else Unknown(doubt_of(doubt))


def _opposite(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def _by_length(demand: _Demand) -> Result:
    if len(demand.refused) > _MOST_REFUSED:
        return Unknown("more words are refused than can be tried")
    if demand.shortest > _LONGEST:
        return Unknown("a string longer than can be shown")
    tries = len(demand.refused) + len(demand.formats) + 2
    for length in range(demand.shortest, demand.shortest + 2):
        if demand.longest is None or length <= demand.longest:
            for word in words_of(length, tries):
                if demand.allows_simply(word):
                    return Found(word)
    if demand.formats:
        return Unknown("what does not keep a `format`")
    return EMPTY


def words_of(length: int, most: int) -> Iterator[str]:
    """Different words of one length, plain ones first; at most `most` of them."""
    if length == 0:
        yield ""
        return
    tail = "a" * max(length - 2, 0)
    made = 0
    for letters in product(ascii_lowercase, repeat=min(length, 2)):
        if made >= most:
            return
        made += 1
        yield "".join(letters) + tail
    for code in count(0x100):
        if made >= most or code >= 0xD800:
            return
        made += 1
        yield chr(code) + "a" * (length - 1)


def _stretched(name: str, length: int) -> Iterator[str]:
    """A text of the format with just so many characters, for the formats that have long ones."""
    if name == "uri" and length > 2:
        yield "a:" + "a" * (length - 2)
    if name == "email" and length > 3:
        yield "a@" + "".join("." if place % 50 == 49 else "a" for place in range(length - 3)) + "a"


def _guessed(demand: _Demand, language: Language, patterns: list[tuple[str, bool]]) -> Result:
    for word in (*_GUESSES, *language.some(_SAMPLED)):
        is_matched = all(may_match(text, word) is wanted for text, wanted in patterns)
        if is_matched and language.accepts(word) and demand.allows_simply(word):
            return Found(word)
    return Unknown(doubt_of(patterns[0][0]))


def _among_language(demand: _Demand) -> Result:
    readings = demand.languages()
    if all(language.is_empty() for language in readings):
        return EMPTY
    language = reduce(and_, readings)
    if guessed := [one for one in demand.patterns if not _readings(one[0])]:
        return _guessed(demand, language, guessed)
    if len(readings) > 1 and language.is_empty():
        return Unknown(doubt_of(next(text for text, _ in demand.patterns if is_strange(text))))
    if not demand.formats:
        word = next(iter(language.some(1)), None)
        return Unknown("a `pattern` without a word") if word is None else Found(word)
    for name, wanted in demand.formats:
        for word in (*_SAMPLES[name], *_stretched(name, demand.shortest)) if wanted else ():
            if demand.allows_simply(word) and language.accepts(word):
                return Found(word)
    for word in language.some(_SAMPLED):
        if demand.allows_simply(word):
            return Found(word)
    return Unknown("`format` together with other limits on the same string")
