"""`govbus connect`: run, check and list connectors.

Exit codes: 0 clean, 100 findings, 1 the tool failed, 2 wrong usage.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from bus import BusError
from connectors.configuration.config import ConnectorConfig
from connectors.configuration.config_reader import load
from connectors.configuration.contract_check import check_contracts, check_sunsets
from connectors.configuration.registry import connectors_available
from connectors.errors import ConfigurationError
from connectors.reachability import check_reachability
from contracts import (
    FINDINGS,
    Catalog,
    ContractError,
    Finding,
    catalog_option,
    collect_rarely,
    logged_catalog_option,
    say,
    say_json,
    visible_console,
)

FAILED = 1


def _files_argument(command: Callable[..., None]) -> Callable[..., None]:
    return click.argument(
        "files",
        metavar="FILE...",
        nargs=-1,
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
    )(command)


@click.group()
def connect() -> None:
    """Publish records of legacy systems as events, and write events to legacy systems."""


@connect.command()
@_files_argument
@logged_catalog_option
def run(files: Sequence[Path], root: Path) -> None:
    """Run the connectors of FILE... in one process until SIGTERM."""
    from connectors.runner import Runner  # noqa: PLC0415 - loads the Kafka client

    contracts = _opened(root)
    configs, findings = load(files)
    findings = sorted([*findings, *check_contracts(configs, contracts)])
    for finding in findings:
        say(str(finding), err=True)
    if findings:
        raise click.exceptions.Exit(FINDINGS)
    runner = Runner(configs, catalog=contracts)
    collect_rarely(keep_loaded=True)
    try:
        asyncio.run(runner.run())
    except BusError as error:
        raise click.ClickException(str(error)) from None
    for health in runner.health():
        counts = ", ".join(f"{count} {what}" for what, count in sorted(health.counts.items()) if count)
        say(f"{health.kind} {health.agency}/{health.name} {health.state}: {counts or 'nothing to do'}")
    if any(health.needs_a_person for health in runner.health()):
        raise click.exceptions.Exit(FAILED)


@connect.command()
@_files_argument
@catalog_option
@click.option("--offline", is_flag=True, help="Do not reach the systems; no variable need be set.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
def check(files: Sequence[Path], root: Path, offline: bool, as_json: bool) -> None:
    """Check the connectors of FILE... without running them.

    Checks the form of the files, the contracts they name, whether the version ends soon, and whether their
    systems can be reached.
    """
    contracts = _opened(root)
    configs, findings = load(files, offline=True)
    findings += check_contracts(configs, contracts)
    findings += check_sunsets(configs, contracts, datetime.now(UTC).date())
    if not offline:
        configs, found = load(files)
        findings += [finding for finding in found if finding not in findings]
        findings += asyncio.run(check_reachability(configs))
    _show(configs, sorted(findings), as_json)
    if findings:
        raise click.exceptions.Exit(FINDINGS)


@connect.command("list")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")
def list_connectors(as_json: bool) -> None:
    """List the installed connectors and what each promises."""
    try:
        available = connectors_available()
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from None
    rows = [(kind.name, kind.kind, kind.description, kind.guarantee) for kind in available]
    if as_json:
        names = ("name", "kind", "description", "guarantee")
        _echo_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    table = Table("connector", "kind", "what it is", "what it promises")
    for row in rows:
        table.add_row(*row)
    visible_console().print(table)


def _opened(root: Path) -> Catalog:
    try:
        return Catalog.open(root)
    except ContractError as error:
        raise click.ClickException(str(error)) from None


def _show(configs: Sequence[ConnectorConfig], findings: Sequence[Finding], as_json: bool) -> None:
    if as_json:
        _echo_json([finding.as_json() for finding in findings])
        return
    for finding in findings:
        say(str(finding))
    say(f"connectors checked: {len(configs)}, findings: {len(findings)}", err=True)


def _echo_json(value: Any) -> None:
    say_json(value, indent=2)
