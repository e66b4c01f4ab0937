"""The worlds that the bus' scenarios run in, and a PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import apply_topics
from tests.postgresql import private_server
from tests.small_catalog import SmallCountry
from tests.worlds import KafkaWorld, MemoryWorld, World


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A small country with names of its own."""
    return SmallCountry(tmp_path / "catalog")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of one module's tests: its URL with `%s` for the name of a database."""
    with private_server() as url:
        yield url


@pytest.fixture
async def kafka_world(country: SmallCountry, kafka: str) -> KafkaWorld:
    """The small country on a real broker."""
    return await _on_kafka(country, kafka)


@pytest.fixture(params=["memory", "kafka"])
async def world(request: pytest.FixtureRequest, country: SmallCountry) -> World:
    """The small country, in memory and on a real broker."""
    if request.param == "memory":
        return MemoryWorld(country)
    return await _on_kafka(country, request.getfixturevalue("kafka"))


async def _on_kafka(country: SmallCountry, bootstrap_servers: str) -> KafkaWorld:
    found = KafkaWorld(country, bootstrap_servers)
    await apply_topics(found.settings(), country.catalog)
    return found
