"""Whether the four packages are those of govbus; otherwise its command does not start.

Their import names are plain words that other distributions use too (PyContracts owns `contracts`), so a
shared environment, or a folder beside an agency's program, may hide one of them. Law of this file: it needs
the standard library alone, and no other file, since any of them may be another's.
"""

from collections.abc import Mapping
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

ROOMS = ("bus", "connectors", "contracts", "observability")


def room_files() -> dict[str, str | None]:
    """Return the file that each room would load from, without loading it; None where it has no file."""
    specs = {room: find_spec(room) for room in ROOMS}
    return {room: spec.origin if spec is not None else None for room, spec in specs.items()}


HOME = Path(__file__).resolve().parent.parent
"""The folder that holds all four."""


def stranger(files: Mapping[str, str | None]) -> str | None:
    """Return a sentence about a room that does not belong to govbus, or None if all four do.

    Args:
        files: The file of each room, its `__init__.py`.
    """
    for room, file in files.items():
        if file is None:
            return f"the package `{room}` has no file of its own - {_MEND}"
        if Path(file).resolve().parent.parent != HOME:
            return f"the package `{room}` loads from {file}, but govbus from {HOME} - {_MEND}"
    return None


def hidden_in(folder: Path) -> str | None:
    """Return a sentence about a module of a folder that has the name of a room, or None.

    Args:
        folder: The folder of an agency's program.
    """
    if folder.resolve() == HOME:
        return None
    found = {room: PathFinder.find_spec(room, [str(folder)]) for room in ROOMS}
    files = {room: spec.origin for room, spec in found.items() if spec is not None and spec.origin}
    return stranger(files)


_MEND = "rename what has its name, beside your program too, and install govbus alone in its environment"
