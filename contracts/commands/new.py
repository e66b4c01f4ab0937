"""`govbus new`: documents of a catalogue, programs and their tests, connectors.

Documents go to the catalogue that is named, else to the project's, else to the working directory, which
becomes one. Programs and connectors go to the working directory. Nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from contracts.catalog import Catalog
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import failing_plainly
from contracts.contract import Contract, ContractVersion
from contracts.documents.document import read_json
from contracts.documents.folders import names_in
from contracts.errors import ContractError, NoCatalogError
from contracts.imports.sources import import_schema
from contracts.imports.versions import next_version
from contracts.lint.config import read_config
from contracts.lint.soundness import open_sound
from contracts.project import REFERENCE_FOLDER, catalog_folder, shown_folder
from contracts.scaffold.connector import connector_files
from contracts.scaffold.country import country_files
from contracts.scaffold.documents import (
    DRAFT,
    Wanted,
    agency_documents,
    event_documents,
    service_documents,
    starter_schema,
    subscription_documents,
)
from contracts.scaffold.programs import publisher_files, subscriber_files
from contracts.scaffold.writing import write_new
from contracts.terminal import say

LINT = "next: change what does not fit; `govbus contracts lint` checks it"

event_option = click.option(
    "--event", "subject", metavar="SUBJECT", help="The event; by default the catalogue's first."
)
read_event_option = click.option("--event", "subject", metavar="SUBJECT", help="The event to read.")
reader_option = click.option("--agency", "reader", metavar="NAME", help="The agency that reads.")


def target_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--catalog FOLDER`; the command gets the folder to write to as `root`, which may be empty."""

    def found(_context: click.Context, _option: click.Parameter, given: str | None) -> Path:
        try:
            root = catalog_folder(given)
        except NoCatalogError:
            root = Path.cwd()
        except ContractError as error:
            raise click.UsageError(str(error)) from None
        if root.resolve() == REFERENCE_FOLDER:
            raise click.UsageError("Expected a catalogue of your own, got the one that comes with govbus")
        if given is None:
            say(f"catalogue: {shown_folder(root)}", err=True)
        return root

    return click.option(
        "--catalog",
        "root",
        metavar="FOLDER",
        callback=found,
        help="Folder of the catalogue, which may be empty; by default GOVBUS_CATALOG, the project you are "
        "in, or the current folder.",
    )(command)


@click.command()
@click.argument("name")
@target_option
@failing_plainly
def agency(name: str, root: Path) -> None:
    """Create an agency."""
    write_new(root, agency_documents(name))
    say(LINT, err=True)


@click.command()
@click.argument("subject")
@click.option(
    "--from", "source", metavar="FILE[#POINTER]", help="JSON Schema, sample data, OpenAPI or AsyncAPI."
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --from: the folder with all files that a `$ref` may lead to; by default that of the file.",
)
@target_option
@failing_plainly
def event(subject: str, source: str | None, folder: Path | None, root: Path) -> None:
    """Create an event, and its agency if that is new. SUBJECT is `<agency>.<event>`.

    `--from` reads a JSON Schema, sample data (an object or a list of objects), or a part of an OpenAPI 3 or
    AsyncAPI document, with what it refers to in other files; facts to complete by hand are then marked
    `fill in`.
    """
    if folder is not None and source is None:
        raise click.UsageError("Expected --from with --folder")
    if source:
        documents = event_documents(subject, import_schema(source, folder), DRAFT)
    else:
        documents = event_documents(subject, starter_schema())
    owner = subject.partition(".")[0]
    if not (root / "agencies" / owner / "agency.yaml").exists():
        documents = {**agency_documents(owner), **documents}
    write_new(root, documents)
    if source:
        say("check the examples: they must not contain data of real people", err=True)
        say("next: complete what is marked `fill in`; `govbus contracts lint` shows what is left", err=True)
    else:
        say(LINT, err=True)


@click.command()
@click.argument("subject")
@click.option("--minor", "kind", flag_value="minor", help="A compatible version.")
@click.option("--major", "kind", flag_value="major", help="A version with its own topic.")
@target_option
@failing_plainly
def version(subject: str, kind: str | None, root: Path) -> None:
    """Create the next version of an event: a copy of its latest schema, to be changed."""
    if kind is None:
        raise click.UsageError("Expected --minor or --major, got neither.")
    contract = open_sound(root).contract(subject)
    documents, text = next_version(root, contract, is_major=kind == "major")
    write_new(root, documents)
    file = f"agencies/{contract.agency}/{contract.event}/contract.yaml"
    draft = root / f"{file}.new"
    draft.write_text(text, encoding="utf-8")
    draft.replace(root / file)
    say(file)
    say("next: change the new schema; `govbus contracts breaking` judges the change", err=True)


@click.command()
@click.argument("name")
@click.option("--start", metavar="SUBJECT", help="The event that begins it; by default the first.")
@click.option("--end", metavar="SUBJECT", help="The event that completes it; by default another agency's.")
@click.option("--category", metavar="CODE", help="Which essential service it is, of the catalogue's list.")
@target_option
@failing_plainly
def service(name: str, start: str | None, end: str | None, category: str | None, root: Path) -> None:
    """Create a service of two events."""
    opened = open_sound(root)
    begins = opened.contract(start) if start else next(iter(opened.contracts.values()), None)
    ends = opened.contract(end) if end else _end_of(opened, begins)
    if begins is None or ends is None:
        raise ContractError(
            "Expected two events, at the start and at the end, got fewer - `govbus new event SUBJECT` makes "
            "one"
        )
    found = category or _close_to(name, read_config(root, {})[0].categories)
    write_new(root, service_documents(name, begins.subject, ends.subject, found))
    say(LINT, err=True)


def _end_of(catalog: Catalog, start: Contract | None) -> Contract | None:
    others = [one for one in catalog.contracts.values() if start and one.subject != start.subject]
    return min(others, key=lambda one: one.agency == (start and start.agency), default=None)


def _close_to(name: str, categories: Mapping[str, str]) -> str:
    """The category whose code and title hold most words of a name, else the first."""

    def likeness(code: str) -> int:
        return sum(word in f"{code} {categories[code]}".lower() for word in name.split("-"))

    return max(categories, key=likeness)


@click.command()
@click.argument("purpose")
@read_event_option
@reader_option
@target_option
@failing_plainly
def subscription(purpose: str, subject: str | None, reader: str | None, root: Path) -> None:
    """Create a subscription. PURPOSE is what the data is used for, such as `check-residence`.

    Without `--event` or `--agency` it is the first event that another agency does not read yet.
    """
    opened = open_sound(root)
    contract, consumer = _wanted(opened, subject, reader)
    today = datetime.now(UTC).date()
    if (consumer, purpose) in opened.subscriptions:
        raise ContractError(
            f"Expected a purpose that `{consumer}` has no subscription for, got one it has - change it, "
            f"in agencies/{consumer}/subscriptions"
        )
    word = purpose if _is_granted(opened, consumer, contract) else ""
    write_new(root, subscription_documents(consumer, purpose, Wanted.of(contract.version()), today, word))
    say(LINT, err=True)


def _wanted(catalog: Catalog, subject: str | None, reader: str | None) -> tuple[Contract, str]:
    if reader is not None and reader not in catalog.agencies:
        raise ContractError(f"Expected an agency of the catalogue - it has {', '.join(catalog.agencies)}")
    if reader is not None and subject is not None:
        return catalog.contract(subject), reader
    contracts = [catalog.contract(subject)] if subject else list(catalog.contracts.values())
    for contract in contracts:
        for consumer in [reader] if reader else catalog.agencies:
            if consumer != contract.agency and not _is_granted(catalog, consumer, contract):
                return contract, consumer
    raise ContractError(
        "Expected an event that another agency does not read yet, got none - `govbus new event SUBJECT` and "
        "`govbus new agency NAME` make them"
    )


def _is_granted(catalog: Catalog, consumer: str, contract: Contract) -> bool:
    grants = catalog.subscriptions.values()
    return any((grant.consumer, grant.subject) == (consumer, contract.subject) for grant in grants)


@click.command()
@click.argument("name", required=False)
@failing_plainly
def country(name: str | None) -> None:
    """Create a country of two agencies with their programs and a test, in the folder NAME or in this one."""
    folder = Path(name or ".")
    write_new(folder, country_files(datetime.now(UTC).date()))
    say(
        f"next: {f'cd {name}; ' if name else ''}govbus contracts lint; python -m pytest; see README.md",
        err=True,
    )


@click.command()
@click.argument("name")
@read_event_option
@reader_option
@catalog_option
@failing_plainly
def subscriber(name: str, subject: str | None, reader: str | None, root: Path) -> None:
    """Create a program that subscribes, and its test, in the current folder.

    It uses a subscription of the catalogue: the first one, or the first of this event and agency.
    """
    opened = open_sound(root)
    for grant in opened.subscriptions.values():
        if subject in (None, grant.subject) and reader in (None, grant.consumer):
            read = opened.contract(grant.subject).version(grant.major)
            files = subscriber_files(name, grant.consumer, grant.purpose, read, _example(root, read))
            write_new(Path(), files)
            say(f"next: python -m pytest {list(files)[1]}", err=True)
            return
    raise ContractError("Expected such a subscription in the catalogue - `govbus new subscription` makes one")


@click.command()
@click.argument("name")
@event_option
@catalog_option
@failing_plainly
def publisher(name: str, subject: str | None, root: Path) -> None:
    """Create a program that publishes, and its test, in the current folder."""
    opened = open_sound(root)
    published = _published(opened, subject)
    begun = [one.name for one in opened.services.values() if one.start == published.contract.subject]
    files = publisher_files(name, published, _example(root, published), begun[0] if begun else None)
    write_new(Path(), files)
    say(f"next: python -m pytest {list(files)[1]}", err=True)


@click.command()
@click.argument("name")
@event_option
@catalog_option
@failing_plainly
def connector(name: str, subject: str | None, root: Path) -> None:
    """Create a connector from a folder of CSV files, a file for it, and its test, in the current folder."""
    published = _published(open_sound(root), subject)
    files = connector_files(name, published, _example(root, published))
    write_new(Path(), files)
    say(f"next: govbus connect check {next(iter(files))}; python -m pytest {list(files)[-1]}", err=True)


def _published(catalog: Catalog, subject: str | None) -> ContractVersion:
    found = subject or next(iter(catalog.contracts), None)
    if found is None:
        raise ContractError("Expected an event in the catalogue - `govbus new event SUBJECT` makes one")
    return catalog.contract(found).version()


def _example(root: Path, version: ContractVersion) -> dict[str, Any]:
    contract = version.contract
    folder = f"agencies/{contract.agency}/{contract.event}/examples/v{version.major}/valid"
    for name in names_in(root, folder) if (root / folder).is_dir() else ():
        value = read_json(root, f"{folder}/{name}").value
        if isinstance(value, dict) and version.is_valid(value):
            return value
    raise ContractError(f"Expected an example in `{folder}`, got none that keeps the contract - add one")


COMMANDS: Final = (agency, connector, country, event, publisher, service, subscriber, subscription, version)


@click.group(commands=COMMANDS)
def new() -> None:
    """Create a country, or a part of one: documents, programs and their tests. Nothing is overwritten."""
