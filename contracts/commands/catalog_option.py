"""`--catalog`: every command finds its catalogue the same way, and names the one that its line does not name.

It does so on stderr, or in the log if it runs until it is stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from contracts.errors import ContractError
from contracts.logs import visible_logger
from contracts.project import VARIABLE, catalog_folder, shown_folder
from contracts.terminal import say

logger = visible_logger("govbus.catalogue")

Command = TypeVar("Command", bound=Callable[..., Any])


def catalog_option(command: Command) -> Command:
    """Add `--catalog FOLDER`; the command gets the folder as `root`, and names it on stderr."""
    return _option(command, lambda line: say(line, err=True))


def logged_catalog_option(command: Command) -> Command:
    """Add `--catalog FOLDER` to a command that runs until it is stopped; it is named in the log."""
    return _option(command, logger.info)


def said_catalog(named: str | None = None) -> Path:
    """Return the folder of a command's catalogue; name it on stderr if its line does not.

    Args:
        named: What was given by name: a folder, or `reference`.

    Raises:
        NoCatalogError: None is named, and there is no project.
        ProjectError: The project file cannot be read.
    """
    folder = catalog_folder(named)
    if named is None:
        say(f"catalogue: {shown_folder(folder)}", err=True)
    return folder


def _option(command: Command, tell: Callable[[str], None]) -> Command:
    def found(context: click.Context, option: click.Parameter, given: str | None) -> Path:
        try:
            folder = catalog_folder(given)
        except ContractError as error:
            raise click.UsageError(str(error), context) from None
        if not folder.is_dir():
            raise click.BadParameter(f"there is no folder {shown_folder(folder)}", context, option)
        if given is None:
            tell(f"catalogue: {shown_folder(folder)}")
        return folder

    return click.option(
        "--catalog",
        "root",
        metavar="FOLDER",
        callback=found,
        help=f"Folder of the catalogue, or `reference`; by default {VARIABLE}, else the project you are in.",
    )(command)
