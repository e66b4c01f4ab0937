"""An event is taken only where it can be sent; elsewhere the program is told at once."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bus import Bus, BusUnavailableError, DeliveryReceipt, Event, Reason, Settings, UsageError
from bus.kafka.transport import KafkaTransport
from bus.publish.transactions import Transaction
from bus.table import deliver
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry, case
from tests.worlds import until


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A small country."""
    return SmallCountry(tmp_path / "catalog")


async def refused(bus: Bus, subject: str, match: str) -> None:
    """Every call that would send something is refused."""

    async def submit() -> None:
        await bus.submit(subject, case(), version="1.0")

    async def transact() -> None:
        async with bus.transaction():
            pass

    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: bus.publish(subject, case(), version="1.0"),
        submit,
        lambda: bus.publish_many(subject, [case()], version="1.0"),
        lambda: bus.publish_many(subject, [], version="1.0"),
        lambda: bus.dead_letter(b"row", reason=Reason.NOT_JSON, stage="read"),
        transact,
    ]
    for call in calls:
        with pytest.raises(UsageError, match=match):
            await call()


@pytest.mark.parametrize("kafka", [False, True])
async def test_a_bus_that_has_not_started_or_has_stopped_takes_nothing(
    country: SmallCountry, kafka: bool
) -> None:
    """In memory as on Kafka, where the call once waited until its time was up, or for ever."""
    cluster = InMemoryCluster(country.catalog)
    bus = (
        Bus(country.north, catalog=country.catalog, settings=Settings())
        if kafka
        else InMemoryBus(country.north, cluster=cluster)
    )
    await refused(bus, country.opened, "has started.*`async with bus:`")
    if not kafka:
        async with bus:
            await bus.publish(country.opened, case(), version="1.0")
        await refused(bus, country.opened, "has started.*`async with bus:`")
        assert len(cluster.records(f"{country.opened}.v1")) == 1


async def test_a_connection_that_is_not_open_fails_at_once() -> None:
    """Nothing waits in it for a connection that never comes."""
    transport = KafkaTransport(Settings())
    with pytest.raises(BusUnavailableError, match="no connection"):
        await deliver(transport, "north.opened.v1", b"key", b"value")
    assert transport.unacknowledged == 0


async def test_a_started_bus_is_not_started_again(country: SmallCountry) -> None:
    """Every event would come to two members of its group in one process; the one that runs goes on."""
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:
        with pytest.raises(UsageError, match="not started"):
            await bus.start()
        await bus.publish(country.opened, case(), version="1.0")
    async with bus:
        await bus.publish(country.opened, case(), version="1.0")


async def test_another_event_loop_or_thread_takes_nothing(country: SmallCountry) -> None:
    """The answer would come to a loop that nobody runs."""
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:

        def elsewhere() -> None:
            with pytest.raises(UsageError, match=r"`asyncio\.run_coroutine_threadsafe`"):
                bus.submit(country.opened, case(), version="1.0")
            asyncio.run(refused(bus, country.opened, "event loop"))

        await asyncio.to_thread(elsewhere)
        loop = asyncio.get_running_loop()

        def here() -> None:
            publish = bus.publish(country.opened, case(), version="1.0")
            asyncio.run_coroutine_threadsafe(publish, loop).result()

        await asyncio.to_thread(here)
        assert len(bus.cluster.records(f"{country.opened}.v1")) == 1


@pytest.mark.parametrize("submit", [False, True])
async def test_a_plain_handler_that_publishes_by_itself_is_told(country: SmallCountry, submit: bool) -> None:
    """It runs in a thread; its event is a dead letter that says what to do, not one more attempt."""
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]

    @south.subscribe(country.opened, version=1, purpose="close-cases")
    def handler(event: Event[Any]) -> None:
        if submit:
            event.submit(country.closed, case(), version="1.0")
        else:
            asyncio.run(event.publish(country.closed, case(), version="1.0"))

    async with north, south:
        await north.publish(country.opened, case(), version="1.0")
        await until(lambda: any(isinstance(row, DeliveryReceipt) for row in cluster.receipts()))
    (letter,) = cluster.records(f"{country.south}.dead-letters")
    assert b"run_coroutine_threadsafe" in (dict(letter.headers)["govbus-dead-letter-detail"] or b"")


async def test_a_transaction_takes_nothing_once_its_block_has_ended(country: SmallCountry) -> None:
    """The event would be part of the next one, or of none."""
    bus = InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog))
    kept: list[Transaction] = []
    async with bus:
        async with bus.transaction() as transaction:
            await transaction.publish(country.opened, case(), version="1.0")
            kept.append(transaction)
        with suppress(ZeroDivisionError):
            async with bus.transaction() as transaction:
                kept.append(transaction)
                raise ZeroDivisionError
        assert len(kept) == 2
        for transaction in kept:
            with pytest.raises(UsageError, match="open transaction"):
                await transaction.publish(country.opened, case(), version="1.0")
            with pytest.raises(UsageError, match="open transaction"):
                await transaction.put(bus.table(f"{country.north}.checkpoints"), "source", b"1")
    assert len(bus.cluster.records(f"{country.opened}.v1")) == 1


async def test_exactly_once_takes_nothing_of_a_handler_that_has_ended(country: SmallCountry) -> None:
    """A task left behind was told of a receipt, and its event was dropped if the next one failed."""
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]
    left: list[Event[Any]] = []

    @south.subscribe(country.opened, version=1, purpose="close-cases", exactly_once=True)
    async def handler(event: Event[Any]) -> None:
        left.append(event)

    async with north, south:
        await north.publish(country.opened, case(), version="1.0")
        await until(lambda: any(isinstance(row, DeliveryReceipt) for row in cluster.receipts()))
        with pytest.raises(UsageError, match="handler is at work"):
            await left[0].publish(country.closed, case(), version="1.0")
    assert cluster.records(f"{country.closed}.v1") == []


async def test_a_publish_that_nobody_awaits_is_logged_with_its_line(
    country: SmallCountry, caplog: pytest.LogCaptureFixture
) -> None:
    """Outside a handler, too, where no event could become a dead letter; what a task was given is no such."""
    async with InMemoryBus(country.north, cluster=InMemoryCluster(country.catalog)) as bus:

        async def forgets() -> None:
            bus.publish(country.opened, case(), version="1.0")  # type: ignore[unused-coroutine]

        def forgets_in_a_plain_function() -> None:
            bus.publish_many(country.opened, [case()], version="1.0")  # type: ignore[unused-coroutine]

        await forgets()
        await asyncio.to_thread(forgets_in_a_plain_function)
        assert "`await publish(...)`" in caplog.text
        assert "at `forgets`, test_open.py:" in caplog.text
        assert "`await publish_many(...)`" in caplog.text
        assert "at `forgets_in_a_plain_function`, test_open.py:" in caplog.text
        caplog.clear()
        await asyncio.create_task(bus.publish(country.opened, case(1), version="1.0"))
        await asyncio.gather(bus.publish(country.opened, case(2), version="1.0"))
        bus.publish(country.opened, case(3), version="1.0").close()
        assert inspect.iscoroutinefunction(bus.publish) or asyncio.iscoroutinefunction(bus.publish)
    assert len(bus.cluster.records(f"{country.opened}.v1")) == 2
    assert caplog.text == ""
