"""`govbus contracts impact`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import click

from contracts.commands.against import against_option, catalog_before
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import FINDINGS, failing_plainly
from contracts.compatibility.impact import EFFECTS, Impact, impacts, reader_of
from contracts.documents.loaded import Loaded
from contracts.finding import Finding
from contracts.lint.breaking import Before, breaking, change_losses, waived_changes
from contracts.lint.losses import CatalogLoss
from contracts.lint.soundness import as_catalog, load_sound
from contracts.lint.waivers import Waived
from contracts.terminal import say, say_json
from contracts.visible_text import visible_json


@click.command()
@catalog_option
@against_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@failing_plainly
def impact(root: Path, against: str | None, form: Literal["text", "json"]) -> None:
    """Show how a change affects each reader, based on the fields that its subscription lists.

    Also shows what each reader and publisher loses without a schema: access, a version, a conversion. Exits
    with 100 if somebody breaks or loses something, or a reader cannot be proved to keep working, unless a
    waiver allows it.
    """
    before = catalog_before(against, root)
    found = sorted(
        _effects(load_sound(root), before, datetime.now(UTC).date()), key=lambda each: (each.title, each.rank)
    )
    for each in found if form == "json" else ():
        say_json(each.as_json())
    if form == "text":
        say(*_text(found), longest=None)
    if any(each.fails for each in found):
        raise click.exceptions.Exit(FINDINGS)


@dataclass(frozen=True, slots=True)
class _Effect:
    """What a change means to one reader or publisher; `title` is what changed."""

    title: str
    rank: int
    words: str
    who: str
    details: tuple[str, ...]
    fields: Mapping[str, Any]
    waived: Waived | None
    fails: bool

    def as_json(self) -> dict[str, Any]:
        return {**self.fields, "waived": self.waived.as_json()} if self.waived else dict(self.fields)


def _effects(loaded: Loaded, before: Before, today: date) -> Iterator[_Effect]:
    now = as_catalog(loaded)
    judged = breaking(loaded, before, today)
    waived = waived_changes(loaded, before, today)
    for each in impacts(before.whole(), now):
        pair = (each.new.contract.subject, each.old.number, each.new.number)
        yield _of_impact(each, waived.get((*pair, each.direction)) if each.direction else None)
    allowed = {each.finding: each for each in judged.waived}
    for loss, finding in change_losses(loaded, before, today):
        if finding in judged.kept or finding in allowed:
            yield from _of_loss(loss, finding, allowed.get(finding))


def _of_impact(found: Impact, waived: Waived | None) -> _Effect:
    fields = ", ".join(found.subscription.fields) or "everything"
    return _Effect(
        f"{found.new.contract.subject} {found.old.number} -> {found.new.number}",
        list(EFFECTS).index(found.effect),
        EFFECTS[found.effect],
        f"{found.reader}, which reads {fields}",
        tuple(_shown(found)),
        found.as_json(),
        waived,
        found.effect in ("breaks", "unknown") and not _holds(waived),
    )


def _of_loss(loss: CatalogLoss, finding: Finding, waived: Waived | None) -> Iterator[_Effect]:
    readers = ((each.consumer, each.name, reader_of(each)) for each in loss.readers)
    publishers = ((agency, None, f"publishers of {agency}") for agency in loss.publishers)
    fails = finding.severity == "error" and not _holds(waived)
    for agency, name, who in (*readers, *publishers):
        told = {"subject": loss.about, "agency": agency, "subscription": name, "effect": "loses"}
        fields = {**told, "rule": finding.code, "severity": finding.severity, "reason": finding.what}
        details = (f"{finding.code}: {finding.what} - {finding.why}",)
        yield _Effect(loss.about, 0, "loses something", who, details, fields, waived, fails)


def _holds(waived: Waived | None) -> bool:
    return waived is not None and not waived.missing


def _text(found: list[_Effect]) -> Iterator[str]:
    for title, effects in groupby(found, key=lambda each: each.title):
        yield title
        for each in effects:
            yield f"  {each.words}{', waived' if _holds(each.waived) else ''}: {each.who}"
            details = (*each.details, each.waived.words) if each.waived else each.details
            yield from (f"    {line}" for line in details)


def _shown(each: Impact) -> Iterator[str]:
    if each.direction is None:
        return
    old, new = each.old.number, each.new.number
    when = f"with version {new}, on events of {old}"
    if each.direction == "FORWARD":
        when = f"with version {old}, on events of {new}"
    yield f"{when}: {each.verdict.reason}"
    if each.effect == "breaks":
        yield f"example event: {visible_json(each.verdict.witness)}"
