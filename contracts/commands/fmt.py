"""`govbus contracts fmt`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import FINDINGS, failing_plainly
from contracts.documents.fixing import formatted, write_formatted
from contracts.lint.reports import write as write_report
from contracts.terminal import say, say_document


@click.command()
@catalog_option
@click.option("--check/--write", "check", default=True, help="List unformatted documents, or format them.")
@failing_plainly
def fmt(root: Path, check: bool) -> None:
    """Format the documents of a catalogue; by default, only list those that are not formatted.

    Schemas with a recorded hash never change. Exits with 100 if a document is not formatted, or cannot be
    read.
    """
    changes, faults = formatted(root)
    for change in changes:
        shown = os.path.relpath(root / change.file)
        if change.text is None:
            say(f"{shown}: not formatted - {change.why}", err=True)
        elif check:
            say(f"{shown}: not formatted - run `govbus contracts fmt --write`")
        else:
            write_formatted(root, change)
            say(f"{shown}: formatted", err=True)
    if faults:
        say_document(write_report(faults, "text", root))
    if faults or (check and any(change.text is not None for change in changes)):
        raise click.exceptions.Exit(FINDINGS)
