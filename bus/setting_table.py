"""`govbus config`: every setting with its meaning, its default, the value in force, and where that stands."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import click
from rich.table import Table

from bus.known_variables import OTHERS, PREFIX, unknown_variables
from bus.settings import SECRETS, Settings, chosen
from contracts import (
    ContractError,
    catalog_folder,
    env_file_variables,
    say,
    say_json,
    shown_folder,
    visible_console,
)

HIDDEN = "(set, hidden)"
SECRET_VARIABLES = ("DATABASE_PASSWORD", "DATABASE")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting.

    Attributes:
        name: its variable.
        meaning: what it is.
        default: what holds where it is not set.
        value: what is in force; a secret is never told.
        origin: where that stands; `default` where it is not set.
    """

    name: str
    meaning: str
    default: str
    value: str
    origin: str


def rows() -> Iterator[SettingRow]:
    """Yield every setting, with what is in force now.

    Raises:
        BusError, ContractError: one of them has a value that it cannot have, or cannot be read.
    """
    settings, given = Settings(), chosen(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default = "none" if field.default is None else str(field.default)
        value, origin = getattr(settings, name), given[name].origin if name in given else None
        shown = "none" if value is None else HIDDEN if name in SECRETS else str(value)
        if name == "catalog":
            default, (shown, origin) = "the project you are in", _catalog(origin)
        meaning = " ".join((field.description or "").split())
        yield SettingRow(PREFIX + name.upper(), meaning, default, shown, origin or "default")
    in_file = env_file_variables()
    for name, (meaning, default) in OTHERS.items():
        variable = PREFIX + name
        found = os.environ.get(variable)
        shown = default if not found else HIDDEN if name in SECRET_VARIABLES else found
        origin = "the file of variables" if found and found == in_file.get(variable) else variable
        yield SettingRow(variable, meaning, default, shown, origin if found else "default")


def _catalog(origin: str | None) -> tuple[str, str | None]:
    try:
        return shown_folder(catalog_folder()), origin or "the project"
    except ContractError:
        return "none", origin


def documented() -> str:
    """Return the table of the bus manual: names, meanings and defaults, as Markdown."""
    lines = ["| Name | Means | Default |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = "none" if field.default is None else str(field.default)
        default = "the project you are in" if name == "catalog" else default
        meaning = " ".join((field.description or "").split()).rstrip(".")
        lines.append(f"| `{name.upper()}` | {meaning} | {default} |")
    lines += [f"| `{name}` | {meaning} | {default} |" for name, (meaning, default) in OTHERS.items()]
    return "\n".join(lines) + "\n"


@click.command()
@click.option(
    "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text",
    help="Output format; `markdown` is the table of the manual.",
)  # fmt: skip
def config(form: Literal["text", "json", "markdown"]) -> None:
    """Show every setting: its meaning, default, value in force, and where that stands."""
    if form == "markdown":
        say(*documented().rstrip("\n").split("\n"), longest=None)
        return
    found, unknown = list(rows()), unknown_variables([*os.environ, *env_file_variables()])
    if form == "json":
        say_json({"settings": [_as_json(row) for row in found], "unknown": sorted(unknown)}, 2)
    else:
        _print(found)
    for name, near in unknown.items():
        say(f"{name} is no setting of govbus{near}", err=True)


def _as_json(row: SettingRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("name", "meaning", "default", "value", "origin")}


def _print(found: list[SettingRow]) -> None:
    table = Table("SETTING", "VALUE", "FROM", "DEFAULT", "MEANS", box=None, pad_edge=False)
    for row in found:
        table.add_row(row.name, row.value, row.origin, row.default, row.meaning)
    visible_console().print(table)
