"""Which essential services of a national plan the catalogue offers electronically end to end, and how.

A service is whole when nothing on its list of gaps is left:

    no-event       its start, a milestone or an end has no contract: nobody can watch it happen
    no-end         it ends in nothing but its own start: what comes of the request is not told
    no-deadline    nothing says how long it may take
    no-digital     neither web, mobile nor kiosk: it cannot be asked for electronically
    no-assisted    neither counter, phone, post office, library nor mail: it shuts out who has no computer

A category of the plan is covered when one service of that category is whole. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import isinf
from typing import Final, Literal

from contracts.catalog import Catalog
from contracts.contract import Level, Service
from contracts.documents.shapes import SERVICE_CATEGORIES

DIGITAL: Final = frozenset({"kiosk", "mobile", "web"})
ASSISTED: Final = frozenset({"counter", "library", "mail", "phone", "post-office"})
LEVELS: Final[tuple[Level, ...]] = ("national", "regional", "local")

Gap = Literal["no-event", "no-end", "no-deadline", "no-digital", "no-assisted"]
GAPS: Final[dict[Gap, str]] = {
    "no-event": "an event has no contract",
    "no-end": "it tells no outcome",
    "no-deadline": "nothing says how long it may take",
    "no-digital": "it cannot be asked for electronically",
    "no-assisted": "no channel helps those without a computer",
}
"""Each gap and what it means, worst first."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One service of the catalogue, as the plan looks at it.

    Attributes:
        agencies: Every agency whose events it is made of, its owner first.
        gaps: What keeps it from being whole, worst first; none when it is.
    """

    service: Service
    agencies: tuple[str, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One category of the plan, with the services offered for it."""

    category: str
    offers: tuple[Offer, ...]

    @property
    def covered(self) -> bool:
        """Whether one service of the category is whole."""
        return any(not offer.gaps for offer in self.offers)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the plan asks for beside what the catalogue offers.

    Attributes:
        target: The percentage of the plan that is to be covered.
        lines: The plan, in its order.
        beyond: Services whose category the plan does not ask for.
        agencies: Agency to the number of whole services of the plan it takes part in, every agency named.
        levels: Level of government to the number of whole services of the plan that one of its agencies owns.
        channels: Channel to the number of whole services of the plan offered there.
    """

    target: int
    lines: tuple[Line, ...]
    beyond: tuple[Offer, ...]
    agencies: dict[str, int]
    levels: dict[Level, int]
    channels: dict[str, int]

    @property
    def covered(self) -> int:
        """How many categories of the plan are covered."""
        return sum(line.covered for line in self.lines)

    @property
    def percent(self) -> float:
        """How much of the plan is covered; an empty plan is."""
        return 100 * self.covered / len(self.lines) if self.lines else 100.0

    @property
    def reached(self) -> bool:
        """Whether the target is reached."""
        return self.percent >= self.target

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Every service of the plan."""
        return tuple(offer for line in self.lines for offer in line.offers)


def measure(catalog: Catalog, plan: Iterable[str] = (), target: int = 100) -> Coverage:
    """Hold a catalogue against a national plan.

    Args:
        catalog: What is offered.
        plan: The categories asked for; none for every essential service of the E-Government Survey.
        target: The percentage of them that is to be covered.
    """
    offers = [_offer(service, catalog) for service in catalog.services.values()]
    wanted = tuple(dict.fromkeys(plan)) or tuple(sorted(SERVICE_CATEGORIES))
    lines = tuple(
        Line(category, tuple(offer for offer in offers if offer.service.category == category))
        for category in wanted
    )
    whole = [offer for line in lines for offer in line.offers if not offer.gaps]
    taking_part = Counter(agency for offer in whole for agency in offer.agencies)
    owning = Counter(
        catalog.agencies[offer.service.owner].level
        for offer in whole
        if offer.service.owner in catalog.agencies
    )
    reaching = Counter(channel for offer in whole for channel in offer.service.channels)
    return Coverage(
        target=target,
        lines=lines,
        beyond=tuple(offer for offer in offers if offer.service.category not in wanted),
        agencies={agency: taking_part[agency] for agency in sorted(catalog.agencies)},
        levels={level: owning[level] for level in LEVELS},
        channels={channel: reaching[channel] for channel in sorted(DIGITAL | ASSISTED)},
    )


def events_of(service: Service) -> tuple[str, ...]:
    """The subjects a service is made of, its start first, each once."""
    later = (milestone.event for milestone in service.milestones)
    return tuple(dict.fromkeys((service.start, *later, *service.ends)))


def _offer(service: Service, catalog: Catalog) -> Offer:
    events = events_of(service)
    agencies = tuple(dict.fromkeys((service.owner, *(event.partition(".")[0] for event in events))))
    found: dict[Gap, bool] = {
        "no-event": not all(event in catalog.contracts for event in events),
        "no-end": set(service.ends) <= {service.start},
        "no-deadline": isinf(service.deadline_seconds),
        "no-digital": not DIGITAL & set(service.channels),
        "no-assisted": not ASSISTED & set(service.channels),
    }
    return Offer(service, agencies, tuple(gap for gap in GAPS if found[gap]))
