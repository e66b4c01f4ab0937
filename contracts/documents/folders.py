"""Lists the folders of a catalogue within limits, and never leaves the catalogue."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path
from typing import Final

from contracts.documents import rules
from contracts.errors import DocumentError
from contracts.finding import Place

MAX_ENTRIES: Final = 10_000


def real_path(root: Path, name: str) -> str:
    """The real path of a file or folder of the catalogue at `root`, as text: making a `Path` is slow.

    Raises:
        DocumentError: It is outside the catalogue.
        OSError, RuntimeError, ValueError: It cannot be resolved.
    """
    if _is_plain(str(root), name):
        return f"{root}/{name}"
    real = (root / name).resolve()
    if not real.is_relative_to(root.resolve()):
        raise DocumentError(rules.OUTSIDE.at(Place(name), "is outside the catalogue"))
    return str(real)


def _is_plain(path: str, name: str) -> bool:
    """Whether no step of the name is a link or `..`; checked first, as resolving takes ten times as long."""
    try:
        for step in name.split("/"):
            path = f"{path}/{step}"
            if step in ("", ".", "..") or stat.S_ISLNK(os.lstat(path).st_mode):
                return False
    except OSError:
        return False
    return True


def names_in(root: Path, folder: str) -> list[str]:
    """The visible names in a folder of the catalogue at `root`, sorted; empty when it is absent.

    Raises:
        DocumentError: It is outside the catalogue, cannot be read, or has too many entries.
    """
    try:
        if not os.path.isdir(f"{root}/{folder}"):  # noqa: PTH112 - see `real_path`
            return []
        with os.scandir(real_path(root, folder)) as entries:
            names = [entry.name for entry in islice(entries, MAX_ENTRIES + 1)]
    except (OSError, RuntimeError, ValueError):
        what = "is a folder that cannot be read"
        raise DocumentError(rules.MISSING.at(Place(folder), what)) from None
    if len(names) > MAX_ENTRIES:
        what = f"has more than {MAX_ENTRIES:,} entries"
        raise DocumentError(rules.TOO_LARGE.at(Place(folder), what))
    return sorted(name for name in names if not name.startswith((".", "_")))


def files_below(root: Path) -> list[str]:
    """Every JSON and YAML document of a catalogue, sorted; links are not followed.

    Raises:
        DocumentError: A folder cannot be read, or has too many entries.
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
