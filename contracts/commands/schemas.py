"""`govbus schemas`: JSON Schemas of all YAML files, for editors."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.commands.options import failing_plainly
from contracts.json_schemas import all_schemas, schema_text
from contracts.terminal import say


@click.command()
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for the schemas; it is made where it is missing.",
)
@failing_plainly
def schemas(output: Path) -> None:
    """Write JSON Schemas of all YAML files, for editors.

    One for each kind of document of a catalogue, and one for connectors. Files of these names are replaced.
    """
    output.mkdir(parents=True, exist_ok=True)
    for kind, schema in sorted(all_schemas().items()):
        file = output / f"{kind}.schema.json"
        file.write_text(schema_text(schema), "utf-8")
        say(f"{file}: {schema['title']}")
