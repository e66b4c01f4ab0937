"""A catalogue whose schemas can be used: each compiles, refers to what is there, and asks a bounded amount.

Law: every command that shows a catalogue, compares it or passes it on reads it here, so each refuses what
lint refuses in the same words. What is unsound is left out and told; only lint and `fmt` look at it further.
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
from contracts.processes import ask_all


def load_sound(root: Path, *, compiled: bool = True) -> Loaded:
    """Read the catalogue at `root`; a contract with a schema that cannot be used is only a finding.

    Args:
        root: Its folder.
        compiled: Whether every schema is compiled; a comparison compiles those that differ, and tells.
    """
    loaded = load(root)

    def faults(named: tuple[str, LoadedContract]) -> Iterator[tuple[str, Finding]]:
        subject, entry = named
        found = (check_schema(row, compiled=compiled) for row in entry.versions)
        yield from ((subject, finding) for each in found for finding in each)

    for subject, finding in ask_all(faults, tuple(loaded.contracts.items())):
        loaded.findings.append(finding)
        loaded.contracts.pop(subject, None)
    return loaded


def open_sound(root: Path) -> Catalog:
    """The catalogue at `root`, every schema compiled.

    Raises:
        CatalogError: It is not sound; holds every finding.
    """
    loaded = load_sound(root)
    if loaded.findings:
        raise CatalogError(sorted(loaded.findings))
    return Catalog.of(loaded)
