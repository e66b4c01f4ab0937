"""ISO 8601 durations of fixed length: weeks, days, hours, minutes, seconds.

Years and months are refused, as their length depends on when they begin.
"""

from __future__ import annotations

import re

DURATION = re.compile(
    r"P(?:(?P<weeks>[0-9]{1,6})W|"
    r"(?:(?P<days>[0-9]{1,6})D)?(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,6})H)?(?:(?P<minutes>[0-9]{1,6})M)?"
    r"(?:(?P<seconds>[0-9]{1,6}(?:\.[0-9]{1,6})?)S)?)?)"
)
_SECONDS = {"weeks": 604_800.0, "days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0}


def parse_duration(text: str) -> float:
    """The length of a duration such as `P30D`, `PT45M` or `P1DT12H`, in seconds.

    Raises:
        ValueError: The text is not a duration of fixed length, or its length is zero.
    """
    match = DURATION.fullmatch(text)
    seconds = (
        sum(float(value) * _SECONDS[unit] for unit, value in match.groupdict("0").items()) if match else 0.0
    )
    if seconds <= 0:
        raise ValueError(
            "expected a duration of weeks, days, hours, minutes or seconds, such as `P30D` or `PT45M`"
        )
    return seconds


def render_duration(seconds: float) -> str:
    """A duration in seconds as text: `30 d`, `1 d 12 h`, `45 min`."""
    parts = []
    rest = seconds
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:g} {name}")
    if rest or not parts:
        parts.append(f"{rest:g} s")
    return " ".join(parts)
