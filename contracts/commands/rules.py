"""`govbus contracts ls-rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.commands.options import echo_json
from contracts.compatibility import kinds as compatibility
from contracts.lint.lint import CATEGORIES, RULES
from contracts.lint.rules import breaking

_WIDE = 200


@click.command("ls-rules")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", help="How it is written."
)
def ls_rules(form: str) -> None:
    """List every rule: its name, the categories that ask it, whether it is asked by default, and why."""
    rows = list(_rows())
    if form == "json":
        echo_json(rows)
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in ("ID", "CATEGORIES", "DEFAULT", "PURPOSE"):
        table.add_column(column, overflow="fold", no_wrap=column != "PURPOSE")
    for row in rows:
        categories = ", ".join(row["categories"])
        default = "*" if row["default"] else ""
        table.add_row(Text(row["id"]), Text(categories), Text(default), Text(row["purpose"]))
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=_WIDE)).print(table)


def _rows() -> Iterator[dict[str, Any]]:
    for rule in RULES:
        categories = CATEGORIES[CATEGORIES.index(rule.category) :]
        yield {"id": rule.code, "categories": list(categories), "default": True, "purpose": rule.purpose}
    for rule in (*breaking.RULES, *compatibility.RULES):
        yield {"id": rule.code, "categories": ["BREAKING"], "default": True, "purpose": rule.purpose}
