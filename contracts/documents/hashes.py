"""Filling in the SHA-256 of a schema that has none yet. One that stands is never changed."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.documents.document import Document, read_yaml
from contracts.documents.loaded import LoadedContract
from contracts.documents.loading import load
from contracts.errors import DocumentError, HashError
from contracts.paths import Step

_LAYOUT = "Expected each `file` of `versions` on a line of its own in `{}` - write it so, then run this again"


def write_hashes(root: Path) -> tuple[str, ...]:
    """Add `sha256` below each `file` in the `contract.yaml` documents of a catalogue that has none.

    Returns:
        One line per file changed, such as `agencies/tax/refund-paid/contract.yaml: 1.1`.

    Raises:
        HashError: A document is not laid out so that a line can be added.
    """
    written = []
    for entry in load(root).contracts.values():
        missing = _missing(entry)
        if missing:
            _insert(root, entry.document, missing)
            written.append(f"{entry.document.file}: {len(missing)} added")
    return tuple(written)


def _missing(entry: LoadedContract) -> dict[tuple[Step, ...], str]:
    missing: dict[tuple[Step, ...], str] = {}
    for row in entry.versions:
        steps: tuple[Step, ...] = ("versions", row.row)
        if row.shape.sha256 is None:
            missing[steps] = row.document.sha256
        # Documents are read in the order of the rows; where one could not be read, none is written.
        if len(row.references) == len(row.shape.references):
            for index, (reference, document) in enumerate(
                zip(row.shape.references, row.references, strict=True)
            ):
                if reference.sha256 is None:
                    missing[*steps, "references", index] = document.sha256
    return missing


def _insert(root: Path, document: Document, missing: dict[tuple[Step, ...], str]) -> None:
    lines = document.content.decode().splitlines(keepends=True)
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    places = {document.place(*steps, "file"): digest for steps, digest in missing.items()}
    for place in sorted(places, reverse=True):
        line = lines[place.line - 1]
        if not line.endswith("\n"):
            lines[place.line - 1] = line + ending
        lines.insert(place.line, f"{' ' * (place.column - 1)}sha256: {places[place]}{ending}")
    _replace(root, document, "".join(lines), missing)


def _replace(root: Path, document: Document, text: str, missing: dict[tuple[Step, ...], str]) -> None:
    path = root / document.file
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_bytes(text.encode())
        _check(read_yaml(root, str(draft.relative_to(root)).replace(os.sep, "/")), document, missing)
        draft.replace(path)
    except DocumentError:
        raise HashError(_LAYOUT.format(document.file)) from None
    finally:
        draft.unlink(missing_ok=True)


def _check(new: Document, old: Document, missing: dict[tuple[Step, ...], str]) -> None:
    value = new.value
    for steps, digest in missing.items():
        row = value
        for step in steps:
            row = row[step]
        if row.pop("sha256", None) != digest:
            raise HashError(_LAYOUT.format(old.file))
    if value != old.value:
        raise HashError(_LAYOUT.format(old.file))
