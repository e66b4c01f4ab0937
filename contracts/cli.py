"""`govbus contracts`: its commands by name; each is imported with its libraries only when it runs.

Exit codes: 0 clean, 100 findings, 1 the tool failed, 2 wrong usage.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

from contracts.commands.options import LazyGroup
from contracts.processes import collect_rarely

COMMANDS: Final = {
    "apply": ("plan:apply", "Make the cluster match the catalogue."),
    "breaking": ("breaking:breaking", "Find breaking changes of a catalogue."),
    "compare": ("compare:compare", "Compare pairs of schemas, for use by other programs."),
    "docs": ("docs:docs", "Write a catalogue as a website."),
    "coverage": ("coverage:coverage", "Compare the services with the national plan."),
    "export": ("export:export", "Export a catalogue as AsyncAPI, ODCS or CloudEvents types."),
    "diff": ("diff:diff", "Show changes of a catalogue, field by field."),
    "impact": ("impact:impact", "Show how a change affects each reader."),
    "fmt": ("fmt:fmt", "Format the documents of a catalogue."),
    "lint": ("lint:lint", "Check a catalogue."),
    "list": ("show:list_contracts", "List all contracts and services of a catalogue."),
    "models": ("models:models", "Write typed models of an event: Python or TypeScript."),
    "plan": ("plan:plan", "Show what `apply` would change in the cluster."),
    "prove": ("prove:prove", "Test conversions between versions with generated events."),
    "ls-rules": ("ls_rules:ls_rules", "List all rules."),
    "serve": ("serve:serve", "Serve a catalogue to Schema Registry clients (Confluent)."),
    "show": ("show:show", "Show one contract."),
    "verify": ("plan:verify", "Compare the cluster with the catalogue."),
}
"""By name, the function in `contracts.commands`, and what it does."""


class Commands(LazyGroup):
    """The group of all commands in the table above."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, _context: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(f"contracts.commands.{module}"), function)
        assert isinstance(command, click.Command)  # noqa: S101 - the table is ours
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summary of each command, without importing it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in sorted(COMMANDS.items())])


@click.group(cls=Commands)
def contracts() -> None:
    """Work with a catalogue of agencies, contracts and services."""
    collect_rarely()
