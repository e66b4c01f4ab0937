"""Mending what needs no judgement, and formatting: one file at a time, each replaced whole or not at all.

Law: a schema whose hash is recorded is never touched, whatever its form.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contracts.documents.document import read_json, read_yaml
from contracts.documents.folders import files_below
from contracts.documents.formatting import format_json, format_yaml
from contracts.documents.hashes import write_hashes
from contracts.documents.loaded import Loaded
from contracts.documents.loading import load
from contracts.errors import DocumentError
from contracts.finding import Finding

_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Formatted:
    """One document that is not in its one form.

    Attributes:
        file: Its path from the catalogue's root.
        text: Its one form; None where it may not be given it.
        why: Why it may not; empty where it may.
    """

    file: str
    text: str | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Schemas:
    """The schema files of a catalogue: those listed, those with a hash, and folders nobody can tell for."""

    listed: frozenset[str]
    hashed: frozenset[str]
    unknown: tuple[str, ...]


def formatted(root: Path) -> tuple[list[Formatted], list[Finding]]:
    """Every document of a catalogue that is not in its one form, and what cannot be read of it."""
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
    """Give a document its one form."""
    if change.text is not None:
        _replace(root / change.file, change.text.encode())


def fix(root: Path) -> Iterator[str]:
    """Mend a catalogue: byte order marks, last line breaks, the form of new schemas, missing hashes.

    Returns:
        One line per file changed.

    Raises:
        HashError: A `contract.yaml` is not laid out so that a hash can be added.
    """
    schemas = _schemas(load(root))
    for file in files_below(root):
        path = root / file
        if file not in schemas.hashed and path.read_bytes()[:3] == _BOM and not _is_unknown(file, schemas):
            _replace(path, path.read_bytes()[3:])
            yield f"{file}: byte order mark removed"
    schemas = _schemas(load(root))
    for file in files_below(root):
        if file in schemas.listed - schemas.hashed or not file.endswith(".json"):
            try:
                change = _format(root, file, schemas)
            except DocumentError:
                continue  # lint tells it
            if change:
                write_formatted(root, change)
                yield f"{file}: formatted"
    yield from write_hashes(root)


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


def _is_unknown(file: str, schemas: _Schemas) -> bool:
    """Whether nobody can tell if the file is a schema with a hash, as its `contract.yaml` cannot be read."""
    return file.endswith(".json") and "/examples/" not in file and file.rpartition("/")[0] in schemas.unknown


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
        return Formatted(file, None, "its hash is recorded, so it never changes")
    if _is_unknown(file, schemas):
        return Formatted(file, None, "its `contract.yaml` cannot be read, which may record its hash")
    return Formatted(file, after)


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_bytes(content)
        shutil.copymode(path, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
