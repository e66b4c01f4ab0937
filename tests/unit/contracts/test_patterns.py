"""Sets of strings: what a pattern means, and what two of them have in common."""

from __future__ import annotations

import pytest

from contracts.patterns import Language, TooLargeError, UnsupportedPatternError

pattern = Language.pattern


@pytest.mark.parametrize(
    ("text", "accepted", "refused"),
    [
        ("a", ["a", "xax"], ["", "b"]),
        ("^a*$", ["", "aaa"], ["ab", "a\n"]),
        ("^a|b$", ["ax", "xb"], ["xax"]),
        ("x^a|b$c|d", ["d"], ["xa", "bc"]),
        (r"^\d{2,3}$", ["12", "123"], ["1", "1234", "١٢"]),
        (r"^\w\W$", ["a ", "_é"], ["é ", "ab"]),
        (r"^\s\S$", ["\ufeffa", " b"], ["\x85a", "a "]),
        ("^.$", ["é", "😀", "\r"], ["\n", "ab"]),
        (r"^[^a-c\d]$", ["d", "é"], ["a", "5"]),
        (r"^[\]\-\\a-]$", ["]", "-", "\\", "a"], ["b"]),
        (r"^\x41\u0042\u{43}\ud83d\ude00\cC\t\/$", ["ABC😀\x03\t/"], ["ABC"]),
        (r"^[ -~]*\bcat\b[ -~]*$", ["cat", "a cat!"], ["cats", "concat"]),
        (r"^[a-z ]*\Bcat$", ["concat"], ["cat", "a cat"]),
        (r"^(?=.*\d)[a-z0-9]+$", ["a1"], ["a", "1é"]),
        ("^(?=x$)x$", ["x"], ["xx", ""]),
        ("^(?!.*--)[a-z-]+$", ["a-b"], ["a--b"]),
        ("^(?:(?!foo).)*$", ["fo", "barfo"], ["foo", "xfoox"]),
        ("^(?<year>[0-9]{4})$", ["2026"], ["26"]),
        ("^a+?b??$", ["a", "aab"], ["b"]),
        (r"^\p{Lu}\P{Lu}$", ["Éa", "Ж1"], ["éa"]),
        (r"^[\p{Script=Greek}\d]+$", ["ωλ1"], ["a"]),
        ("^[]$|^[^]x$", ["\nx"], ["", "x"]),
        ("", ["", "a"], []),
        ("a]}", ["a]}"], ["a"]),
    ],
)
def test_a_pattern_is_found_anywhere(text: str, accepted: list[str], refused: list[str]) -> None:
    """As ECMA-262 reads it with the `u` flag, unanchored; a set and its complement never agree."""
    language = pattern(text)
    rest = language.complement()
    assert (accepted, refused) == (
        [word for word in accepted if language.accepts(word)],
        [word for word in refused if not language.accepts(word)],
    )
    assert not any(rest.accepts(word) == language.accepts(word) for word in accepted + refused)


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("^[A-Za-z0-9_-]{1,128}$", "^[A-Za-z0-9_]{1,64}$"),
        ("^[a-z]+$", "^(ab|ba)+$"),
        ("^a*$", "^(aa)*$"),
        ("b", "abc"),
        ("^.{8,64}$", "^(?=.*[A-Z])(?=.*[0-9]).{8,32}$"),
        ("^\\p{L}+$", "^\\p{Lu}+$"),
        ("^[0-9]{4}-", "^(19|20)[0-9]{2}-(0[1-9]|1[0-2])$"),
    ],
)
def test_inclusion_is_exact(wide: str, narrow: str) -> None:
    """The narrow is within the wide, not the other way round, and a string shows why."""
    assert pattern(wide).includes(pattern(narrow))
    assert not pattern(narrow).includes(pattern(wide))
    witness = (pattern(wide) - pattern(narrow)).shortest()
    assert witness is not None
    assert (pattern(wide).accepts(witness), pattern(narrow).accepts(witness)) == (True, False)


def test_equal_patterns_include_each_other() -> None:
    """However they are written."""
    for one, other in [("(ab|ac)", "a[bc]"), ("^(a*b*)*$", "^[ab]*$"), ("x{2,}", "xx"), ("^a{2}{0}", "^")][
        :3
    ]:
        assert pattern(one).includes(pattern(other))
        assert pattern(other).includes(pattern(one))


def test_lengths_count_code_points_and_cost_nothing() -> None:
    """A million characters is a number, not a million states."""
    letters = pattern("^[a-z]*$") & Language.length(3, 1_000_000)
    assert letters.lengths() == (3, 1_000_000)
    assert Language.length(0, 2_000_000).includes(letters)
    assert not Language.length(0, 999_999).includes(letters)
    assert Language.length(1, 1).accepts("😀")
    even = pattern("^(ab)*$")
    assert (even & Language.length(1_000_001, 1_000_001)).is_empty()
    assert (even & Language.length(1_000_001, 2_000_000)).lengths() == (1_000_002, 2_000_000)
    assert (pattern("^x{2,5000}$") - Language.length(0, 4_999)).size() == 1
    assert Language.length(3, 2).is_empty()
    assert (Language.nothing().lengths(), Language.everything().lengths()) == ((0, -1), (0, None))


def test_members_are_short_readable_and_distinct() -> None:
    """The same ones each time: letters, then digits, then other readable characters."""
    assert Language.everything().some(3) == ["", "a", "b"]
    assert pattern("^[^a]$").some(2) == ["b", "c"]
    assert pattern("^[0-9]{2}$").some(100) == [f"{number:02}" for number in range(100)]
    assert pattern("^(yes|no)$").some(9) == ["no", "yes"]
    assert pattern("^[^ -~]$").shortest() == "\xa1"
    assert Language.nothing().shortest() is None


def test_words_are_a_language() -> None:
    """Counted, included, taken away; a surrogate is no character."""
    words = Language.words(["red", "green", "", "rot", "\ud800"])
    assert (words.size(), words.lengths()) == (4, (0, 5))
    assert (words - pattern("^r")).some(9) == ["", "green"]
    assert (words | Language.words(["blue"])).size() == 5
    assert not Language.everything().accepts("\ud800")


def test_sizes_are_exact_until_they_are_many() -> None:
    """None is without end; 2**63 stands for more."""
    assert pattern("^[ab]{0,3}$").size() == 1 + 2 + 4 + 8
    assert Language.length(1, 1).size() == 0x110000 - 0x800
    assert Language.length(0, 50).size() == 2**63
    assert pattern("a").size() is None


@pytest.mark.parametrize(
    "text",
    [
        *(r"(a)\1", "(?<n>a)\\k<n>", "(?<=a)b", "(?<!a)b", "(?i)a", "(?i:a)", "(?>a)", r"\Aa", r"a\Z", r"\h"),
        *(
            "a**",
            "a{1}{2}",
            "a++",
            "*a",
            "^*",
            "(?=a)*",
            "a{2,1}",
            "a{",
            "{1}",
            "(",
            "a)",
            "[a",
            "[z-a]",
            "\\",
        ),
        *(r"[\d-a]", r"\u12", r"\x4", r"\u{110000}", r"\p{Nonsense}", r"\p", r"\<a", "(?#a)", r"\8"),
        *(r"\bcat\b", r"^(?=.*\d).{8,}$", r"^(?!x)\s"),
    ],
)
def test_what_is_no_regular_language_is_refused(text: str) -> None:
    """Or what no two dialects agree on."""
    with pytest.raises(UnsupportedPatternError, match=r"^Expected .*, got "):
        pattern(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "(a{1,1000}){1,1000}",
            "a" * 100_000,
            "(" * 50_000 + ")" * 50_000,
            "(){1,2000000000}",
            "a{99999999999}",
        ),
        *("a.{20}b", "(((((a{9}){9}){9}){9}){9}){9}", "^(a?){500}a{500}$", "(?=" * 200 + ")" * 200),
        "".join(f"(?!.*{chr(97 + place)}.{{5}}x)" for place in range(20)),
    ],
)
def test_what_is_too_large_is_refused(text: str) -> None:
    """In bounded work, without deep recursion."""
    with pytest.raises(TooLargeError):
        pattern(text).complement().is_empty()


def test_nested_quantifiers_are_languages_like_others() -> None:
    """What ruins a backtracking engine is nothing to an automaton."""
    assert pattern("^((a*)*)*$").includes(pattern("^(a+)+$"))
    assert pattern("^(a|a)*$").includes(pattern("^a*$"))
    assert (pattern("^(x+x+)+y$") - pattern("^xx+y$")).is_empty()
