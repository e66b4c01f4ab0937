"""Puts the pages into a folder, and takes away what an earlier run put there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final

from contracts.errors import ContractError

LIST: Final = "govbus-site.json"
"""The file that tells a site's folder from any other: the names of all it holds."""


class SiteFolderError(ContractError):
    """The folder holds something else, which is not for us to overwrite."""

    reason: ClassVar[str] = "site-folder-taken"


def write(pages: Mapping[str, str], folder: Path) -> None:
    """Write every page; the same pages leave the same bytes.

    Args:
        pages: Text by file name, relative to the folder.
        folder: Made when it is not there; else empty, or written by an earlier run.

    Raises:
        SiteFolderError: The folder holds something else.
        OSError: It cannot be written.
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
            "Expected an empty folder or an earlier site, got other files - name another folder"
        )
    return names
