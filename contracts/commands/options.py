"""Shared by the commands: options, error messages and exit codes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec

import click
from click.exceptions import NoSuchCommand

from contracts.errors import CatalogError, ContractError, DocumentError
from contracts.finding import Finding
from contracts.lint.reports import Format, within, write
from contracts.terminal import say, say_document, say_json

FINDINGS: Final = 100
"""The exit code of a command that succeeded but has findings."""

P = ParamSpec("P")


class LazyGroup(click.Group):
    """A group whose commands load only when they run; a name that is none of them is told with a near one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a line.

        Raises:
            NoSuchCommand: There is none; the message says which is meant.
        """
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:  # click itself knows only commands that are loaded
            known = self.list_commands(ctx)
            raise NoSuchCommand(error.command_name, possibilities=known, ctx=ctx) from None


def failing_plainly(command: Callable[P, None]) -> Callable[P, None]:
    """Print an error as one line on stderr, and exit with 100 for faults of the catalogue, otherwise 1."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (CatalogError, DocumentError) as error:
            say(f"error: {error}", err=True)
            raise click.exceptions.Exit(FINDINGS) from None
        except (ContractError, OSError) as error:
            say(f"error: {error}", err=True)
            raise click.exceptions.Exit(1) from None

    return run


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def limit_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--limit-to PATH`, which can be repeated. The command gets `limit_to`."""
    return click.option(
        "--limit-to",
        multiple=True,
        type=click.Path(path_type=Path),
        help="Report only findings at or below this path; can be repeated.",
    )(command)


def conclude(findings: Sequence[Finding], form: Format, root: Path, limit_to: Sequence[Path] = ()) -> None:
    """Print the report, and exit with `FINDINGS` if a finding is an error."""
    reported = within(findings, limit_to, root)
    if report := write(reported, form, root):
        say_document(report)
    if any(finding.severity == "error" for finding in reported):
        raise click.exceptions.Exit(FINDINGS)


def echo_json(value: Any) -> None:
    """Print a value as indented JSON."""
    say_json(value, indent=2)
