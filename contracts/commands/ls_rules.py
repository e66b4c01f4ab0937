"""`govbus contracts ls-rules`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from contracts.commands.options import echo_json
from contracts.commands.tables import print_blocks, table
from contracts.compatibility import kinds as compatibility
from contracts.lint.lint import CATEGORIES, RULES
from contracts.lint.rules import breaking

_WIDTH = 200


@click.command("ls-rules")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Output format.")
def ls_rules(form: str) -> None:
    """List all rules: name, categories, whether on by default, and purpose."""
    rows = list(_rows())
    if form == "json":
        echo_json(rows)
        return
    shown = table("ID", "CATEGORIES", "DEFAULT", "PURPOSE")
    for column in shown.columns[:-1]:
        column.no_wrap = True
    for row in rows:
        default = "*" if row["default"] else ""
        shown.add_row(row["id"], ", ".join(row["categories"]), default, row["purpose"])
    print_blocks(shown)


def _rows() -> Iterator[dict[str, Any]]:
    for rule in RULES:
        categories = CATEGORIES[CATEGORIES.index(rule.category) :]
        yield {"id": rule.code, "categories": list(categories), "default": True, "purpose": rule.purpose}
    for rule in (*breaking.RULES, *compatibility.RULES):
        yield {"id": rule.code, "categories": ["BREAKING"], "default": True, "purpose": rule.purpose}
