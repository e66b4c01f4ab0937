"""The worlds that the bus' scenarios run in."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bus import apply_topics
from tests.small_catalog import SmallCountry
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, MemoryWorld, World

LOOK_SECONDS = 0.005


@pytest.fixture(autouse=True, scope="module")
def only_new_garbage() -> None:
    """Keep what lives already out of the collections of garbage after each test: they would take a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
async def connections_closed() -> AsyncIterator[None]:
    """Let a test end with every connection closed, and fail the test itself that leaves one open.

    TLS connections say goodbye before they close. What was forgotten warns when it is collected as garbage,
    and a warning is an error.
    """
    yield
    loop: Any = asyncio.get_running_loop()
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while _open(loop):
                await asyncio.sleep(LOOK_SECONDS)
                gc.collect()
    gc.collect()
    assert _open(loop) == []


def _open(loop: Any) -> list[Any]:
    """Return the connections of a loop; uvloop does not show them."""
    return [one for one in getattr(loop, "_transports", {}).values() if one._sock is not None]


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
