"""`govbus contracts plan`, `apply` and `verify`: from repo to cluster.

They need a cluster, which this room does not know. Whoever does brings it through the entry-point group
`govbus.contracts.cluster`: a class like `ClusterAdapter` below. The bus does.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import socket
from datetime import UTC, date, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol

import click

from contracts.cluster.drift_rules import drift
from contracts.cluster.plan import Plan, PlannedChange
from contracts.cluster.plan_text import line_of, render_plan, summary
from contracts.commands.options import (
    FINDINGS,
    REFERENCE_CATALOG,
    catalog_option,
    conclude,
    failing_plainly,
    json_option,
)
from contracts.documents.git import revision
from contracts.errors import GitError
from contracts.lint.lint import lint
from contracts.lint.reports import Format, format_option
from contracts.lint.rules.subscriptions import EXPIRED

CLUSTER: Final = "govbus.contracts.cluster"


class ClusterAdapter(Protocol):
    """What an entry point of the group holds: it takes the catalogue's folder and `allow_destroy`."""

    async def plan(self, today: date) -> Plan:
        """Return what would change."""

    async def apply(self, today: date, author: Any, done: Any) -> Plan:
        """PlannedChange it; nothing while anything is refused."""

    def author(self, name: str, commit: str) -> Any:
        """Return who applies, for the audit topic."""


def _cluster(root: Path, *, allow_destroy: bool = False) -> ClusterAdapter:
    for point in entry_points(group=CLUSTER):
        found: ClusterAdapter = point.load()(root, allow_destroy=allow_destroy)
        return found
    raise click.ClickException("no installed package knows a cluster - install govbus as a whole")


destroy_option = click.option(
    "--allow-destroy",
    is_flag=True,
    help="Let topics and published versions go, and retention shrink. Events are lost.",
)


@click.command()
@catalog_option
@json_option
@destroy_option
@failing_plainly
def plan(catalog: Path | None, as_json: bool, allow_destroy: bool) -> None:
    """Show what `apply` would change in the cluster. Exit code 100 when something of it is refused."""
    root = catalog or REFERENCE_CATALOG
    _require_sound(root)
    found = asyncio.run(_cluster(root, allow_destroy=allow_destroy).plan(_today()))
    _show(found, as_json=as_json)
    if found.refusals:
        raise click.exceptions.Exit(FINDINGS)


@click.command()
@catalog_option
@json_option
@destroy_option
@click.option("--by", envvar="GOVBUS_APPLIED_BY", help="Who applies; by default this user and machine.")
@click.option("--commit", envvar="GOVBUS_COMMIT", help="Which commit of the repo; by default git's HEAD.")
@failing_plainly
def apply(
    catalog: Path | None, as_json: bool, allow_destroy: bool, by: str | None, commit: str | None
) -> None:
    """Make the cluster what the repo says.

    While a part of it is refused nothing is done, and the exit code is 100. It may be stopped at any moment
    and run again: it goes on from what the cluster is.
    """
    root = catalog or REFERENCE_CATALOG
    _require_sound(root)
    cluster = _cluster(root, allow_destroy=allow_destroy)
    author = cluster.author(by or f"{getpass.getuser()}@{socket.gethostname()}", commit or _commit(root))
    told: list[PlannedChange] = []

    def done(change: PlannedChange) -> None:
        told.append(change)
        if not as_json:
            click.echo(line_of(change))

    found = asyncio.run(cluster.apply(_today(), author, done))
    if found.refusals:
        _show(found, as_json=as_json)
        click.echo("nothing was done", err=True)
        raise click.exceptions.Exit(FINDINGS)
    if as_json:
        _show(found, as_json=True)
    else:
        click.echo(f"Applied {len(told)} changes." if told else summary(found))


@click.command()
@catalog_option
@format_option
@failing_plainly
def verify(catalog: Path | None, form: Format) -> None:
    """Compare the cluster with the repo. Silent when they agree; otherwise each drift, and exit code 100."""
    root = catalog or REFERENCE_CATALOG
    found = asyncio.run(_cluster(root, allow_destroy=True).plan(_today()))
    for note in found.notes:
        click.echo(f"note: {note}", err=True)
    conclude([drift(change) for change in found.changes], form, root)


def _require_sound(root: Path) -> None:
    """A repo that lint refuses never reaches the cluster; that a grant has expired is a reason to go on."""
    findings = [
        finding for finding in lint(root) if finding.severity == "error" and finding.code != EXPIRED.code
    ]
    if findings:
        conclude(findings, "text", root)


def _show(found: Plan, *, as_json: bool) -> None:
    if not as_json:
        click.echo(render_plan(found))
        return
    said = {
        "changes": [change.as_json() for change in found.changes],
        "unchanged": found.unchanged,
        "notes": list(found.notes),
    }
    click.echo(json.dumps(said, ensure_ascii=False, indent=2))


def _today() -> date:
    return datetime.now(UTC).date()


def _commit(root: Path) -> str:
    try:
        return revision(root, "ref", "HEAD", "").commit
    except GitError:
        return ""
