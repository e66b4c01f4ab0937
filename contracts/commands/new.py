"""`govbus contracts new`."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.commands.options import failing_plainly
from contracts.errors import ContractError
from contracts.imports.scaffold import agency_documents, event_documents, starter_schema
from contracts.imports.sources import import_schema
from contracts.imports.versions import next_version
from contracts.lint.soundness import open_sound
from contracts.terminal import say

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("subject", required=False)
@click.option(
    "--from", "source", metavar="FILE[#POINTER]", help="JSON Schema, sample data, OpenAPI or AsyncAPI."
)
@click.option("--agency", metavar="NAME", help="Create an agency instead.")
@click.option("--version", metavar="SUBJECT", help="Create the next version of an event instead.")
@click.option("--minor", "kind", flag_value="minor", help="With --version: a compatible version.")
@click.option("--major", "kind", flag_value="major", help="With --version: a version with its own topic.")
@click.option(
    "--catalog",
    type=_FOLDER,
    envvar="GOVBUS_CATALOG",
    default=".",
    help="Folder of the catalogue, which may be empty; by default GOVBUS_CATALOG, or the current folder.",
)
@failing_plainly
def new(  # noqa: PLR0917 - click passes them by name
    subject: str | None,
    source: str | None,
    agency: str | None,
    version: str | None,
    kind: str | None,
    catalog: Path,
) -> None:
    """Create the documents of an event. SUBJECT is `<agency>.<event>`.

    `--from` reads a JSON Schema, sample data (an object or a list of objects), or a part of an OpenAPI 3 or
    AsyncAPI document. Existing files are never overwritten. Facts to complete by hand are marked `fill in`.
    """
    if sum(given is not None for given in (subject, agency, version)) != 1:
        raise click.UsageError("Pass exactly one of: an event `<agency>.<event>`, --agency, --version.")
    if (kind is None) != (version is None) or (source is not None and subject is None):
        raise click.UsageError("--version needs --minor or --major; --from needs an event.")
    if version is not None:
        _next_version(catalog, version, is_major=kind == "major")
    elif agency is not None:
        _write(catalog, agency_documents(agency))
    else:
        _event(catalog, str(subject), source)
    check = f"govbus contracts lint --catalog {catalog}"
    say(f"next: complete what is marked `fill in`; `{check}` shows what is missing", err=True)


def _event(catalog: Path, subject: str, source: str | None) -> None:
    documents = event_documents(subject, import_schema(source) if source else starter_schema())
    agency = subject.partition(".")[0]
    if not (catalog / "agencies" / agency / "agency.yaml").exists():
        documents = {**agency_documents(agency), **documents}
    _write(catalog, documents)
    if source:
        say("check the examples: they must not contain data of real people", err=True)


def _next_version(catalog: Path, subject: str, *, is_major: bool) -> None:
    contract = open_sound(catalog).contract(subject)
    documents, text = next_version(catalog, contract, is_major=is_major)
    _write(catalog, documents)
    file = f"agencies/{contract.agency}/{contract.event}/contract.yaml"
    draft = catalog / f"{file}.new"
    draft.write_text(text, encoding="utf-8")
    draft.replace(catalog / file)
    say(file)


def _write(catalog: Path, documents: dict[str, str]) -> None:
    there = [file for file in documents if (catalog / file).exists()]
    if there:
        raise ContractError(f"Expected no file at `{there[0]}` - nothing was written; remove the file first")
    root = catalog.resolve()
    for file, text in documents.items():
        path = catalog / file
        if not path.parent.resolve().is_relative_to(root):
            raise ContractError(f"Expected `{file}` inside the catalogue, but a link leads out of it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
        say(file)
