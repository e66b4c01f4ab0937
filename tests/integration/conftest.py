"""The worlds that the bus' scenarios run in."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bus import apply_topics
from tests.small_catalog import SmallCountry
from tests.worlds import KafkaWorld, MemoryWorld, World

CLOSING_SECONDS = 5.0
LOOK_SECONDS = 0.02


@pytest.fixture
async def connections_closed() -> AsyncIterator[None]:
    """Let TLS connections that were closed say goodbye, before the test's event loop ends under them.

    One that was not closed stays, and fails the test by its ResourceWarning.
    """
    yield
    loop: Any = asyncio.get_running_loop()
    for _ in range(int(CLOSING_SECONDS / LOOK_SECONDS)):
        if not any(transport._sock for transport in loop._transports.values()):
            break
        await asyncio.sleep(LOOK_SECONDS)


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A small country with names of its own."""
    return SmallCountry(tmp_path / "catalog")


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
