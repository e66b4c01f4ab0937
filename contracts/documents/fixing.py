"""Automatic fixes of a catalogue: formatting, byte order marks and missing hashes.

Law: each file is replaced as a whole or not at all; a schema with a recorded hash never changes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.documents.document import MAX_YAML_BYTES, Document, read_json, read_yaml
from contracts.documents.folders import files_below
from contracts.documents.formatting import format_json, format_yaml
from contracts.documents.loaded import Loaded, LoadedContract
from contracts.documents.loading import load
from contracts.documents.yaml_reader import read_yaml_text
from contracts.errors import DocumentError, HashError
from contracts.finding import Finding
from contracts.paths import Step

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Formatted:
    """One document that is not formatted.

    Attributes:
        file: Its path from the catalogue's root.
        text: The formatted text; None when the document must not be changed.
        why: Why it must not be changed; empty when it may.
    """

    file: str
    text: str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Schemas:
    """Listed schema files, those with a recorded hash, and folders whose `contract.yaml` cannot be read."""

    listed: frozenset[str]
    hashed: frozenset[str]
    unreadable: tuple[str, ...]


def formatted(root: Path) -> tuple[list[Formatted], list[Finding]]:
    """Documents of a catalogue that are not formatted, and findings for those that cannot be read."""
    schemas = _schemas(load(root))
    found, faults = [], []
    for file in files_below(root):
        try:
            if change := _format(root, file, schemas):
                found.append(change)
        except DocumentError as error:
            faults.append(error.finding)
    return found, faults


def write_formatted(root: Path, change: Formatted) -> None:
    """Write the formatted text of a document."""
    if change.text is not None:
        _replace(root / change.file, change.text.encode())


def fix(root: Path) -> Iterator[str]:
    """Remove byte order marks, format YAML documents and new schemas, and add missing hashes.

    Returns:
        One line for each changed file.

    Raises:
        HashError: The layout of a `contract.yaml` does not allow adding a hash.
    """
    schemas = _schemas(load(root))
    for file in files_below(root):
        path = root / file
        if file not in schemas.hashed and path.read_bytes()[:3] == _BOM and not _may_be_hashed(file, schemas):
            _replace(path, path.read_bytes()[3:])
            yield f"{file}: byte order mark removed"
    schemas = _schemas(load(root))
    for file in files_below(root):
        if file in schemas.listed - schemas.hashed or not file.endswith(".json"):
            try:
                change = _format(root, file, schemas)
            except DocumentError:
                continue  # lint reports it
            if change:
                write_formatted(root, change)
                yield f"{file}: formatted"
    yield from write_hashes(root)


def write_hashes(root: Path) -> tuple[str, ...]:
    """Add `sha256` below each `file` that has none, in every `contract.yaml` of a catalogue.

    Returns:
        One line for each changed file, such as `agencies/tax/refund-paid/contract.yaml: 1 added`.

    Raises:
        HashError: The layout of a document does not allow adding a line.
    """
    written = []
    for entry in load(root).contracts.values():
        if missing := _missing_hashes(entry):
            _replace(root / entry.document.file, _with_hashes(entry.document, missing).encode())
            written.append(f"{entry.document.file}: {len(missing)} added")
    return tuple(written)


def _missing_hashes(entry: LoadedContract) -> dict[tuple[Step, ...], str]:
    missing: dict[tuple[Step, ...], str] = {}
    for row in entry.versions:
        steps: tuple[Step, ...] = ("versions", row.row)
        if row.shape.sha256 is None:
            missing[steps] = row.document.sha256
        # Documents are read in the order of the rows; if one could not be read, no hash is added.
        if len(row.references) == len(row.shape.references):
            pairs = zip(row.shape.references, row.references, strict=True)
            for index, (reference, document) in enumerate(pairs):
                if reference.sha256 is None:
                    missing[*steps, "references", index] = document.sha256
    return missing


def _with_hashes(document: Document, missing: dict[tuple[Step, ...], str]) -> str:
    lines = document.content.decode().splitlines(keepends=True)
    ending = "\r\n" if lines[0].endswith("\r\n") else "\n"
    places = {document.place(*steps, "file"): digest for steps, digest in missing.items()}
    for place in sorted(places, reverse=True):
        line = lines[place.line - 1]
        if not line.endswith("\n"):
            lines[place.line - 1] = line + ending
        lines.insert(place.line, f"{' ' * (place.column - 1)}sha256: {places[place]}{ending}")
    text = "".join(lines)
    expected = deepcopy(document.value)
    for steps, digest in missing.items():
        row = expected
        for step in steps:
            row = row[step]
        row["sha256"] = digest
    try:
        value, _ = read_yaml_text(text, document.file)
    except DocumentError:
        value = None
    if value != expected or len(text.encode()) > MAX_YAML_BYTES:
        raise HashError(
            f"Expected each `file` of `versions` on its own line in `{document.file}`"
            " - change the layout, then run this again"
        )
    return text


def _schemas(loaded: Loaded) -> _Schemas:
    listed: set[str] = set()
    hashed: set[str] = set()
    known: set[str] = set()
    for entry in loaded.contracts.values():
        known.add(entry.folder)
        for row in entry.shape.versions:
            files = [(row.file, row.sha256), *((each.file, each.sha256) for each in row.references)]
            listed.update(f"{entry.folder}/{file}" for file, _ in files)
            hashed.update(f"{entry.folder}/{file}" for file, digest in files if digest is not None)
    folders = {f"agencies/{subject.replace('.', '/', 1)}" for subject in loaded.subjects}
    return _Schemas(frozenset(listed), frozenset(hashed), tuple(sorted(folders - known)))


def _may_be_hashed(file: str, schemas: _Schemas) -> bool:
    """Whether the file may be a schema with a hash, which an unreadable `contract.yaml` records."""
    return (
        file.endswith(".json") and "/examples/" not in file and file.rpartition("/")[0] in schemas.unreadable
    )


def _format(root: Path, file: str, schemas: _Schemas) -> Formatted | None:
    if file.endswith(".json"):
        before = read_json(root, file).content.decode()
        after = format_json(before, is_schema=file in schemas.listed)
    else:
        before = read_yaml(root, file).content.decode()
        after = format_yaml(before, file)
    if after == before:
        return None
    if file in schemas.hashed:
        return Formatted(file, None, "its hash is recorded, so it must not change")
    if _may_be_hashed(file, schemas):
        return Formatted(file, None, "its `contract.yaml`, which may record its hash, cannot be read")
    return Formatted(file, after)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_bytes(content)
        shutil.copymode(path, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
