"""`govbus contracts coverage`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from contracts.catalog import Catalog
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import (
    FINDINGS,
    echo_json,
    failing_plainly,
)
from contracts.commands.tables import print_blocks, table
from contracts.documents.rules import DEADLINE
from contracts.errors import CatalogError
from contracts.finding import Finding
from contracts.lint.config import read_config
from contracts.lint.coverage import GAPS, Coverage, Offer, measure
from contracts.lint.soundness import load_sound
from contracts.terminal import say

COMPLETE: Final = "complete"


@click.command()
@catalog_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="Output format.",
)
@failing_plainly
def coverage(root: Path, form: str) -> None:
    """Compare the services of a catalogue with the national plan.

    `services` in `catalog.yaml` lists the essential services of the plan and the target. By default the plan
    is every essential service of the UN E-Government Survey, and the target is 100 %. Exits with 100 when
    the target is missed.
    """
    config, faults = read_config(root, {})
    opened = _open(root, faults)
    found = measure(opened, config.plan, config.target)
    if form == "json":
        echo_json(as_json(found))
    elif form == "markdown":
        say(*_markdown(found))
    else:
        _print(found, opened)
    if not found.reached:
        raise click.exceptions.Exit(FINDINGS)


def _open(root: Path, faults: tuple[Finding, ...]) -> Catalog:
    loaded = load_sound(root)
    # A missing deadline is a gap in the plan, which the report names.
    findings = [*faults, *(each for each in loaded.findings if each.code != DEADLINE.code)]
    if findings:
        raise CatalogError(sorted(findings))
    return Catalog.of(loaded)


def as_json(found: Coverage) -> dict[str, Any]:
    """The coverage as JSON."""
    return {
        "plan": len(found.categories),
        "covered": found.covered,
        "percent": round(found.percent, 1),
        "target": found.target,
        "reached": found.reached,
        "services": [
            {
                "category": category.category,
                "covered": category.covered,
                "offers": [_offer_json(offer) for offer in category.offers],
            }
            for category in found.categories
        ],
        "beyond": [_offer_json(offer) for offer in found.beyond],
        "levels": dict(found.levels),
        "agencies": found.agencies,
        "channels": found.channels,
    }


def _offer_json(offer: Offer) -> dict[str, Any]:
    return {
        "service": offer.service.name,
        "title": offer.service.title,
        "owner": offer.service.owner,
        "agencies": list(offer.agencies),
        "channels": list(offer.service.channels),
        "gaps": {gap: GAPS[gap] for gap in offer.gaps},
    }


def headline(found: Coverage) -> str:
    """One sentence: how much of the plan is covered, and whether that meets the target."""
    share = f"{found.covered} of {len(found.categories)} essential services ({found.percent:.0f} %)"
    verdict = "met" if found.reached else "missed"
    return f"{share} are offered online from start to end. The target of {found.target} % is {verdict}."


def _rows(found: Coverage) -> Iterator[tuple[str, str, str, str, str]]:
    for category in found.categories:
        for index, offer in enumerate(category.offers or (None,)):
            name = category.category if index == 0 else ""
            if offer is None:
                yield name, "not offered", "", "", ""
                continue
            state = "; ".join(GAPS[gap] for gap in offer.gaps) or COMPLETE
            agencies, channels = ", ".join(offer.agencies), ", ".join(offer.service.channels)
            yield name, state, offer.service.name, agencies, channels


def _counts(found: Coverage) -> Iterator[tuple[str, dict[str, int]]]:
    yield "Level", {str(level): count for level, count in found.levels.items()}
    yield "Agency", found.agencies
    yield "Channel", found.channels


def _print(found: Coverage, catalog: Catalog) -> None:
    services = table("Essential service", "State", "Service", "Agencies", "Channels")
    for name, state, *rest in _rows(found):
        style = "green" if state == COMPLETE else "red"
        services.add_row(name, Text(state, style=style), *rest)
    counts = [_count_table(title, count, catalog) for title, count in _counts(found)]
    beyond = ", ".join(offer.service.name for offer in found.beyond)
    last = [f"Not in the plan: {beyond}"] if beyond else []
    print_blocks(Text(headline(found), style="bold"), services, *counts, *last)


def _count_table(title: str, counts: dict[str, int], catalog: Catalog) -> Table:
    shown = table(title, *(["Level"] if title == "Agency" else []), "Complete services")
    shown.columns[-1].justify = "right"
    for name, count in counts.items():
        level = [catalog.agencies[name].level] if title == "Agency" else []
        shown.add_row(name, *level, Text(str(count), style="" if count else "red"))
    return shown


def _markdown(found: Coverage) -> Iterator[str]:
    yield f"**{headline(found)}**"
    yield ""
    yield "| Essential service | State | Service | Agencies | Channels |"
    yield "|---|---|---|---|---|"
    for row in _rows(found):
        yield f"| {' | '.join(row)} |"
    for title, counts in _counts(found):
        yield ""
        yield f"| {title} | Complete services |"
        yield "|---|---:|"
        yield from (f"| {name} | {count} |" for name, count in counts.items())
