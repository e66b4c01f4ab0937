"""`govbus contracts diff`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from contracts.commands.against import against_option, catalog_before
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import failing_plainly
from contracts.compatibility.changes import Form, changes, write_changes
from contracts.lint.breaking import waived_changes
from contracts.lint.soundness import as_catalog, load_sound
from contracts.terminal import say_document


@click.command()
@catalog_option
@against_option
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text", help="Output format."
)
@failing_plainly
def diff(root: Path, against: str | None, form: Form) -> None:
    """Show the changes of each schema, field by field, and whom each one can break."""
    before, loaded, today = catalog_before(against, root), load_sound(root), datetime.now(UTC).date()
    earlier, now = before.whole(), as_catalog(loaded)
    waived = waived_changes(loaded, before, today)
    found = changes(earlier, now, {pair: each.words for pair, each in waived.items()})
    if text := write_changes(list(found), form):
        say_document(text)
