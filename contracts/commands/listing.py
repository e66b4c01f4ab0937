"""`govbus contracts list` and `show`."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.commands.options import (
    REFERENCE_CATALOG,
    catalog_option,
    echo_json,
    failing_plainly,
    json_option,
)
from contracts.lint.soundness import open_sound
from contracts.publish import tables


@click.command("list")
@catalog_option
@json_option
@failing_plainly
def list_contracts(catalog: Path | None, as_json: bool) -> None:
    """List every contract and service of the catalogue."""
    opened = open_sound(catalog or REFERENCE_CATALOG)
    if as_json:
        echo_json(tables.catalog_json(opened))
    else:
        tables.print_catalog(opened)


@click.command()
@click.argument("subject")
@catalog_option
@json_option
@failing_plainly
def show(subject: str, catalog: Path | None, as_json: bool) -> None:
    """Show one contract: SUBJECT is `<agency>.<event>`, with or without `.v<major>`."""
    opened = open_sound(catalog or REFERENCE_CATALOG)
    version = opened.contract(subject).version() if subject in opened.contracts else opened.by_type(subject)
    if as_json:
        echo_json(tables.contract_json(opened, version))
    else:
        tables.print_contract(opened, version)
