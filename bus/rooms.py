"""A check that all four rooms load from one parent folder; otherwise the command does not start.

Their import names are plain words that other distributions use too (PyContracts owns `contracts`), so a
shared environment or a stray folder may replace a room by another package.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

ROOMS = ("bus", "connectors", "contracts", "observability")


def room_files() -> dict[str, str | None]:
    """Return the file that each room would load from, without loading it; None where it has no file."""
    specs = {room: find_spec(room) for room in ROOMS}
    return {room: spec.origin if spec is not None else None for room, spec in specs.items()}


def stranger(files: Mapping[str, str | None]) -> str | None:
    """Return a sentence about a room that does not belong to govbus, or None if all four do.

    Args:
        files: The file of each room, its `__init__.py`.
    """
    home = files["bus"]
    for room, file in files.items():
        if file is None:
            return f"the package `{room}` has no file of its own - {_MEND}"
        if home is not None and Path(file).parent.parent != Path(home).parent.parent:
            return f"the package `{room}` loads from {file}, but `bus` from {home} - {_MEND}"
    return None


_MEND = "install govbus alone in its environment, and start it outside folders named like its packages"
