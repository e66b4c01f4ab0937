"""Synthetic people, homes and firms, the same for the same seed. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from connectors.demo.names import AWKWARD_NAMES, AWKWARD_TRADE_NAMES, SCRIPTS, Script

__all__ = ["Business", "Home", "Person", "draw_business", "draw_day", "draw_home", "draw_person", "leap_day"]

AWKWARD_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Person:
    """A person who does not exist."""

    name: str
    born_on: date
    sex: str


@dataclass(frozen=True, slots=True)
class Home:
    """An address that does not exist."""

    line: str
    postal_code: str
    town: str


@dataclass(frozen=True, slots=True)
class Business:
    """A firm that does not exist."""

    name: str
    legal_form: str
    activity: str


def draw_person(random: Random, *, today: date, born_since_days: int) -> Person:
    """Return a person in one of the scripts, every fourth with a name that registers get wrong.

    Args:
        random: Seeded.
        today: The last day on which the person may have been born.
        born_since_days: How far back the birthday may lie.
    """
    if random.random() < AWKWARD_SHARE:
        name = " ".join(random.choice(AWKWARD_NAMES)).strip()
    else:
        name = _name(random, random.choice(SCRIPTS))
    return Person(
        name=name,
        born_on=draw_day(random, today=today, since_days=born_since_days),
        sex=random.choice("FMX"),
    )


def draw_day(random: Random, *, today: date, since_days: int) -> date:
    """Return a day up to today, every fourth one that programs get wrong."""
    if random.random() < AWKWARD_SHARE:
        new_year_1900 = date(1900, 1, 1)
        awkward = (
            today,
            leap_day(today),
            new_year_1900,
            date(today.year - 1, 12, 31),
            date(today.year, 1, 1),
        )
        return random.choice(awkward)
    return today - timedelta(days=random.randrange(since_days))


def leap_day(today: date) -> date:
    """Return the last 29 February that isn't after today."""
    year = today.year
    while not (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) and date(year, 2, 29) <= today):
        year -= 1
    return date(year, 2, 29)


def draw_home(random: Random) -> Home:
    """Return an address in one of the scripts."""
    script = random.choice(SCRIPTS)
    return Home(
        line=f"{random.choice(script.streets)} {random.choice(('1', '7', '12a', '103/4', '5 bis', '220'))}",
        postal_code=f"{random.randrange(100_000):05d}",
        town=random.choice(script.towns),
    )


def draw_business(random: Random) -> Business:
    """Return a firm, every fourth with a trade name that programs trip over."""
    script = random.choice(SCRIPTS)
    awkward = random.random() < AWKWARD_SHARE
    return Business(
        name=random.choice(AWKWARD_TRADE_NAMES) if awkward else _trade_name(random, script),
        legal_form=random.choice(
            ("sole-trader", "partnership", "limited-company", "cooperative", "association")
        ),
        activity=random.choice(("5610", "4711", "6201", "0113", "9602")),
    )


def _name(random: Random, script: Script) -> str:
    given, family = random.choice(script.given), random.choice(script.family)
    return f"{family}{given}" if script.family_first else f"{given} {family}"


def _trade_name(random: Random, script: Script) -> str:
    return f"{random.choice(script.trades)} {random.choice(script.family)}"
