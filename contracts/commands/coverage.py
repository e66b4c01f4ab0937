"""`govbus contracts coverage`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.catalog import Catalog
from contracts.commands.options import (
    FINDINGS,
    REFERENCE_CATALOG,
    catalog_option,
    echo_json,
    failing_plainly,
)
from contracts.documents.loading_rules import DEADLINE
from contracts.errors import CatalogError
from contracts.finding import Finding
from contracts.lint.config import read_config
from contracts.lint.coverage import GAPS, Coverage, Offer, measure
from contracts.lint.soundness import load_sound

_WIDE: Final = 160


@click.command()
@catalog_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    help="How it is written.",
)
@failing_plainly
def coverage(catalog: Path | None, form: str) -> None:
    """Hold the catalogue against the national plan of essential services.

    The plan and its target stand in `catalog.yaml` under `services`; by default every essential service of
    the E-Government Survey, and 100 %. Exit code 100 below the target.
    """
    root = catalog or REFERENCE_CATALOG
    config, faults = read_config(root, {})
    opened = _open(root, faults)
    found = measure(opened, config.plan, config.target)
    if form == "json":
        echo_json(as_json(found))
    elif form == "markdown":
        click.echo("\n".join(_markdown(found)))
    else:
        _print(found, opened)
    if not found.reached:
        raise click.exceptions.Exit(FINDINGS)


def _open(root: Path, faults: tuple[Finding, ...]) -> Catalog:
    loaded = load_sound(root)
    # A service without deadline is no fault here: it is what the plan wants named.
    findings = [*faults, *(each for each in loaded.findings if each.code != DEADLINE.code)]
    if findings:
        raise CatalogError(sorted(findings))
    return Catalog.of(loaded)


def as_json(found: Coverage) -> dict[str, Any]:
    """What was found, for another program."""
    return {
        "plan": len(found.lines),
        "covered": found.covered,
        "percent": round(found.percent, 1),
        "target": found.target,
        "reached": found.reached,
        "services": [
            {
                "category": line.category,
                "covered": line.covered,
                "offers": [_offer_json(offer) for offer in line.offers],
            }
            for line in found.lines
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
    """The one sentence: how much of the plan is offered, against which target."""
    what = f"{found.covered} of {len(found.lines)} essential services are offered electronically end to end"
    verdict = "reached" if found.reached else "missed"
    return f"{what}: {found.percent:.0f} %. The target of {found.target} % is {verdict}."


def _rows(found: Coverage) -> Iterator[tuple[str, str, str, str, str]]:
    for line in found.lines:
        for index, offer in enumerate(line.offers or (None,)):
            name = line.category if index == 0 else ""
            if offer is None:
                yield name, "not offered", "", "", ""
                continue
            state = "; ".join(GAPS[gap] for gap in offer.gaps) or "whole"
            agencies, channels = ", ".join(offer.agencies), ", ".join(offer.service.channels)
            yield name, state, offer.service.name, agencies, channels


def _tallies(found: Coverage) -> Iterator[tuple[str, dict[str, int]]]:
    yield "Level", {str(level): count for level, count in found.levels.items()}
    yield "Agency", found.agencies
    yield "Channel", found.channels


def _print(found: Coverage, catalog: Catalog) -> None:
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=_WIDE)
    console.print(Text(headline(found), style="bold"))
    console.print()
    table = _table("Essential service", "State", "Service", "Agencies", "Channels")
    for name, state, *rest in _rows(found):
        style = "green" if state == "whole" else "red"
        table.add_row(Text(name), Text(state, style=style), *(Text(cell) for cell in rest))
    console.print(table)
    for title, tally in _tallies(found):
        console.print()
        console.print(_tally(title, tally, catalog))
    if found.beyond:
        console.print()
        console.print(Text("Not in the plan: " + ", ".join(offer.service.name for offer in found.beyond)))


def _tally(title: str, tally: dict[str, int], catalog: Catalog) -> Table:
    table = _table(title, *(["Level"] if title == "Agency" else []), "Whole services")
    table.columns[-1].justify = "right"
    for name, count in tally.items():
        level = [Text(catalog.agencies[name].level)] if title == "Agency" else []
        table.add_row(Text(name), *level, Text(str(count), style="" if count else "red"))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _markdown(found: Coverage) -> Iterator[str]:
    yield f"**{headline(found)}**"
    yield ""
    yield "| Essential service | State | Service | Agencies | Channels |"
    yield "|---|---|---|---|---|"
    for row in _rows(found):
        yield f"| {' | '.join(row)} |"
    for title, tally in _tallies(found):
        yield ""
        yield f"| {title} | Whole services |"
        yield "|---|---:|"
        yield from (f"| {name} | {count} |" for name, count in tally.items())
