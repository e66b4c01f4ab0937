"""Fixtures of the contracts room."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.contracts.catalogs import sound


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A sound catalogue on disk, to be broken by the test."""
    return sound(tmp_path / "catalog")
