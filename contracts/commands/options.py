"""What the commands share: the catalogue they read, how they fail, and their exit codes."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec

import click

from contracts.errors import CatalogError, ContractError, DocumentError
from contracts.finding import Finding
from contracts.lint.reports import Format, within, write

FINDINGS: Final = 100
"""The exit code of a command that ran and found something wrong."""
REFERENCE_CATALOG: Final = Path(__file__).parent.parent
"""The catalogue that comes with govbus."""

P = ParamSpec("P")
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


def failing_plainly(command: Callable[P, None]) -> Callable[P, None]:
    """Make a fault one line on stderr, with the exit code for findings where it is the catalogue's."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (CatalogError, DocumentError) as error:
            click.echo(f"error: {error}", err=True)
            raise click.exceptions.Exit(FINDINGS) from None
        except (ContractError, OSError) as error:
            click.echo(f"error: {error}", err=True)
            raise click.exceptions.Exit(1) from None

    return run


def catalog_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--catalog FOLDER`, which may come from `GOVBUS_CATALOG`."""
    return click.option(
        "--catalog",
        type=_FOLDER,
        envvar="GOVBUS_CATALOG",
        help="Folder of the catalogue; by default the reference catalogue that comes with govbus.",
    )(command)


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON instead of text.")(command)


def limit_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--limit-to PATH`, which may be given several times. The command gets `limit_to`."""
    return click.option(
        "--limit-to",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Tell only findings at or below this path; may be given several times.",
    )(command)


def conclude(findings: Sequence[Finding], form: Format, root: Path, limit_to: Sequence[Path] = ()) -> None:
    """Write the report on the findings, and exit with `FINDINGS` if one is an error."""
    told = within(findings, limit_to, root)
    if report := write(told, form, root):
        click.echo(report)
    if any(finding.severity == "error" for finding in told):
        raise click.exceptions.Exit(FINDINGS)


def echo_json(value: Any) -> None:
    """Write a value as indented JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))
