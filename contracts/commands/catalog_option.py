"""`--catalog`, and names in the catalogue: every command finds them the same way.

The catalogue that a command's line does not name is named on stderr, or in the log if the command runs until
it is stopped. A shell completes names from the folders of the catalogue, without reading its documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.shell_completion import CompletionItem

from contracts.errors import ContractError
from contracts.logs import visible_logger
from contracts.project import VARIABLE, catalog_folder, shown_folder
from contracts.terminal import say

logger = visible_logger("govbus.catalogue")

Command = TypeVar("Command", bound=Callable[..., Any])

_CATALOG: Final = partial(
    click.option,
    "--catalog",
    metavar="FOLDER",
    help=f"Folder of the catalogue, or `reference`; by default {VARIABLE}, else the project you are in.",
)


def catalog_option(command: Command) -> Command:
    """Add `--catalog FOLDER`; the command gets the folder as `root`, and names it on stderr."""
    return _option(command, lambda line: say(line, err=True))


def logged_catalog_option(command: Command) -> Command:
    """Add `--catalog FOLDER` to a command that runs until it is stopped; it is named in the log."""
    return _option(command, logger.info)


def unopened_catalog_option(command: Command) -> Command:
    """Add `--catalog FOLDER`; the command gets what was given as `catalog`, and finds the folder itself."""
    return _CATALOG("catalog")(command)


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


class CatalogName(click.ParamType[str]):
    """The name of a part of the catalogue, which a shell completes.

    Args:
        name: What is named, in the help of a command.
        listed: Yields all such names of the catalogue in a folder.
    """

    def __init__(self, name: str, listed: Callable[[Path], Iterable[str]]) -> None:
        self.name = name
        self._listed = listed

    def shell_complete(
        self, context: click.Context, _parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names of the catalogue that begin so."""
        names = sorted(self._listed(_folder(context)))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _events(root: Path) -> Iterator[str]:
    return (f"{file.parts[-3]}.{file.parts[-2]}" for file in root.glob("agencies/*/*/contract.yaml"))


def _agencies(root: Path) -> Iterator[str]:
    return (file.parent.name for file in root.glob("agencies/*/agency.yaml"))


EVENT_NAME: Final = CatalogName("event", _events)
"""An argument that is `<agency>.<event>`."""
AGENCY_NAME: Final = CatalogName("agency", _agencies)
"""An argument that is an agency."""


def _folder(context: click.Context) -> Path:
    """The folder of a line that is not complete; one without documents if there is none."""
    if isinstance(root := context.params.get("root"), Path):
        return root
    try:
        return catalog_folder()
    except ContractError:
        return Path()


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

    return _CATALOG("root", callback=found)(command)
