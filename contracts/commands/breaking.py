"""`govbus contracts breaking`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from contracts.commands.against import against_option, catalog_before
from contracts.commands.options import (
    REFERENCE_CATALOG,
    catalog_option,
    conclude,
    failing_plainly,
    limit_option,
)
from contracts.lint.breaking import breaking as breaking_of
from contracts.lint.reports import Format, format_option
from contracts.lint.soundness import load_sound


@click.command()
@catalog_option
@against_option
@format_option
@limit_option
@failing_plainly
def breaking(catalog: Path | None, against: str | None, form: Format, limit_to: Sequence[Path]) -> None:
    """Check a change of a catalogue.

    Silent when it breaks nothing; otherwise each break, with an event that shows it and the readers it hits,
    and exit code 100.
    """
    root = catalog or REFERENCE_CATALOG
    before = catalog_before(against, root, compiled=False)
    conclude(
        breaking_of(load_sound(root, compiled=False), before, datetime.now(UTC).date()), form, root, limit_to
    )
