"""A path names a place in data, never what is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.paths import EVERY, DataPath, parse_path, render_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.child.given-name", ("child", "given-name")),
        ("$.children[*].name", ("children", EVERY, "name")),
        ("$[0][12]", (0, 12)),
        ("$['odd name']", ("odd name",)),
        (r"$['it\'s'].x", ("it's", "x")),
        ("$['say \"yes\"']", ('say "yes"',)),
        (r"$['back\\slash']", ("back\\slash",)),
        (r"$['two\nlines']", ("two\nlines",)),
        ("$['née']", ("née",)),
    ],
)
def test_a_path_is_read_and_written_alike(text: str, steps: tuple[str | int, ...]) -> None:
    """What is rendered parses to the same steps."""
    assert parse_path(text) == steps
    assert render_path(steps) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('$["a b"]', "a b"),
        ("$['a b']", "a b"),
        (r"""$["it's"]""", "it's"),
        (r'$["say \"yes\""]', 'say "yes"'),
        (r'$["caf\u00e9"]', "café"),
        (r"$['\ud83d\ude00']", "\U0001f600"),
        (r"$['\/\t']", "/\t"),
        ("$.née", "née"),
        ("$['*']", "*"),
    ],
)
def test_a_name_is_quoted_as_rfc_9535_says(text: str, name: str) -> None:
    """Either quote, and JSON's escapes, in paths to one value and in paths to several."""
    assert parse_path(text) == (name,)
    assert DataPath.parse(text).look_up({name: 1}) == 1


@given(st.lists(st.text(min_size=1).filter(lambda name: name != EVERY) | st.integers(0, 10**9 - 1)))
def test_every_path_is_read_back(steps: list[str | int]) -> None:
    """No name is changed on its way through a message."""
    assert parse_path(render_path(steps)) == tuple(steps)


def test_a_path_to_one_value_has_no_wildcard() -> None:
    """`[*]` stands for several values, of which none can be looked up."""
    with pytest.raises(ValueError, match=r"`\[0\]` at character 8"):
        DataPath.parse("$.lines[*]")


@pytest.mark.parametrize("data", [{}, {"lines": "text"}, {"lines": [1]}, {"lines": {"1": 1}}, None, []])
def test_what_a_path_does_not_find_is_missing(data: object) -> None:
    """Text is no list, and a list has no names."""
    assert DataPath.parse("$.lines[1]").look_up(data, "missing") == "missing"


@pytest.mark.parametrize(
    "text",
    [
        *("", "child", "$child", "$.", "$..a", "$[", "$[-1]", "$[a]", "$.a b", "$['']"),
        *("$['a\"]", r"$['\"']", r"""$["\'"]""", r"$['\x41']", r"$['\u00e']", r"$['\ud83d']", "$.1", "$.a\n"),
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    """The error says what may stand in a path."""
    with pytest.raises(ValueError, match="Expected"):
        parse_path(text)
