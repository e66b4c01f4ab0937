"""What is taken of an earlier state of a catalogue: its documents, within limits, and nothing else.

Law: whoever made that state may mean harm. No path leads out of its folder, nothing is a link, and count and
size are limited.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from contracts.errors import SnapshotError
from contracts.visible_text import visible

MAX_FILES: Final = 100_000
MAX_BYTES: Final = 512 * 1024 * 1024

_WANTED: Final = ("agencies", "services")
_ROOT_FILES: Final = ("catalog.yaml", "cluster.yaml")


def wanted(path: str, *, is_file: bool) -> bool:
    """Whether a path from the catalogue's root is a document to take; examples are not.

    Args:
        path: With `/`.
        is_file: Whether it is a regular file.

    Raises:
        SnapshotError: It is a document's path, and leads elsewhere or is no regular file.
    """
    parts = PurePosixPath(path).parts
    if not parts or (parts[0] not in _WANTED and path not in _ROOT_FILES):
        return False
    shown = visible(path, 200)
    if not is_file:
        raise SnapshotError(f"a file of the catalogue is a link or a submodule - at `{shown}`")
    if {"..", ".git"} & set(parts) or "\\" in path or "\0" in path:
        raise SnapshotError(f"a file of the catalogue has a path that leads elsewhere - at `{shown}`")
    return "examples" not in parts[2:]


def too_large() -> SnapshotError:
    """The error about a state beyond `MAX_FILES` or `MAX_BYTES`."""
    return SnapshotError(f"the catalogue has more than {MAX_FILES:,} files or {MAX_BYTES:,} bytes")
