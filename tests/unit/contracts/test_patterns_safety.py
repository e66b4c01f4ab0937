"""Which patterns ruin a backtracking engine."""

from __future__ import annotations

import pytest

from contracts.patterns.safety import backtracking_risk


@pytest.mark.parametrize(
    "text",
    [
        *("(a+)+$", "^(a*)*$", "^(a|a)*$", "^(a|aa)+$", r"^(\w+\s?)*$", "^([a-zA-Z0-9]+)*@", "^(.*,)*x$"),
        *("^(a?){64}a{64}$", r"^(\d+|[0-9a-f]+)*$", "^((ab)*|(a|b)*)*$", "(?=(a+)+$)x", "^(a{1,20}){1,20}$"),
        r"^([a-z0-9]+[-.]?)+$",
    ],
)
def test_ambiguous_loops_are_exponential(text: str) -> None:
    """A place that comes back to itself in two ways over one text."""
    assert str(backtracking_risk(text)).startswith("exponential time")


@pytest.mark.parametrize(
    "text", [r"^\s*[a-z ]*$", "^a*a*$", "^.*foo.*$", r"^\d+\d+x$", "^[a-z]{1,99}[a-e]{1,99}$"]
)
def test_loops_that_share_characters_are_polynomial(text: str) -> None:
    """One after the other over the same text."""
    assert str(backtracking_risk(text)).startswith("polynomial time")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "a",
            "^[a-z]+$",
            "^[A-Z]{2}[0-9]{1,12}$",
            "^(a|b)*$",
            "^(ab|ac)*$",
            "^[a-z]+(-[a-z]+)*$",
            "a?a?b",
        ),
        *(r"^\d{4}-\d{2}-\d{2}$", "^(?!-)[a-z-]{1,63}$", r"^[^@]+@[^@.]+(\.[^@.]+)*$", "^([^,]*,)*x$"),
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    ],
)
def test_what_reads_in_one_way_is_linear(text: str) -> None:
    """Nothing is said of it."""
    assert backtracking_risk(text) is None


@pytest.mark.parametrize("text", [r"(a)\1", "(", "a" * 100_000, "(a{1,6}b{1,6}c){1,7}" * 3000])
def test_what_cannot_be_read_is_not_called_safe(text: str) -> None:
    """In bounded work."""
    assert str(backtracking_risk(text)).startswith("unknown time")
