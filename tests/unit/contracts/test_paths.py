"""A path names a place in data, never what is there."""

from __future__ import annotations

import pytest

from contracts.paths import EVERY, parse_path, render_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.child.given-name", ("child", "given-name")),
        ("$.children[*].name", ("children", EVERY, "name")),
        ("$[0][12]", (0, 12)),
        ("$['odd name']", ("odd name",)),
    ],
)
def test_a_path_is_read_and_written_alike(text: str, steps: tuple[str | int, ...]) -> None:
    """What is rendered parses to the same steps."""
    assert parse_path(text) == steps
    assert render_path(steps) == text


@pytest.mark.parametrize(
    "text", ["", "child", "$child", "$.", "$..a", "$[", "$[-1]", "$[a]", "$.a b", "$['']"]
)
def test_what_is_no_path_is_refused(text: str) -> None:
    """The error says what may stand in a path."""
    with pytest.raises(ValueError, match="Expected"):
        parse_path(text)
