"""A catalogue whose schemas can be used: each compiles, refers to what is there, and asks a bounded amount.

Law: every command that shows a catalogue, compares it or passes it on reads it here, so each refuses what
lint refuses in the same words. What is unsound is left out and told; only lint and `fmt` look at it further.
"""

from __future__ import annotations

from pathlib import Path

from contracts.catalog import Catalog
from contracts.errors import CatalogError
from contracts.loading import Loaded, load
from contracts.rules.schemas import check_schema


def load_sound(root: Path) -> Loaded:
    """Read the catalogue at `root`; a contract with a schema that cannot be used is only a finding."""
    loaded = load(root)
    for subject, entry in list(loaded.contracts.items()):
        if found := [finding for row in entry.versions for finding in check_schema(row)]:
            loaded.findings += found
            del loaded.contracts[subject]
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
