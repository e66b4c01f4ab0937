"""`run` serves a bus once, whoever has started it."""

import asyncio
import logging
import os
import signal
from typing import Any

import pytest

from bus import Event, UsageError
from bus.testing import InMemoryBus
from tests.unit.bus.events import CATALOG
from tests.worlds import until

SUBJECT = "civil-registry.birth-registered"


@pytest.fixture
def bus(caplog: pytest.LogCaptureFixture) -> InMemoryBus:
    """A bus that reads one event."""
    caplog.set_level(logging.INFO, logger="govbus.bus")
    found = InMemoryBus("health", catalog=CATALOG)

    @found.subscribe(SUBJECT, version=1, purpose="open-health-record")
    async def open_record(event: Event[Any]) -> None: ...

    return found


STARTED = (
    "health has started, reads civil-registry.birth-registered.v1 for `open-health-record` as "
    "health.civil-registry.birth-registered.v1 - in memory"
)


@pytest.mark.parametrize("inside", [False, True])
async def test_it_starts_once_and_stops_at_a_signal(
    bus: InMemoryBus, inside: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Inside of `async with` it goes on with what has started."""

    async def served() -> None:
        if inside:
            async with bus:
                await bus.run()
                assert not bus.serving
        else:
            await bus.run()

    serving = asyncio.create_task(served())
    await until(lambda: bus._running and any("has started" in line for line in caplog.messages))
    with pytest.raises(UsageError, match="does not run"):
        await bus.run()
    os.kill(os.getpid(), signal.SIGTERM)
    await serving
    assert not bus.serving
    assert [line for line in caplog.messages if "has started" in line] == [STARTED]


async def test_it_can_be_run_again(bus: InMemoryBus) -> None:
    """As by a program that is served in turns."""
    for _ in range(2):
        serving = asyncio.create_task(bus.run())
        await until(lambda: bus.serving)
        os.kill(os.getpid(), signal.SIGINT)
        await serving
