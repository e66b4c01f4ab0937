"""How a number or a time is written for people, in the console and in the terminal; all times are UTC.

Law of this file: pure; an unknown value is a dash, never zero.
"""

from datetime import UTC, datetime

UNKNOWN = "–"  # noqa: RUF001 - a dash is what a reader expects in an empty cell

_LARGE = (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))


def duration(milliseconds: float | None) -> str:
    """Return a duration for people: `12 ms`, `1.42 s`, `3 min 5 s`, `2 d 4 h`.

    Args:
        milliseconds: the duration; None if unknown, negative if a clock is wrong.
    """
    if milliseconds is None:
        return UNKNOWN
    sign = "−" if milliseconds < 0 else ""  # noqa: RUF001 - the minus sign, not a hyphen
    size = abs(milliseconds)
    if size < 1:
        return f"{sign}{size:.2f} ms" if size else "0 ms"
    if round(size) < 1_000:
        return f"{sign}{size:.0f} ms"
    if size < 59_950:
        return f"{sign}{size / 1000:.3g} s"
    return sign + _two_units(round(size / 1000) * 1000)


def _two_units(milliseconds: int) -> str:
    for index, (unit, size) in enumerate(_LARGE[:-1]):
        if milliseconds >= size:
            small, small_size = _LARGE[index + 1]
            rest = milliseconds % size // small_size
            whole = f"{milliseconds // size} {unit}"
            return f"{whole} {rest} {small}" if rest else whole
    raise ValueError("Expected at least one minute, got less - round it to seconds instead")


def share(value: float | None) -> str:
    """Return a share between 0 and 1 in percent; 100 % only for all, 0 % only for none."""
    if value is None:
        return UNKNOWN
    percent = value * 100
    if 99.9 < percent < 100:
        return "> 99.9 %"
    if 0 < percent < 0.1:
        return "< 0.1 %"
    return f"{percent:.0f} %" if percent in {0.0, 100.0} else f"{percent:.1f} %"


def skew(milliseconds: float | None) -> str:
    """Return how far an agency's clock is off: `12 ms behind`, `3 s ahead`, `in step` below 1 ms."""
    if milliseconds is None:
        return UNKNOWN
    if abs(milliseconds) < 1:
        return "in step"
    return f"{duration(abs(milliseconds))} {'behind' if milliseconds > 0 else 'ahead'}"


def iso(time: datetime) -> str:
    """Return a time for `<time datetime>`: `2026-11-23T14:03:05.120Z`."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(time: datetime) -> str:
    """Return a time in UTC for a table: `2026-11-23 14:03:05`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def count(value: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: `1 dead letter`, `2 dead letters`."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def number(value: int) -> str:
    """Return a whole number with a space between thousands: a plain one, for any other would be escaped."""
    return f"{value:,}".replace(",", " ")
