"""`govbus contracts models`: typed models of an event's data, for a program."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.catalog import Catalog
from contracts.commands.catalog_option import EVENT_NAME, catalog_option
from contracts.commands.options import failing_plainly
from contracts.commands.show import version_of
from contracts.contract import ContractVersion, SubscriptionGrant
from contracts.lint.soundness import open_sound
from contracts.publish.exports.models import model_schema, python_models, typescript_models
from contracts.terminal import say_document

_COMMENT = {"python": "#", "typescript": "//"}


@click.command()
@click.argument("subject", metavar="EVENT", type=EVENT_NAME)
@click.option(
    "--subscription",
    metavar="AGENCY",
    help="Only the fields that are granted to this agency; AGENCY.NAME where it has several subscriptions.",
)
@click.option("--language", type=click.Choice(["python", "typescript"]), default="python", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File; by default stdout.")
@catalog_option
@failing_plainly
def models(subject: str, subscription: str | None, language: str, output: Path | None, root: Path) -> None:
    """Write typed models of an event's data: pydantic models, or TypeScript interfaces.

    EVENT is `<agency>.<event>`, optionally followed by `.v<major>`; with `--subscription` it is the version
    that this agency reads. For Python install the extra `models`, for TypeScript the npm package
    `json-schema-to-typescript`.
    """
    opened = open_sound(root)
    version = version_of(opened, subject)
    grant = None if subscription is None else _grant(opened, version, subscription)
    version = version if grant is None else opened.by_type(grant.topic)
    fields = ("$",) if grant is None else grant.fields
    of = "" if grant is None else f", as granted to {grant.consumer} for {grant.purpose}"
    lines = (f"{version.contract.subject} {version.number}{of}.", "Made by `govbus contracts models`.")
    head = "\n".join(f"{_COMMENT[language]} {line}" for line in lines)
    write = python_models if language == "python" else typescript_models
    text = write(model_schema(version, fields), head)
    if output is None:
        say_document(text, newline=False)
    else:
        output.write_text(text, encoding="utf-8")


def _grant(catalog: Catalog, version: ContractVersion, named: str) -> SubscriptionGrant:
    """The subscription that an agency, or `agency.name`, has to an event."""
    agency, _, name = named.partition(".")
    subject = version.contract.subject
    of_event = [each for _, each in sorted(catalog.subscriptions.items()) if each.subject == subject]
    found = [each for each in of_event if each.consumer == agency and name in ("", each.name)]
    if len(found) == 1:
        return found[0]
    among = found or of_event
    known = ", ".join(f"`{each.consumer}.{each.name}`" for each in among) or "none"
    raise click.UsageError(
        f"Expected one subscription to {subject}, `{named[:100]}` names {len(found)}; there are {known} - at "
        "--subscription"
    )
