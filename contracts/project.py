"""Where the catalogue is: the one that is named, else the project around the working directory.

`--catalog` wins, then `GOVBUS_CATALOG`. Without either it is the project's: the closest folder at or above
the working directory that has `govbus.toml` or `agencies/`. `catalog` in `govbus.toml` names another folder,
from there. The catalogue that comes with govbus is used where its name is given, `reference`.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

from contracts.errors import NoCatalogError, ProjectError

REFERENCE: Final = "reference"
"""The name of the catalogue that comes with govbus; a folder of that name is given by its full path."""
REFERENCE_FOLDER: Final = Path(__file__).parent
PROJECT_FILE: Final = "govbus.toml"
VARIABLE: Final = "GOVBUS_CATALOG"


def catalog_folder(named: str | Path | None = None) -> Path:
    """Return the folder of the catalogue to use.

    Args:
        named: What was given by name: a folder, or `reference`.

    Raises:
        NoCatalogError: None is named, and there is no project.
        ProjectError: `govbus.toml` cannot be read.
    """
    if given := str(named or os.environ.get(VARIABLE) or ""):
        return REFERENCE_FOLDER if given == REFERENCE else Path(given)
    folder = _closest()
    if folder is None:
        raise NoCatalogError
    if not (folder / PROJECT_FILE).is_file():
        return folder
    entry = read_project_file(folder / PROJECT_FILE).get("catalog", ".")
    if not isinstance(entry, str):
        raise ProjectError(f"Expected the path of a folder, got none - at `catalog` of {PROJECT_FILE}")
    return REFERENCE_FOLDER if entry == REFERENCE else folder / entry


def shown_folder(folder: Path) -> str:
    """Return how a catalogue's folder is told: from the working directory if it is below that."""
    if folder == REFERENCE_FOLDER:
        return f"{folder} (the reference catalogue of govbus)"
    whole = folder.resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here := Path.cwd()) else str(whole)


def read_project_file(file: Path) -> dict[str, Any]:
    """Return what a `govbus.toml` says.

    Raises:
        ProjectError: It is no TOML, or cannot be read; no value of it is told.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        place = str(error).rpartition("(")[2].rstrip(")")
        raise ProjectError(f"Expected TOML, got something else - {file}, {place}") from None
    except (OSError, ValueError) as error:
        why = type(error).__name__
        raise ProjectError(f"Expected a text file that can be read, got none ({why}) - {file}") from None


def _closest() -> Path | None:
    try:
        here = Path.cwd()
    except OSError:  # the working directory was removed
        return None
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file() or (folder / "agencies").is_dir():
            return folder
    return None
