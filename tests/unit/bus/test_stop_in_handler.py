"""A handler may ask for the end of its bus; it never waits for itself."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bus import Bus, DeliveryReceipt, Event
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry, case


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A small country."""
    return SmallCountry(tmp_path / "catalog")


async def ask(bus: Bus) -> None:
    """Call it in the task of the handler."""
    await bus.stop()


async def ask_in_a_task(bus: Bus) -> None:
    """Call it in a task that the handler makes."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(bus.stop())


async def leave_a_block(bus: Bus) -> None:
    """Call it as `async with` does at its end."""
    await bus.__aexit__(None, None, None)


@pytest.mark.parametrize(("runs", "exactly_once"), [(True, False), (False, False), (False, True)])
@pytest.mark.parametrize("act", [ask, ask_in_a_task, leave_a_block])
async def test_a_handler_may_ask_for_the_end(
    country: SmallCountry, act: Callable[[Bus], Awaitable[None]], runs: bool, exactly_once: bool
) -> None:
    """It goes on, publishes, and counts as handled; then the bus stops, and who serves it returns."""
    cluster = InMemoryCluster(country.catalog)
    bus = InMemoryBus(country.south, cluster=cluster)
    after = False

    @bus.subscribe(country.opened, version=1, purpose="close-cases", exactly_once=exactly_once)
    async def handler(event: Event[Any]) -> None:
        nonlocal after
        await act(bus)
        await event.publish(country.closed, case(), version="1.0")
        after = True

    async with InMemoryBus(country.north, cluster=cluster) as north:
        await north.publish(country.opened, case(), version="1.0")
    if runs:
        await bus.run()
    else:
        async with bus:
            await bus.wait()
    assert after
    assert not bus.serving
    assert [row.outcome for row in cluster.receipts() if isinstance(row, DeliveryReceipt)] == ["ack"]
    assert len(cluster.records(f"{country.closed}.v1")) == 1


async def test_a_plain_handler_may_ask_too(country: SmallCountry) -> None:
    """It runs in a thread, and gives the call to the loop."""
    cluster, loop = InMemoryCluster(country.catalog), asyncio.get_running_loop()
    bus = InMemoryBus(country.south, cluster=cluster)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    def handler(event: Event[Any]) -> None:
        asyncio.run_coroutine_threadsafe(bus.stop(), loop).result()

    async with InMemoryBus(country.north, cluster=cluster) as north:
        await north.publish(country.opened, case(), version="1.0")
    await bus.run()
    assert [row.outcome for row in cluster.receipts() if isinstance(row, DeliveryReceipt)] == ["ack"]


async def test_a_handler_stops_another_bus_as_anybody_does(country: SmallCountry) -> None:
    """Only its own would wait for it."""
    cluster = InMemoryCluster(country.catalog)
    other = InMemoryBus(country.north, cluster=cluster)
    bus = InMemoryBus(country.south, cluster=cluster)
    served: list[bool] = []

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def handler(event: Event[Any]) -> None:
        await other.stop()
        served.append(other.serving)
        await bus.stop()

    async with other:
        await other.publish(country.opened, case(), version="1.0")
        await bus.run()
    assert served == [False]


@pytest.mark.parametrize("method", ["run", "start", "wait", "__aenter__"])
async def test_what_would_wait_for_its_own_handler_is_refused(country: SmallCountry, method: str) -> None:
    """The event is a dead letter that says so; the bus goes on, and so do its signals."""
    cluster = InMemoryCluster(country.catalog)
    bus = InMemoryBus(country.south, cluster=cluster)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def handler(event: Event[Any]) -> None:
        if event.data["number"] == 1:
            await getattr(bus, method)()
        signal.raise_signal(signal.SIGTERM)

    async with InMemoryBus(country.north, cluster=cluster) as north:
        for number in (1, 2):
            await north.publish(country.opened, case(number), version="1.0", key="a")
    await bus.run()
    outcomes = [row.outcome for row in cluster.receipts() if isinstance(row, DeliveryReceipt)]
    assert sorted(outcomes) == ["ack", "dead-letter"]
    (letter,) = cluster.records(f"{country.south}.dead-letters")
    name = "start" if method == "__aenter__" else method
    assert f"at `{name}`" in (dict(letter.headers)["govbus-dead-letter-detail"] or b"").decode()
