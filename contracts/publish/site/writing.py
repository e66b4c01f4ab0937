"""Writes the pages into a folder, and removes pages of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from contracts.errors import ContractError

LIST: Final = "govbus-site.json"
"""A list of all written files, which marks the folder as a website of govbus."""


class SiteFolderError(ContractError):
    """The folder contains other files, which are not overwritten."""

    reason: ClassVar[str] = "site-folder-taken"


def write(pages: Mapping[str, str], folder: Path) -> None:
    """Write all pages.

    Args:
        pages: Text by file name, relative to the folder.
        folder: Created if missing; otherwise empty or written by an earlier run.

    Raises:
        SiteFolderError: The folder contains other files.
        OSError: The folder cannot be written.
    """
    before = _before(folder)
    for name in sorted(set(before) - set(pages)):
        (folder / name).unlink(missing_ok=True)
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    (folder / LIST).write_text(json.dumps(sorted(pages), indent=1) + "\n", encoding="utf-8")


def _before(folder: Path) -> list[str]:
    if not folder.exists() or not any(folder.iterdir()):
        return []
    try:
        names = json.loads((folder / LIST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        names = None
    real = folder.resolve()
    if not isinstance(names, list) or not all(
        isinstance(name, str) and (folder / name).resolve().is_relative_to(real) for name in names
    ):
        raise SiteFolderError(
            "Expected an empty folder or an earlier website, but it has other files - choose another folder"
        )
    return names
