"""`govbus contracts plan`, `apply` and `verify`: from catalogue to cluster.

Access to the cluster is an entry point in the group `govbus.contracts.cluster`: a class like `ClusterAdapter`
below, which the bus provides.
"""

from __future__ import annotations

import asyncio
import getpass
import socket
from datetime import UTC, date, datetime
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Protocol, get_args

import click

from contracts.catalog import Catalog
from contracts.cluster.drift_rules import drift
from contracts.cluster.plan import ALL, Kind, Plan, PlannedChange
from contracts.cluster.plan_text import line_of, render_plan, summary
from contracts.cluster.registry import entries_of
from contracts.commands.catalog_option import catalog_option
from contracts.commands.options import (
    FINDINGS,
    conclude,
    failing_plainly,
    json_option,
)
from contracts.documents.git import committed_at, contains, revision
from contracts.documents.loading import load
from contracts.errors import GitError
from contracts.lint.lint import HOLDING_UP, lint_loaded
from contracts.lint.reports import Format, format_option
from contracts.terminal import say, say_json

CLUSTER: Final = "govbus.contracts.cluster"


class ClusterAdapter(Protocol):
    """The class of the entry point; it takes a catalogue's folder and, by name, the catalogue and options."""

    async def plan(self, today: date) -> Plan:
        """Return the changes to make."""

    async def apply(self, today: date, author: Any, done: Any) -> Plan:
        """Make the changes; none if one is refused."""

    def author(self, name: str, commit: str) -> Any:
        """Return the author of the changes, for the audit topic."""


def _cluster(root: Path, **options: Any) -> ClusterAdapter:
    for point in entry_points(group=CLUSTER):
        found: ClusterAdapter = point.load()(root, **options)
        return found
    raise click.ClickException("no installed package provides access to a cluster - install all of govbus")


def _changes(_context: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for one in given:
        kind, colon, name = one.partition(":")
        if one != ALL and not (kind in get_args(Kind) and colon and name):
            raise click.BadParameter(
                f"Expected a change as `plan` names it, such as `topic:health.record-opened.v1`, or `{ALL}`, "
                f"got `{one}`"
            )
    return given


destroy_option = click.option(
    "--allow-destroy",
    multiple=True,
    metavar="KIND:NAME",
    callback=_changes,
    help="Allow a change that takes something from others, as `plan` names it: a removed topic or version, "
    "weaker settings. Repeat it for each; `*` in NAME stands for any text, `all` allows all.",
)


grow_option = click.option(
    "--grow",
    is_flag=True,
    help="Let publishers of events whose partitions grow wait until every subscriber has caught up.",
)


@click.command()
@catalog_option
@json_option
@destroy_option
@grow_option
@failing_plainly
def plan(root: Path, as_json: bool, allow_destroy: tuple[str, ...], grow: bool) -> None:
    """Show what `apply` would change in the cluster. Exits with 100 if a change is refused."""
    cluster = _cluster(
        root,
        **_sound(root),
        allow_destroy=allow_destroy,
        grow=grow,
        **_history(root),
    )
    found = asyncio.run(cluster.plan(_today()))
    _show(found, as_json=as_json)
    if found.refusals:
        raise click.exceptions.Exit(FINDINGS)


@click.command()
@catalog_option
@json_option
@destroy_option
@grow_option
@click.option(
    "--grow-seconds",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    help="How long each growth may take before it is given up.",
)
@click.option(
    "--by", envvar="GOVBUS_APPLIED_BY", help="Author for the audit topic; by default this user and machine."
)
@click.option("--commit", envvar="GOVBUS_COMMIT", help="Commit of the catalogue; by default git's HEAD.")
@failing_plainly
def apply(
    root: Path,
    *,
    as_json: bool,
    allow_destroy: tuple[str, ...],
    grow: bool,
    grow_seconds: float,
    by: str | None,
    commit: str | None,
) -> None:
    """Make the cluster match the catalogue.

    If a change is refused, none is made, and the exit code is 100. The command can be stopped at any time
    and run again.
    """
    cluster = _cluster(
        root,
        **_sound(root),
        allow_destroy=allow_destroy,
        grow=grow,
        grow_seconds=grow_seconds,
        **_history(root),
        tell=lambda line: say(f"waiting: {line}", err=True),
    )
    author = cluster.author(by or f"{getpass.getuser()}@{socket.gethostname()}", commit or _commit(root))
    made: list[PlannedChange] = []

    def done(change: PlannedChange) -> None:
        made.append(change)
        if not as_json:
            say(line_of(change))

    found = asyncio.run(cluster.apply(_today(), author, done))
    if found.refusals:
        _show(found, as_json=as_json)
        say("nothing was changed", err=True)
        raise click.exceptions.Exit(FINDINGS)
    if as_json:
        _show(found, as_json=True)
    else:
        say(f"Applied {len(made)} changes." if made else summary(found))


@click.command()
@catalog_option
@format_option
@failing_plainly
def verify(root: Path, form: Format) -> None:
    """Compare the cluster with the catalogue.

    Prints nothing when they match. Otherwise prints each difference, and exits with 100.
    """
    found = asyncio.run(_cluster(root, allow_destroy=(ALL,)).plan(_today()))
    for note in found.notes:
        say(f"note: {note}", err=True)
    conclude([drift(change) for change in (*found.changes, *found.left)], form, root)


def _sound(root: Path) -> dict[str, Any]:
    """Read a catalogue, once for all that needs it; stop on findings of lint that hold up `apply`."""
    loaded = load(root)
    errors = [finding for finding in lint_loaded(loaded) if finding.severity == "error"]
    if findings := [finding for finding in errors if finding.code in HOLDING_UP]:
        conclude(findings, "text", root)
    if errors:
        say(f"note: {len(errors)} findings of `lint` do not hold this up", err=True)
    return {"catalog": Catalog.of(loaded), "entries": lambda: entries_of(loaded)}


def _show(found: Plan, *, as_json: bool) -> None:
    if not as_json:
        say(*render_plan(found))
        return
    shown = {
        "changes": [change.as_json() for change in found.changes],
        "unchanged": found.unchanged,
        "left": [change.as_json() for change in found.left],
        "notes": list(found.notes),
    }
    say_json(shown, indent=2)


def _today() -> date:
    return datetime.now(UTC).date()


def _history(root: Path) -> dict[str, Any]:
    """When the commit in hand was made, and what it contains, as far as git knows; not what a shell says."""
    try:
        committed = committed_at(root, "HEAD")
    except GitError:
        return {}
    return {"committed": committed, "contains": lambda other: contains(root, "HEAD", other)}


def _commit(root: Path) -> str:
    try:
        return revision(root, "ref", "HEAD", "").commit
    except GitError:
        return ""
