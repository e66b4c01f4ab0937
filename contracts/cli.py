"""`govbus contracts`: its commands by name; each loads when it is asked for, with the libraries it needs.

Exit codes: 0 clean, 100 findings, 1 the tool failed, 2 wrong usage.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

COMMANDS: Final = {
    "apply": ("plan:apply", "Make the cluster what the repo says."),
    "breaking": ("breaking:breaking", "Check a change of a catalogue: what it breaks, and whom."),
    "compare": ("compare:compare", "Compare pairs of schemas, for other programs."),
    "docs": ("docs:docs", "Write a catalogue as a website."),
    "coverage": ("coverage:coverage", "Hold a catalogue against the national plan of services."),
    "export": ("export:export", "Write a catalogue as AsyncAPI, ODCS or CloudEvents types."),
    "diff": ("diff:diff", "Show what has changed, field by field."),
    "impact": ("impact:impact", "Show what a change means to each reader."),
    "fmt": ("fmt:fmt", "Give the documents of a catalogue their one form."),
    "lint": ("lint:lint", "Check a catalogue."),
    "list": ("show:list_contracts", "List every contract and service of the catalogue."),
    "new": ("new:new", "Draft an agency, an event or its next version."),
    "plan": ("plan:plan", "Show what `apply` would change in the cluster."),
    "prove": ("prove:prove", "Try each conversion between versions on much made-up data."),
    "ls-rules": ("ls_rules:ls_rules", "List every rule."),
    "serve": ("serve:serve", "Serve a catalogue to clients of Confluent's Schema Registry."),
    "show": ("show:show", "Show one contract."),
    "verify": ("plan:verify", "Compare the cluster with the repo."),
}
"""Name to the function under `contracts.commands`, and what it does."""


class Commands(click.Group):
    """The commands of the table above."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of all commands, in order."""
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
        """Write each command with its line, without loading it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in sorted(COMMANDS.items())])


@click.group(cls=Commands)
def contracts() -> None:
    """What may be said: agencies, contracts, services."""
