"""A pattern means what two engines say it means: random patterns and texts, the same ones each time."""

from __future__ import annotations

import random
import re

import jsonschema_rs

from contracts.patterns import Language, UnsupportedPatternError

CLASSES = (
    *("[ab]", "[^a]", "[a-b0]", r"\d", r"\w", r"\s", ".", r"\W", r"[\w-]", r"[^\s0]", r"\D", r"\S"),
    *("[0-9a-f]", r"[^\W\d]", r"\x62"),
)
LETTERS = "ab0_- é\n"
# White space to ECMA-262 and not to an ASCII `re`.
SPACES = frozenset(chr(code) for code in range(0x80, 0x10000) if re.match(r"\s|\ufeff", chr(code)))
QUANTIFIERS = ("*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??")


def _pattern(draw: random.Random, depth: int) -> str:
    kind = draw.random()
    if depth == 0 or kind < 0.3:
        return draw.choice((draw.choice("ab0_ é"), draw.choice("ab"), draw.choice(CLASSES)))
    inner = _pattern(draw, depth - 1)
    if kind < 0.6:
        return inner + _pattern(draw, depth - 1)
    if kind < 0.7:
        return f"({inner}|{_pattern(draw, depth - 1)})"
    if kind < 0.85:
        return f"(?:{inner}){draw.choice(QUANTIFIERS)}"
    if kind < 0.93:
        return draw.choice((f"^{inner}", f"{inner}$"))
    if kind < 0.95:
        return inner + draw.choice((r"\b", r"\B")) + _pattern(draw, depth - 1)
    return f"({draw.choice(('?=', '?!'))}{inner}){_pattern(draw, depth - 1)}"


def _text(draw: random.Random) -> str:
    return "".join(draw.choice(LETTERS) for _ in range(draw.randint(0, 7)))


def test_two_engines_agree_on_what_matches() -> None:
    """`jsonschema-rs`, which decides what passes, and `re`, told where `$` is and that classes are ASCII."""
    draw = random.Random(20)
    disputed = 0
    for _ in range(800):
        text = _pattern(draw, draw.randint(1, 4))
        try:
            language = Language.pattern(text)
        except UnsupportedPatternError:
            disputed += 1
            continue
        rest = language.complement()
        inside, outside = language.some(6), rest.some(6)
        assert all(language.accepts(word) for word in inside), text
        assert not any(language.accepts(word) for word in outside), text
        validator = jsonschema_rs.Draft202012Validator({"pattern": text})
        python = re.compile(text.replace("$", r"\Z"), re.ASCII)
        for word in (*inside, *outside, *(_text(draw) for _ in range(12))):
            found = language.accepts(word)
            assert found == validator.is_valid(word), (text, word)
            if not SPACES.intersection(word):
                assert found == (python.search(word) is not None), (text, word)
    assert disputed < 80


def test_both_readings_of_a_disputed_pattern_are_those_of_an_engine() -> None:
    """ECMA-262 by `re` with ASCII classes, the other by `jsonschema-rs`; also where the two differ."""
    draw = random.Random(23)
    found = 0
    while found < 60:
        look = draw.choice(("?=", "?!"))
        text = f"^({look}.*{draw.choice(CLASSES)}){_pattern(draw, draw.randint(1, 4))}"
        try:
            readings = Language.readings(text)
        except UnsupportedPatternError:
            continue
        if len(readings) == 1:
            continue
        found += 1
        ours, other = readings
        validator = jsonschema_rs.Draft202012Validator({"pattern": text})
        python = re.compile(text.replace("$", r"\Z"), re.ASCII)
        for word in (*(ours - other).some(5), *(other - ours).some(5), *(_text(draw) for _ in range(12))):
            assert other.accepts(word) == validator.is_valid(word), (text, word)
            if not SPACES.intersection(word):
                assert ours.accepts(word) == (python.search(word) is not None), (text, word)


def test_algebra_agrees_with_membership() -> None:
    """Of both, of either, of one without the other, by pattern and by length."""
    draw = random.Random(21)
    for _ in range(300):
        patterns = [_pattern(draw, 3) for _ in range(2)]
        try:
            one, other = (Language.pattern(text) for text in patterns)
        except UnsupportedPatternError:
            continue
        low = draw.randint(0, 4)
        one &= Language.length(low, draw.choice((None, low + draw.randint(0, 3))))
        for word in (*one.some(4), *other.some(4), *(_text(draw) for _ in range(8))):
            both = one.accepts(word), other.accepts(word)
            assert (one & other).accepts(word) == all(both), patterns
            assert (one | other).accepts(word) == any(both), patterns
            assert (one - other).accepts(word) == (both == (True, False)), patterns
        assert other.includes(one) == (one - other).is_empty() == ((one - other).shortest() is None)
        assert (one | other).includes(one)


def test_size_counts_what_some_lists() -> None:
    """A finite language has as many texts as it lists, each once, within its lengths."""
    draw = random.Random(22)
    finite = 0
    for _ in range(400):
        text = f"^(?:{_pattern(draw, 2)})$"
        try:
            language = Language.pattern(text) & Language.words(
                ["", "a", "b", "ab", "ba", "a0", "0", "_b", "aab"]
            )
        except UnsupportedPatternError:
            continue
        listed = language.some(50)
        assert language.size() == len(set(listed)) == len(listed), text
        if listed:
            finite += 1
            assert language.lengths() == (len(listed[0]), max(map(len, listed))), text
    assert finite > 100
