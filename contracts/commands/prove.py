"""`govbus contracts prove`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import (
    conclude,
    failing_plainly,
    limit_option,
)
from contracts.lint.conversion_proof import FULL_COUNT
from contracts.lint.reports import Format, format_option
from contracts.lint.rules.conversions import check_conversions
from contracts.lint.soundness import load_sound


@click.command()
@catalog_option
@click.option(
    "--count",
    type=click.IntRange(1, 10_000_000),
    default=FULL_COUNT,
    show_default=True,
    help="How many events to generate for each conversion.",
)
@limit_option
@format_option
@failing_plainly
def prove(*, root: Path, count: int, limit_to: Sequence[Path], form: Format) -> None:
    """Test each `upcast` and `downcast` of a catalogue with generated events and the valid examples.

    Prints nothing if all events convert. Otherwise prints one line for each failing conversion, and exits
    with 100.
    """
    loaded = load_sound(root)
    findings = list(loaded.findings)
    for entry in loaded.contracts.values():
        findings += check_conversions(entry, root, count)
    conclude(sorted(findings), form, root, limit_to)
