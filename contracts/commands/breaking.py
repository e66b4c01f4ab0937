"""`govbus contracts breaking`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from contracts.commands.against import against_option, catalog_before
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import (
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
def breaking(root: Path, against: str | None, form: Format, limit_to: Sequence[Path]) -> None:
    """Find breaking changes of a catalogue.

    Prints nothing when there are none. Otherwise prints each one, with an example event and the affected
    readers and publishers, and exits with 100.
    """
    before = catalog_before(against, root, compiled=False)
    judged = breaking_of(load_sound(root, compiled=False), before, datetime.now(UTC).date())
    conclude(judged.kept, form, root, limit_to)
