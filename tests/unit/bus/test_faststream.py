"""FastStream's own subscribers beside those of a bus: on topics of the catalogue they are refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faststream import FastStream
from faststream.kafka import KafkaRouter, TopicPartition

from bus import UsageError
from tests.small_catalog import SmallCountry
from tests.worlds import MemoryWorld

Register = Callable[[Any, SmallCountry], None]


async def keep(message: Any) -> None:
    """Take a message past the bus."""


def by_name(broker: Any, country: SmallCountry) -> None:
    """Subscribe to a topic by its name, among others."""
    broker.subscriber("elsewhere", country.topic)(keep)


def by_pattern(broker: Any, country: SmallCountry) -> None:
    """Subscribe to a topic by a pattern."""
    broker.subscriber(pattern=f"{country.north}\\..*")(keep)


def by_partition(broker: Any, country: SmallCountry) -> None:
    """Subscribe to one partition of a topic."""
    broker.subscriber(partitions=[TopicPartition(country.topic, 0)])(keep)


def by_router(broker: Any, country: SmallCountry) -> None:
    """Subscribe to batches of a topic, by a router with a prefix."""
    router = KafkaRouter(prefix=f"{country.north}.")
    router.subscriber("case-opened.v1", batch=True)(keep)
    broker.include_router(router)


@pytest.mark.parametrize("register", [by_name, by_pattern, by_partition, by_router])
async def test_a_subscriber_past_the_bus_is_refused_with_the_line_to_write(
    register: Register, tmp_path: Path
) -> None:
    """Before anything starts, however it names the topic; the error has the handler and the line."""
    country = SmallCountry(tmp_path)
    bus = MemoryWorld(country).bus(country.south)
    broker = bus.as_broker()
    register(broker, country)
    with pytest.raises(UsageError) as refused:
        await FastStream(broker).start()
    told = str(refused.value)
    assert "at handler `keep`" in told
    assert f'@bus.subscribe("{country.opened}", version=1, purpose="' in told
    assert not bus.serving
