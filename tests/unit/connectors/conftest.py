"""A cluster in memory for each test; the catalogue is opened once."""

import pytest

from bus.testing import InMemoryCluster
from contracts import Catalog


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The reference catalogue."""
    return Catalog.open()


@pytest.fixture
def cluster(catalog: Catalog) -> InMemoryCluster:
    """A cluster of its own."""
    return InMemoryCluster(catalog)
