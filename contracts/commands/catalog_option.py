"""`--catalog`, and names in the catalogue: every command finds them the same way.

The catalogue that a command's line does not name is named on stderr, or in the log if the command runs until
it is stopped. A shell completes names from the folders of the catalogue, without reading its documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

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


class EventName(click.ParamType[str]):
    """The name of an event, `<agency>.<event>`, which a shell completes."""

    name = "event"

    def shell_complete(
        self, context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the events of the catalogue that begin so."""
        files = _folder(context).glob("agencies/*/*/contract.yaml")
        return _beginning(incomplete, (f"{file.parts[-3]}.{file.parts[-2]}" for file in files))


class AgencyName(click.ParamType[str]):
    """The name of an agency, which a shell completes."""

    name = "agency"

    def shell_complete(
        self, context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the agencies of the catalogue that begin so."""
        files = _folder(context).glob("agencies/*/agency.yaml")
        return _beginning(incomplete, (file.parent.name for file in files))


def _folder(context: click.Context) -> Path:
    """The folder of a line that is not complete; one without documents if there is none."""
    if isinstance(root := context.params.get("root"), Path):
        return root
    try:
        return catalog_folder()
    except ContractError:
        return Path()


def _beginning(start: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names) if name.startswith(start)]


def _option(command: Command, tell: Callable[[str], None]) -> Command:
    def found(context: click.Context, option: click.Parameter, given: str | None) -> Path:
        try:
            folder = catalog_folder(given)
        except ContractError as error:
            raise click.UsageError(str(error), context) from None
        if not folder.is_dir():
            raise click.BadParameter(f"there is no folder {shown_folder(folder)}", context, option)
        if given is None and not context.resilient_parsing:
            tell(f"catalogue: {shown_folder(folder)}")
        return folder

    return click.option(
        "--catalog",
        "root",
        metavar="FOLDER",
        callback=found,
        help=f"Folder of the catalogue, or `reference`; by default {VARIABLE}, else the project you are in.",
    )(command)
