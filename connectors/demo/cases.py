"""The cases that the clerks enter: seeded, mostly right, some with a flaw. Pure.

No legacy system checks what a clerk enters, and the account at the end does not know which cases have a flaw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import cycle, islice
from random import Random
from typing import Literal

from connectors.demo.people import draw_business, draw_day, draw_home, draw_person

__all__ = ["BIRTH", "BUSINESS", "MOVE", "Case", "Flaw", "draw_cases"]

BIRTH = "birth-of-a-child"
BUSINESS = "registering-a-business"
MOVE = "moving-house"

Flaw = Literal["semicolon", "impossible-date", "overlong"]
"""A semicolon, which breaks an unquoted CSV line; a day that no calendar has; a text that is too long."""

FLAWS: Mapping[str, tuple[Flaw, ...]] = {
    BIRTH: ("semicolon", "overlong", "impossible-date"),
    BUSINESS: ("overlong", "impossible-date"),
    MOVE: ("overlong", "semicolon"),
}
FLAWED_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Case:
    """One citizen's case, as it is entered.

    Attributes:
        service: The service it starts.
        agency: Where it is entered.
        form: The form of that agency.
        reference: The opaque number of the case.
        fields: What the clerk enters.
        flaw: What is wrong with it, if anything.
    """

    service: str
    agency: str
    form: str
    reference: str
    fields: Mapping[str, str]
    flaw: Flaw | None = None


def draw_cases(count: int, *, seed: int, run: str, today: date, faults: bool) -> tuple[Case, ...]:
    """Return the cases of one run, the three services in turn.

    Args:
        count: How many.
        seed: The same seed, run and day give the same cases.
        run: What the references of this run begin with, unlike those of other runs in the same cluster.
        today: The date the clerks write.
        faults: Whether about a tenth of the cases of each service, one of each kind and never more than half,
            have a flaw.
    """
    random = Random(f"govbus-demo/{seed}")  # noqa: S311 - a demo, not a secret
    services = tuple(islice(cycle((BIRTH, BUSINESS, MOVE)), count))
    flaws = _flaws(services, random) if faults else {}
    makers = {BIRTH: _birth, BUSINESS: _registration, MOVE: _move}
    return tuple(
        makers[service](random, f"{run}-{number:06d}", today, flaws.get(number))
        for number, service in enumerate(services)
    )


def _flaws(services: tuple[str, ...], random: Random) -> dict[int, Flaw]:
    flaws: dict[int, Flaw] = {}
    for service, kinds in FLAWS.items():
        numbers = [number for number, each in enumerate(services) if each == service]
        wanted = max(len(kinds), round(len(numbers) * FLAWED_SHARE))
        flawed = random.sample(numbers, min(len(numbers) // 2, wanted))
        flaws.update(zip(flawed, cycle(kinds), strict=False))
    return flaws


def _birth(random: Random, reference: str, today: date, flaw: Flaw | None) -> Case:
    child = draw_person(random, today=today, born_since_days=28)
    parent = draw_person(random, today=today - timedelta(days=18 * 366), born_since_days=9_000)
    fields = {
        "reference": reference,
        "child": child.name,
        "sex": child.sex,
        "born_on": child.born_on.strftime("%d.%m.%Y"),
        "born_at": random.choice(("00:00", "03:15", "11:59", "14:07", "23:59")),
        "parent": parent.name,
        "place": draw_home(random).town,
        "office": f"CR-{random.randrange(1_000):03d}",
    }
    if flaw == "semicolon":
        fields["child"] += "; called Bee"
    elif flaw == "impossible-date":
        fields["born_on"] = f"31.02.{today.year}"
    elif flaw == "overlong":
        fields["child"] = _overlong(child.name)
    return Case(BIRTH, "civil-registry", "births", reference, fields, flaw)


def _registration(random: Random, reference: str, today: date, flaw: Flaw | None) -> Case:
    firm = draw_business(random)
    owner = draw_person(random, today=today - timedelta(days=18 * 366), born_since_days=20_000)
    fields = {
        "reference": reference,
        **asdict(firm),
        "registered_on": draw_day(random, today=today, since_days=10).strftime("%Y%m%d"),
        "owner": owner.name,
        **asdict(draw_home(random)),
    }
    if flaw == "impossible-date":
        fields["registered_on"] = f"{today.year}0231"
    elif flaw == "overlong":
        fields["name"] = _overlong(firm.name)
    return Case(BUSINESS, "tax", "businesses", reference, fields, flaw)


def _move(random: Random, reference: str, today: date, flaw: Flaw | None) -> Case:
    citizen = draw_person(random, today=today, born_since_days=30_000)
    old, new = draw_home(random), draw_home(random)
    fields = {
        "reference": reference,
        "person": citizen.name,
        "household": str(random.choice((1, 1, 2, 4, 9))),
        "channel": random.choice("WMCPKLT"),
        "moved_on": draw_day(random, today=today, since_days=14).isoformat(),
        **{f"old_{name}": value for name, value in asdict(old).items()},
        **asdict(new),
    }
    if flaw == "semicolon":
        fields["line"] += "; back yard"
    elif flaw == "overlong":
        fields["line"] = _overlong(new.line)
    return Case(MOVE, "municipality", "moves", reference, fields, flaw)


def _overlong(text: str) -> str:
    return " ".join([text] * 250)
