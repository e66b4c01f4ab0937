"""A duration has a fixed length."""

from __future__ import annotations

import pytest

from contracts.documents.durations import parse_duration, render_duration


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("P30D", 2_592_000.0, "30 d"),
        ("P2W", 1_209_600.0, "14 d"),
        ("PT45M", 2_700.0, "45 min"),
        ("P1DT12H", 129_600.0, "1 d 12 h"),
        ("PT0.5S", 0.5, "0.5 s"),
    ],
)
def test_a_duration_has_a_fixed_length(text: str, seconds: float, shown: str) -> None:
    """Weeks, days, hours, minutes and seconds, in seconds."""
    assert parse_duration(text) == seconds
    assert render_duration(seconds) == shown


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1Y", "P1M", "P0D", "-P1D", "P1", "30", "P1DT", "P1W1D", "P1.5D"]
)
def test_a_duration_without_fixed_length_is_refused(text: str) -> None:
    """Months and years differ in length; a deadline must not."""
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)
