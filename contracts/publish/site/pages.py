"""The pages of the website: text by file name. The same catalogue gives the same bytes.

The templates escape all text of the catalogue. There are no inline scripts or styles and no external
resources, so the pages work with a strict Content-Security-Policy and from a local folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from contracts.catalog import Catalog
from contracts.compatibility.changes import effect_of
from contracts.compatibility.modes import Direction, Pair, breaks, judge
from contracts.compatibility.verdict import NO_WITNESS, Verdict
from contracts.contract import Agency, Contract, ContractVersion, Service, SubscriptionGrant
from contracts.documents.categories import title_of_category
from contracts.documents.durations import render_duration
from contracts.lint.coverage import GAPS, events_of
from contracts.lint.waivers import Waived
from contracts.publish.fields import fields_of
from contracts.publish.site.diagram import BOX_HEIGHT, BOX_WIDTH, draw
from contracts.publish.site.search import as_script, page_of
from contracts.publish.site.source import SiteSource

_HERE: Final = Path(__file__).parent
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+")
_DAY: Final = 86_400
STATIC: Final = ("favicon.svg", "site.css", "site.js")


def build(source: SiteSource) -> dict[str, str]:
    """All files of the website by name, sorted."""
    catalog = source.catalog
    pages = {"index.html": _start(source), "coverage.html": _coverage(source)}
    if source.changed is not None:
        pages["changes.html"] = _render("changes.html", "", catalog, changed=source.changed)
    pages |= {page_of("agency", name): _agency(each, catalog) for name, each in catalog.agencies.items()}
    pages |= {page_of("contract", name): _contract(each, source) for name, each in catalog.contracts.items()}
    pages |= {page_of("service", name): _service(each, source) for name, each in catalog.services.items()}
    pages |= {f"static/{name}": (_HERE / "static" / name).read_text(encoding="utf-8") for name in STATIC}
    return dict(sorted(pages.items()))


def _start(source: SiteSource) -> str:
    catalog = source.catalog
    return _render(
        "start.html",
        "",
        catalog,
        coverage=source.coverage,
        changed=source.changed,
        contracts=[(each, _services_with(each.subject, catalog)) for each in catalog.contracts.values()],
        index=Markup(as_script(catalog)),  # noqa: S704 - escaped there, for a script element
    )


def _coverage(source: SiteSource) -> str:
    return _render("coverage.html", "", source.catalog, coverage=source.coverage, gaps=GAPS)


def _agency(agency: Agency, catalog: Catalog) -> str:
    events = [each for each in catalog.contracts.values() if each.agency == agency.name]
    held = list(_held(catalog))
    return _render(
        "agency.html",
        "../",
        catalog,
        agency=agency,
        events=[(each, sum(read.subject == each.subject for read in held)) for each in events],
        reads=[read for read in held if read.consumer == agency.name],
        readers=[read for read in held if read.owner == agency.name],
        services=[
            each for each in catalog.services.values() if agency.name in (each.owner, *_agencies_of(each))
        ],
    )


def _contract(contract: Contract, source: SiteSource) -> str:
    catalog, latest = source.catalog, contract.version()
    return _render(
        "contract.html",
        "../",
        catalog,
        contract=contract,
        latest=latest,
        retention=render_duration(contract.retention_days * _DAY),
        fields=fields_of(latest),
        examples=[(name, source.examples.get(name, ())) for name in _types(contract)],
        history=history_of(contract, source.waived),
        readers=[read for read in _held(catalog) if read.subject == contract.subject],
        services=_services_with(contract.subject, catalog),
    )


def _service(service: Service, source: SiteSource) -> str:
    catalog = source.catalog
    titles = {subject: contract.title for subject, contract in catalog.contracts.items()}
    agencies = {name: agency.title for name, agency in catalog.agencies.items()}
    offers = (*source.coverage.offers, *source.coverage.beyond)
    gaps = [GAPS[gap] for offer in offers if offer.service.name == service.name for gap in offer.gaps]
    return _render(
        "service.html",
        "../",
        catalog,
        service=service,
        drawing=draw(service, titles, agencies),
        drawn=(BOX_WIDTH, BOX_HEIGHT),
        titles=titles,
        gaps=gaps,
    )


@dataclass(frozen=True, slots=True)
class StepBreak:
    """What a version breaks, and who answers for it."""

    old: ContractVersion
    direction: Direction
    verdict: Verdict
    waived: Waived | None


@dataclass(frozen=True, slots=True)
class Step:
    """One version in the history of a contract.

    Attributes:
        before: The version before; None for the first.
        verdict: Whether it reads all that was published under the version before.
        breaks: What it breaks: the version before, and every other one that the contract's mode protects.
    """

    version: ContractVersion
    before: ContractVersion | None = None
    verdict: Verdict | None = None
    breaks: tuple[StepBreak, ...] = ()


def history_of(contract: Contract, waived: Mapping[Pair, Waived]) -> list[Step]:
    """All versions of a contract, newest first."""
    steps = [_step(contract, old, new, waived) for old, new in pairwise(contract.versions)]
    return [*reversed(steps), Step(contract.versions[0])]


def _step(
    contract: Contract, old: ContractVersion, new: ContractVersion, waived: Mapping[Pair, Waived]
) -> Step:
    verdict = judge(old, new)
    found: dict[tuple[ContractVersion, Direction], Verdict] = {}
    if verdict.answer != "compatible":
        found[old, "BACKWARD"] = verdict
    for each in breaks(new, contract.versions, contract.compatibility):
        found[each.old, each.direction] = each.verdict
    broken = (
        StepBreak(
            other,
            direction,
            shown,
            waived.get((contract.subject, other.number, new.number, direction)),
        )
        for (other, direction), shown in found.items()
    )
    return Step(new, old, verdict, tuple(broken))


def _witness(verdict: Verdict) -> str:
    """The event that shows the break, as JSON; empty when there is none."""
    shown = verdict.witness is not NO_WITNESS
    return json.dumps(verdict.witness, ensure_ascii=False, indent=2) if shown else ""


def _types(contract: Contract) -> list[str]:
    """The types of a contract, the latest major first."""
    return list(dict.fromkeys(version.type for version in reversed(contract.versions)))


def _marked(text: str) -> Markup:
    """A message with text in backticks as code."""
    parts = text.split("`")
    pieces = (
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts)
    )
    return Markup("").join(pieces)


def _held(catalog: Catalog) -> Iterator[SubscriptionGrant]:
    for _, subscription in sorted(catalog.subscriptions.items()):
        yield subscription


def _services_with(subject: str, catalog: Catalog) -> list[Service]:
    return [service for service in catalog.services.values() if subject in events_of(service)]


def _agencies_of(service: Service) -> set[str]:
    return {subject.partition(".")[0] for subject in events_of(service)}


def _render(template: str, up: str, catalog: Catalog, **values: Any) -> str:
    return _templates().get_template(template).render(up=up, catalog=catalog, **values)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: Mapping[str, Any] = {
        **{f"{kind}_page": partial(page_of, kind) for kind in ("agency", "contract", "service")},
        "duration": render_duration,
        "effect": effect_of,
        "is_email": lambda text: bool(_EMAIL.fullmatch(text)),
        "marked": _marked,
        "witness": _witness,
        "words": lambda name: title_of_category(name).capitalize(),
    }
    environment.filters.update(filters)
    return environment
