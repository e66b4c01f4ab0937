"""A program uses the catalogue of the folder that it runs in."""

from pathlib import Path

import pytest

from bus import Bus, UsageError
from bus.testing import InMemoryBus
from contracts import NoCatalogError
from tests.unit.contracts.catalogs import sound


def test_a_bus_knows_the_agencies_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus on Kafka and one in memory alike, and no other agency."""
    monkeypatch.delenv("GOVBUS_CATALOG", raising=False)
    monkeypatch.chdir(sound(tmp_path / "catalog"))
    for kind in (Bus, InMemoryBus):
        assert set(kind("tax").catalog.agencies) == {"tax"}
        with pytest.raises(UsageError):
            kind("civil-registry")


def test_a_bus_outside_of_any_project_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes no catalogue that nobody named."""
    monkeypatch.delenv("GOVBUS_CATALOG", raising=False)
    monkeypatch.chdir(tmp_path)
    for kind in (Bus, InMemoryBus):
        with pytest.raises(NoCatalogError, match="GOVBUS_CATALOG"):
            kind("tax")
