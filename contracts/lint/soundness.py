"""Opens catalogues with usable schemas: each compiles, its references resolve, and its checks are bounded.

Law: every command that shows, compares or exports a catalogue opens it here, so all refuse the same
catalogues with the same messages. Only lint and `fmt` read an unsound catalogue further.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contracts.catalog import Catalog
from contracts.documents.loaded import Loaded, LoadedContract
from contracts.documents.loading import load
from contracts.errors import CatalogError
from contracts.finding import Finding
from contracts.lint.rules.schemas import check_schema
from contracts.processes import flat_map


def load_sound(root: Path, *, compiled: bool = True) -> Loaded:
    """Read the catalogue at `root`; a contract with an unusable schema becomes a finding and is left out.

    Args:
        root: The catalogue's folder.
        compiled: Whether to compile every schema; a comparison compiles only those that differ.
    """
    loaded = load(root)

    def faults(named: tuple[str, LoadedContract]) -> Iterator[tuple[str, Finding]]:
        subject, entry = named
        found = (check_schema(row, compiled=compiled) for row in entry.versions)
        yield from ((subject, finding) for each in found for finding in each)

    for subject, finding in flat_map(faults, tuple(loaded.contracts.items())):
        loaded.findings.append(finding)
        loaded.contracts.pop(subject, None)
    return loaded


def open_sound(root: Path) -> Catalog:
    """The catalogue at `root`, every schema compiled.

    Raises:
        CatalogError: It is not sound; contains all findings.
    """
    return as_catalog(load_sound(root))


def as_catalog(loaded: Loaded) -> Catalog:
    """The catalogue, when all of it could be read.

    Raises:
        CatalogError: It is not sound; contains all findings.
    """
    if loaded.findings:
        raise CatalogError(sorted(loaded.findings))
    return Catalog.of(loaded)
