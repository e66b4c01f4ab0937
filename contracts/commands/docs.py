"""`govbus contracts docs`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from contracts.commands.against import catalog_before
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import failing_plainly
from contracts.publish.site import build, compared, read_source, write
from contracts.terminal import say


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the website, created if missing.",
)
@catalog_option
@click.option(
    "--against",
    metavar="FOLDER|.git#branch=NAME|live",
    help="Also show the changes since an earlier catalogue, as in `breaking`.",
)
@failing_plainly
def docs(folder: Path, root: Path, against: str | None) -> None:
    """Write the catalogue as a static website. Open `index.html`, or serve the folder with any web server."""
    source = read_source(root)
    if against is not None:
        source = compared(source, root, catalog_before(against, root), datetime.now(UTC).date())
    pages = build(source)
    write(pages, folder)
    say(f"{len(pages)} files in {folder}", err=True)
