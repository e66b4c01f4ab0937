"""Where the catalogue is: the one that is named, else the project around the working directory.

`--catalog` wins, then `GOVBUS_CATALOG`. Without either it is the project's: the closest folder at or above
the working directory that has `govbus.toml` or `agencies/`. `catalog` in `govbus.toml` names another folder,
from there. The catalogue that comes with govbus is used where its name is given, `reference`.

`govbus.toml` may hold other settings, and sets of them below `[profiles.NAME]`, of which `GOVBUS_PROFILE`
chooses one. Variables may stand in the file that `GOVBUS_ENV_FILE` names, else in `.env` of the project's
folder; those of the process win.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values

from contracts.errors import NoCatalogError, ProjectError

REFERENCE: Final = "reference"
"""The name of the catalogue that comes with govbus; a folder of that name is given by its full path."""
REFERENCE_FOLDER: Final = Path(__file__).parent
PROJECT_FILE: Final = "govbus.toml"
VARIABLE: Final = "GOVBUS_CATALOG"
PROFILE: Final = "GOVBUS_PROFILE"
ENV_FILE: Final = "GOVBUS_ENV_FILE"


def catalog_folder(named: str | Path | None = None) -> Path:
    """Return the folder of the catalogue to use.

    Args:
        named: What was given by name: a folder, or `reference`.

    Raises:
        NoCatalogError: None is named, and there is no project.
        ProjectError: `govbus.toml` cannot be read.
    """
    if given := str(named or variables().get(VARIABLE) or ""):
        return REFERENCE_FOLDER if given == REFERENCE else Path(given)
    folder = _closest()
    if folder is None:
        raise NoCatalogError
    if not (folder / PROJECT_FILE).is_file():
        return folder
    entry = next((layer.values["catalog"] for layer in project_layers() if "catalog" in layer.values), ".")
    if not isinstance(entry, str):
        raise ProjectError(f"Expected the path of a folder, got none - at `catalog` of {PROJECT_FILE}")
    return REFERENCE_FOLDER if entry == REFERENCE else folder / entry


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings of one origin, by name in lower case.

    Attributes:
        origin: Where they stand, such as `govbus.toml, profile production`.
        values: What they say.
        folder: The folder that relative paths start from.
    """

    origin: str
    values: Mapping[str, Any]
    folder: Path


def project_layers() -> list[Layer]:
    """Return what the closest `govbus.toml` says: the chosen profile, then what holds for all.

    Raises:
        ProjectError: It cannot be read, or has no such profile.
    """
    folder = _closest(only_files=True)
    if folder is None:
        return []
    common = read_project_file(folder / PROJECT_FILE)
    profiles = common.pop("profiles", {})
    layers = [Layer(str(folder / PROJECT_FILE), common, folder)]
    if chosen := variables().get(PROFILE):
        if not isinstance(profiles, dict) or not isinstance(profiles.get(chosen), dict):
            known = ", ".join(profiles) or "none"
            raise ProjectError(
                f"Expected a profile of {folder / PROJECT_FILE} (it has {known}), got another - at {PROFILE}"
            )
        origin = f"{folder / PROJECT_FILE}, profile {chosen}"
        layers.insert(0, Layer(origin, profiles[chosen], folder))
    return layers


def env_file() -> Path | None:
    """Return the file of variables: the one that is named, else `.env` of the project, if there is one.

    Raises:
        ProjectError: The one that is named is not there.
    """
    if named := os.environ.get(ENV_FILE):
        if not Path(named).is_file():
            raise ProjectError(f"Expected a file of variables, got none - at {ENV_FILE}")
        return Path(named)
    folder = _closest()
    found = None if folder is None else folder / ".env"
    return found if found is not None and found.is_file() else None


def env_file_variables() -> dict[str, str]:
    """Return the `GOVBUS_*` variables that stand in the file of variables.

    Raises:
        ProjectError: The file that is named is not there, or cannot be read.
    """
    file = env_file()
    if file is None:
        return {}
    try:
        found = dotenv_values(file, interpolate=False, encoding="utf-8")
    except (OSError, ValueError) as error:
        why = type(error).__name__
        raise ProjectError(f"Expected a text file that can be read, got none ({why}) - {file}") from None
    return {name: value for name, value in found.items() if name.startswith("GOVBUS_") and value}


def variables() -> Mapping[str, str]:
    """Return the variables of this process over those that stand in a file.

    Raises:
        ProjectError: As `env_file_variables`.
    """
    return {**env_file_variables(), **{name: value for name, value in os.environ.items() if value}}


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


def _closest(*, only_files: bool = False) -> Path | None:
    try:
        here = Path.cwd()
    except OSError:  # the working directory was removed
        return None
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file() or (not only_files and (folder / "agencies").is_dir()):
            return folder
    return None
