"""How the console says numbers and times."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from observability import formats


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (None, "–"),  # noqa: RUF001 - the dash of an empty cell
        (0, "0 ms"),
        (0.25, "0.25 ms"),
        (12.4, "12 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (1_420, "1.42 s"),
        (59_900, "59.9 s"),
        (59_990, "1 min"),
        (185_000, "3 min 5 s"),
        (3_600_000, "1 h"),
        (3_599_900, "1 h"),
        (90 * 60_000, "1 h 30 min"),
        (14 * 86_400_000, "14 d"),
        (86_400_000 + 7 * 3_600_000, "1 d 7 h"),
        (-5, "−5 ms"),  # noqa: RUF001 - the minus sign
    ],
)
def test_duration_is_said_in_the_unit_a_person_would_use(milliseconds: float | None, said: str) -> None:
    """A duration has at most two units and three digits; an unknown one is a dash, not zero."""
    assert said == formats.duration(milliseconds)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),  # noqa: RUF001 - the dash of an empty cell
        (0.0, "0 %"),
        (0.00001, "< 0.1 %"),
        (0.951, "95.1 %"),
        (0.99999, "> 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_share_is_never_rounded_to_all_or_nothing(value: float | None, said: str) -> None:
    """100 % means every one, 0 % means none."""
    assert said == formats.share(value)


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(None, "–"), (0.4, "in step"), (12.4, "12 ms behind"), (-1_450.0, "1.45 s ahead")],  # noqa: RUF001
)
def test_skew_says_which_way_the_clock_is_off(milliseconds: float | None, said: str) -> None:
    """A positive skew is a clock that is behind the broker's."""
    assert said == formats.skew(milliseconds)


def test_times_are_told_in_utc() -> None:
    """A time of another zone is converted, for people and for `<time datetime>`."""
    moment = datetime(2026, 11, 23, 15, 3, 5, 120_000, timezone(timedelta(hours=1)))
    assert formats.clock(moment) == "2026-11-23 14:03:05"
    assert formats.iso(moment) == "2026-11-23T14:03:05.120Z"
    assert formats.iso(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


def test_one_is_singular() -> None:
    """A count agrees with its noun, and its thousands stand apart."""
    assert formats.count(1, "dead letter") == "1 dead letter"
    assert formats.count(0, "dead letter") == "0 dead letters"
    assert formats.count(1_204, "entry", "entries") == "1 204 entries"
    assert formats.number(1_180) == "1 180"
