"""Where the catalogue is: the one that is named, else the project around the working directory.

`--catalog` wins, then `GOVBUS_CATALOG`. Without either it is the project's: the closest folder at or above
the working directory that has `agencies/` or a project file. `catalog` in that file names another folder,
from there. The catalogue that comes with govbus is used where its name is given, `reference`.

A project file is `govbus.toml`, or a `pyproject.toml` with `[tool.govbus]`, of which the first wins in one
folder. It may hold other settings, and sets of them below `[profiles.NAME]`, of which `GOVBUS_PROFILE`
chooses one. Variables may stand in the file that `GOVBUS_ENV_FILE` names, else in `.env` of the project's
folder; those of the process win.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from dotenv import dotenv_values

from contracts.environment import Environment
from contracts.errors import NoCatalogError, ProjectError

REFERENCE: Final = "reference"
"""The name of the catalogue that comes with govbus; a folder of that name is given by its full path."""
REFERENCE_FOLDER: Final = Path(__file__).parent
PROJECT_FILE: Final = "govbus.toml"
PYPROJECT: Final = "pyproject.toml"
VARIABLE: Final = "GOVBUS_CATALOG"
PROFILE: Final = "GOVBUS_PROFILE"
ENV_FILE: Final = "GOVBUS_ENV_FILE"


def catalog_folder(named: str | Path | None = None) -> Path:
    """Return the folder of the catalogue to use.

    Args:
        named: What was given by name: a folder, or `reference`.

    Raises:
        NoCatalogError: None is named, and there is no project.
        ProjectError: The project file cannot be read.
    """
    if given := str(named or variables().get(VARIABLE) or ""):
        return REFERENCE_FOLDER if given == REFERENCE else Path(given)
    project = _closest()
    if project is None:
        raise NoCatalogError
    layer = next((layer for layer in _layers(project) if "catalog" in layer.values), None)
    if layer is None:
        return project.folder
    entry = layer.values["catalog"]
    if not isinstance(entry, str):
        raise ProjectError(f"Expected the path of a folder, got none - at `catalog` of {layer.origin}")
    return REFERENCE_FOLDER if entry == REFERENCE else project.folder / entry


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
    """Return what the closest project file says: the chosen profile, then what holds for all.

    Raises:
        ProjectError: It cannot be read, or has no such profile.
    """
    project = _closest(only_files=True)
    return [] if project is None else _layers(project)


@dataclass(frozen=True, slots=True)
class _Project:
    folder: Path
    file: Path | None
    says: Mapping[str, Any]


def _layers(project: _Project) -> list[Layer]:
    if project.file is None:
        return []
    common = {name: value for name, value in project.says.items() if name != "profiles"}
    layers = [Layer(str(project.file), common, project.folder)]
    if chosen := variables().get(PROFILE):
        written = project.says.get("profiles")
        profiles = written if isinstance(written, dict) else {}
        if not isinstance(profiles.get(chosen), dict):
            known = ", ".join(profiles) or "none"
            raise ProjectError(
                f"Expected a profile of {project.file} (it has {known}), got another - at {PROFILE}"
            )
        layers.insert(0, Layer(f"{project.file}, profile {chosen}", profiles[chosen], project.folder))
    return layers


def env_file() -> Path | None:
    """Return the file of variables: the one that is named, else `.env` of the project, if there is one.

    Raises:
        ProjectError: The one that is named is not there, or the project file cannot be read.
    """
    if named := os.environ.get(ENV_FILE):
        if not Path(named).is_file():
            raise ProjectError(f"Expected a file of variables, got none - at {ENV_FILE}")
        return Path(named)
    project = _closest()
    found = None if project is None else project.folder / ".env"
    return found if found is not None and found.is_file() else None


def env_file_variables() -> dict[str, str]:
    """Return the `GOVBUS_*` variables that stand in the file of variables.

    Raises:
        ProjectError: As `env_file`, or the file of variables cannot be read.
    """
    file = env_file()
    if file is None:
        return {}
    try:
        found = dotenv_values(file, interpolate=False, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from None
    return {name: value for name, value in found.items() if name.startswith("GOVBUS_") and value}


def variables() -> Mapping[str, str]:
    """Return the variables of this process over those that stand in a file; each may have one of its own.

    Raises:
        ProjectError: As `env_file_variables`.
    """
    own = {name: value for name, value in os.environ.items() if value}
    return Environment({**env_file_variables(), **own})


def shown_folder(folder: Path) -> str:
    """Return how a catalogue's folder is told: from the working directory if it is below that."""
    if folder == REFERENCE_FOLDER:
        return f"{folder} (the reference catalogue of govbus)"
    whole = folder.resolve()
    return str(whole.relative_to(here)) if whole.is_relative_to(here := Path.cwd()) else str(whole)


def _closest(*, only_files: bool = False) -> _Project | None:
    try:
        here = Path.cwd()
    except OSError:  # the working directory was removed
        return None
    for folder in (here, *here.parents):
        if (project := _by_file(folder)) is not None:
            return project
        if not only_files and (folder / "agencies").is_dir():
            return _Project(folder, None, {})
    return None


def _by_file(folder: Path) -> _Project | None:
    if (file := folder / PROJECT_FILE).is_file():
        return _Project(folder, file, _toml(file, _read(file)))
    # Those of others are not refused: whatever is wrong with them, they do not speak of govbus.
    if not (file := folder / PYPROJECT).is_file() or b"govbus" not in (written := _read(file)):
        return None
    tool = _toml(file, written).get("tool")
    if not isinstance(tool, dict) or "govbus" not in tool:
        return None
    if not isinstance(tool["govbus"], dict):
        raise ProjectError(f"Expected a table, got another value - at `tool.govbus` of {file}")
    return _Project(folder, file, tool["govbus"])


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _unreadable(file, error) from None


@lru_cache(maxsize=8)  # one command asks several times
def _toml(file: Path, written: bytes) -> Mapping[str, Any]:
    try:
        return tomllib.loads(written.decode())
    except tomllib.TOMLDecodeError as error:
        place = str(error).rpartition("(")[2].rstrip(")")
        raise ProjectError(f"Expected TOML, got something else - {file}, {place}") from None
    except ValueError as error:
        raise _unreadable(file, error) from None


def _unreadable(file: Path, error: Exception) -> ProjectError:
    return ProjectError(f"Expected a text file that can be read, got none ({type(error).__name__}) - {file}")
