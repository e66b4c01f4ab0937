"""`govbus contracts export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import failing_plainly
from contracts.lint.soundness import open_sound
from contracts.publish.exports.asyncapi import asyncapi
from contracts.publish.exports.cloudevents import cloudevents
from contracts.publish.exports.odcs import odcs
from contracts.terminal import say_document

_OUTPUT = click.Path(path_type=Path)


@click.command()
@click.argument("form", type=click.Choice(["asyncapi", "odcs", "cloudevents"]))
@click.option("-o", "--output", type=_OUTPUT, help="File, or folder for `odcs`; by default stdout.")
@catalog_option
@failing_plainly
def export(form: str, output: Path | None, root: Path) -> None:
    """Export the catalogue in the format of another standard.

    `asyncapi`: one AsyncAPI 3.0 document with all topics, senders and receivers, as JSON if the file name
    ends with `.json`, otherwise as YAML. `odcs`: one Open Data Contract Standard 3.1 document for each major
    version of an event. `cloudevents`: the event types, as JSON.
    """
    opened = open_sound(root)
    if form == "odcs":
        _write_odcs(odcs(opened), output)
        return
    value = asyncapi(opened) if form == "asyncapi" else cloudevents(opened)
    is_json = form == "cloudevents" or (output is not None and output.suffix == ".json")
    _write(json.dumps(value, ensure_ascii=False, indent=2) + "\n" if is_json else _yaml(value), output)


def _write_odcs(documents: dict[str, dict[str, Any]], folder: Path | None) -> None:
    if folder is None:
        say_document("---\n".join(_yaml(document) for document in documents.values()), newline=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (folder / f"{name}.odcs.yaml").write_text(_yaml(document), encoding="utf-8")


def _write(text: str, file: Path | None) -> None:
    if file is None:
        say_document(text, newline=False)
    else:
        file.write_text(text, encoding="utf-8")


class _Plain(yaml.SafeDumper):
    """Writes repeated values in full, without anchors."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _yaml(value: object) -> str:
    text = yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=110)
    assert isinstance(text, str)  # noqa: S101 - without a stream it is
    return text
