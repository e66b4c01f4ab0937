"""Essential services of a national plan that the catalogue offers online from start to end. Pure.

A service is complete when it has none of these gaps:

    no-event       its start, a milestone or an end has no contract, so it cannot be monitored
    no-end         its start is its only end, so no event reports the outcome
    no-deadline    it has no deadline
    no-digital     none of the channels web, mobile and kiosk: it cannot be requested online
    no-assisted    none of the channels counter, phone, post office, library and mail: it excludes people
                   without a computer

A category of the plan is covered when one service of that category is complete.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import isinf
from typing import Final, Literal

from contracts.catalog import Catalog
from contracts.contract import Level, Service
from contracts.documents.categories import SURVEY

DIGITAL: Final = frozenset({"kiosk", "mobile", "web"})
ASSISTED: Final = frozenset({"counter", "library", "mail", "phone", "post-office"})
LEVELS: Final[tuple[Level, ...]] = ("national", "regional", "local")

Gap = Literal["no-event", "no-end", "no-deadline", "no-digital", "no-assisted"]
GAPS: Final[dict[Gap, str]] = {
    "no-event": "an event has no contract",
    "no-end": "no event reports the outcome",
    "no-deadline": "it has no deadline",
    "no-digital": "it cannot be requested online",
    "no-assisted": "no channel serves people without a computer",
}
"""The text of each gap, worst first."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One service of the catalogue, measured against the plan.

    Attributes:
        agencies: The owner, then every agency that publishes one of its events.
        gaps: Why the service is not complete, worst first; empty when it is.
    """

    service: Service
    agencies: tuple[str, ...]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class CategoryCoverage:
    """One category of the plan, and the services offered in it."""

    category: str
    offers: tuple[Offer, ...]

    @property
    def covered(self) -> bool:
        """Whether one service of the category is complete."""
        return any(not offer.gaps for offer in self.offers)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the plan a catalogue covers.

    Attributes:
        target: The percentage of the plan that must be covered.
        categories: The plan, in its order.
        beyond: Services of categories that are not in the plan.
        agencies: For every agency, how many complete services of the plan it takes part in.
        levels: For each level of government, how many complete services of the plan its agencies own.
        channels: For each channel, how many complete services of the plan use it.
    """

    target: int
    categories: tuple[CategoryCoverage, ...]
    beyond: tuple[Offer, ...]
    agencies: dict[str, int]
    levels: dict[Level, int]
    channels: dict[str, int]

    @property
    def covered(self) -> int:
        """Number of covered categories of the plan."""
        return sum(category.covered for category in self.categories)

    @property
    def percent(self) -> float:
        """Percentage of the plan that is covered; 100 for an empty plan."""
        return 100 * self.covered / len(self.categories) if self.categories else 100.0

    @property
    def reached(self) -> bool:
        """Whether the target is met."""
        return self.percent >= self.target

    @property
    def offers(self) -> tuple[Offer, ...]:
        """Every service of the plan."""
        return tuple(offer for category in self.categories for offer in category.offers)


def measure(catalog: Catalog, plan: Iterable[str] = (), target: int = 100) -> Coverage:
    """Compare the services of a catalogue with a national plan.

    Args:
        catalog: The catalogue.
        plan: The categories of the plan; empty for every essential service of the E-Government Survey.
        target: The percentage of the plan that must be covered.
    """
    offers = [_offer(service, catalog) for service in catalog.services.values()]
    wanted = tuple(dict.fromkeys(plan)) or tuple(sorted(SURVEY))
    categories = tuple(
        CategoryCoverage(category, tuple(offer for offer in offers if offer.service.category == category))
        for category in wanted
    )
    complete = [offer for category in categories for offer in category.offers if not offer.gaps]
    taking_part = Counter(agency for offer in complete for agency in offer.agencies)
    owning = Counter(
        catalog.agencies[offer.service.owner].level
        for offer in complete
        if offer.service.owner in catalog.agencies
    )
    reaching = Counter(channel for offer in complete for channel in offer.service.channels)
    return Coverage(
        target=target,
        categories=categories,
        beyond=tuple(offer for offer in offers if offer.service.category not in wanted),
        agencies={agency: taking_part[agency] for agency in sorted(catalog.agencies)},
        levels={level: owning[level] for level in LEVELS},
        channels={channel: reaching[channel] for channel in sorted(DIGITAL | ASSISTED)},
    )


def events_of(service: Service) -> tuple[str, ...]:
    """The subjects of a service's events, its start first, without duplicates."""
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
