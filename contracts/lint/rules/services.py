"""Rules about services: owner, events, milestones, deadlines and channels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from contracts.contract import Service
from contracts.documents.categories import CATEGORIES
from contracts.documents.loaded import Loaded, LoadedService
from contracts.finding import Finding, Rule
from contracts.names import meant, quotable
from contracts.paths import Step

OWNER: Final = Rule(
    "service-owner-exists",
    "one agency is responsible for the whole service",
    "name an agency of the catalogue in `owner`",
    "MINIMAL",
)
EVENT: Final = Rule(
    "service-event-exists",
    "a service is monitored by its events, and an event without a contract is never published",
    "correct the subject, or add its contract",
    "MINIMAL",
)
REACHABLE: Final = Rule(
    "milestone-reachable",
    "a milestone that waits for an event outside the service waits forever",
    "set `after` to the start or to another milestone, without a circle",
    "MINIMAL",
)
ONCE: Final = Rule(
    "milestone-once",
    "an event that occurs twice in a service does not show which milestone it completes",
    "keep one of the milestones",
    "MINIMAL",
)
END: Final = Rule(
    "end-is-milestone",
    "a service is complete when its end events have arrived, so each must be a milestone",
    "add it to `milestones`, or correct `ends`",
    "MINIMAL",
)
CATEGORY: Final = Rule(
    "service-category-known",
    "a code that no list has cannot be compared with a national plan, or counted",
    "take a code of the list: `services.categories` in `catalog.yaml`, or those of the United Nations in "
    "`contracts/documents/categories.py`",
    "MINIMAL",
)
CHANNELS: Final = Rule(
    "service-channels",
    "without channels, nobody can see where a service is offered",
    "list `channels`, such as `[web, counter, post-office]`",
    "BASIC",
)
HOP: Final = Rule(
    "hop-deadline",
    "a milestone cannot be late before the whole service is",
    "shorten `deadline` of the milestone, or extend that of the service",
    "BASIC",
)
RULES: Final = (OWNER, CATEGORY, EVENT, REACHABLE, ONCE, END, CHANNELS, HOP)


def check_service(
    entry: LoadedService, loaded: Loaded, categories: Collection[str] = CATEGORIES
) -> Iterator[Finding]:
    """Findings about one service.

    Args:
        entry: The service.
        loaded: The catalogue, including the names of what could not be read.
        categories: The codes that a service may have.
    """
    service, document = entry.service, entry.document
    if service.category not in categories:
        what = f"{quotable(service.category)} is not a code of the list{meant(service.category, categories)}"
        yield CATEGORY.at(document.place("category"), what)
    if service.owner not in loaded.agency_names:
        yield OWNER.at(document.place("owner"), f"`{service.owner}` is not an agency of the catalogue")
    if not service.channels:
        yield CHANNELS.at(document.place("channels"), "the service has no `channels`")
    yield from _events(entry, loaded)
    yield from _milestones(entry)
    for index, end in enumerate(service.ends):
        if end not in {milestone.event for milestone in service.milestones}:
            yield END.at(
                document.place("ends", index), f"`{end}` ends the service, but is not one of its milestones"
            )


def _events(entry: LoadedService, loaded: Loaded) -> Iterator[Finding]:
    service, document = entry.service, entry.document
    named: list[tuple[tuple[Step, ...], str]] = [(("start",), service.start)]
    named += [(("milestones", index, "event"), hop.event) for index, hop in enumerate(service.milestones)]
    for steps, subject in named:
        if subject not in loaded.subjects:
            yield EVENT.at(document.place(*steps), f"`{subject}` has no contract in the catalogue")


def _milestones(entry: LoadedService) -> Iterator[Finding]:
    service, document = entry.service, entry.document
    counts = Counter(milestone.event for milestone in service.milestones)
    reached = _reached(service)
    for index, milestone in enumerate(service.milestones):
        if counts[milestone.event] > 1 or milestone.event == service.start:
            place = document.place("milestones", index, "event")
            yield ONCE.at(place, f"`{milestone.event}` occurs more than once in the service")
        if milestone.event not in reached:
            place = document.place("milestones", index, "after")
            yield REACHABLE.at(
                place, f"`{milestone.event}` waits for `{milestone.after}`, which is never reached"
            )
        if (milestone.deadline_seconds or 0) > service.deadline_seconds:
            place = document.place("milestones", index, "deadline")
            yield HOP.at(place, f"`{milestone.event}` may take longer than the service")


def _reached(service: Service) -> set[str]:
    reached = {service.start}
    while more := {hop.event for hop in service.milestones if hop.after in reached} - reached:
        reached |= more
    return reached
