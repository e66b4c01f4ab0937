"""`govbus contracts impact`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

import click

from contracts.commands.against import against_option, catalog_before
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import FINDINGS, failing_plainly
from contracts.compatibility.impact import EFFECTS, Impact, impacts
from contracts.lint.soundness import open_sound
from contracts.terminal import say, say_json
from contracts.visible_text import visible_json


@click.command()
@catalog_option
@against_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
@failing_plainly
def impact(root: Path, against: str | None, form: Literal["text", "json"]) -> None:
    """Show how a change affects each reader, based on the fields that its subscription lists.

    Exits with 100 if a reader breaks, or cannot be proved to keep working.
    """
    before = catalog_before(against, root)
    found = sorted(
        impacts(before.whole(), open_sound(root)),
        key=lambda each: (each.new.contract.subject, each.new.number, list(EFFECTS).index(each.effect)),
    )
    for each in found if form == "json" else ():
        say_json(each.as_json())
    if form == "text":
        say(*_text(found), longest=None)
    if any(each.effect in ("breaks", "unknown") for each in found):
        raise click.exceptions.Exit(FINDINGS)


def _text(found: Sequence[Impact]) -> Iterator[str]:
    for change, readers in groupby(found, key=_change):
        yield change
        for each in readers:
            fields = ", ".join(each.subscription.fields) or "everything"
            yield f"  {EFFECTS[each.effect]}: {each.reader}, which reads {fields}"
            yield from (f"    {line}" for line in _shown(each))


def _change(each: Impact) -> str:
    return f"{each.new.contract.subject} {each.old.number} -> {each.new.number}"


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
