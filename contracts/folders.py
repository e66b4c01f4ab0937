"""What lies in a folder of a catalogue, within limits: never outside the catalogue, never without end."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import Final

from contracts.errors import DocumentError
from contracts.finding import Place
from contracts.rules import document as rules

MAX_ENTRIES: Final = 10_000


def is_inside(real: Path, root: Path) -> bool:
    """Whether a path without links lies in the catalogue at `root`, which may be reached by links."""
    # What begins a path without links has none itself, so most roots need not be resolved for each file.
    return real.is_relative_to(root) or real.is_relative_to(root.resolve())


def names_in(root: Path, folder: str) -> list[str]:
    """The names in a folder of the catalogue at `root`, sorted, without hidden ones; none when it is absent.

    Raises:
        DocumentError: It lies outside the catalogue, cannot be read, or holds too much.
    """
    path = root / folder
    try:
        if not path.is_dir():
            return []
        if not is_inside(path.resolve(), root):
            raise DocumentError(rules.OUTSIDE.at(Place(folder), "lies outside the catalogue"))
        with os.scandir(path) as entries:
            names = [entry.name for entry in islice(entries, MAX_ENTRIES + 1)]
    except (OSError, RuntimeError, ValueError):
        what = "is a folder that cannot be read"
        raise DocumentError(rules.MISSING.at(Place(folder), what)) from None
    if len(names) > MAX_ENTRIES:
        what = f"a folder of more than {MAX_ENTRIES:,} entries"
        raise DocumentError(rules.TOO_LARGE.at(Place(folder), what))
    return sorted(name for name in names if not name.startswith((".", "_")))


def files_below(root: Path) -> list[str]:
    """Every JSON and YAML document of a catalogue, sorted; links are not followed.

    Raises:
        DocumentError: A folder cannot be read, or holds too much.
    """
    found: list[str] = [name for name in names_in(root, ".") if name.endswith((".yaml", ".yml"))]
    rest = ["agencies", "services"]
    while rest:
        folder = rest.pop()
        for name in names_in(root, folder):
            path = root / folder / name
            if path.is_symlink():
                continue
            if path.is_dir():
                rest.append(f"{folder}/{name}")
            elif name.endswith((".json", ".yaml", ".yml")) and path.is_file():
                found.append(f"{folder}/{name}")
    return sorted(found)
