"""A client of aiokafka is closed whole, however it fails: no connection and no task is left."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from bus import BusError, BusUnavailableError, Event, Settings, apply_topics
from bus.kafka.client import Network, begin, connection, end
from bus.kafka.transport import KafkaTransport
from bus.transport import Outgoing
from tests.connections import left_open
from tests.interruptions import TRIALS, Interruption, at_each_wait
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, until


async def joined(world: KafkaWorld) -> Any:
    """Return a started client that is a member of a group."""
    settings = world.settings()
    consumer: Any = AIOKafkaConsumer(
        **connection(settings), group_id=f"{world.country.south}.closing", enable_auto_commit=False
    )
    consumer.subscribe([world.country.topic])
    await begin(consumer, settings, "a test")
    await until(consumer.assignment)
    return consumer


async def test_a_start_that_takes_too_long_leaves_nothing(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker accepts the connection and then does not answer."""
    send = AIOKafkaConnection.send

    def unanswered(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(request, MetadataRequest):
            return asyncio.get_running_loop().create_future()
        return send(self, request, *arguments, **options)

    settings = kafka_world.settings(publish_timeout_seconds=0.5)
    with monkeypatch.context() as patched:
        patched.setattr(AIOKafkaConnection, "send", unanswered)
        with pytest.raises(BusUnavailableError) as caught:
            await begin(AIOKafkaConsumer(**connection(settings)), settings, "a test")
    await until(lambda: not left_open())
    assert caught.value.retriable


class Noted(Outgoing):
    """A record that keeps the error of its sending."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.done: asyncio.Future[BusError] = asyncio.get_running_loop().create_future()

    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:
        raise AssertionError("never acknowledged")

    def failed(self, error: BusError) -> None:
        self.done.set_result(error)


async def test_a_topic_is_looked_for_as_long_as_a_publish_may_last(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as long again in the last look, which a broker does not answer."""
    send, looks = AIOKafkaConnection.send, [1.8]

    async def away(seconds: float) -> None:
        await asyncio.sleep(seconds)
        raise KafkaConnectionError

    def failing(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(request, MetadataRequest):
            return send(self, request, *arguments, **options)
        return away(looks.pop()) if looks else asyncio.get_running_loop().create_future()

    transport = KafkaTransport(kafka_world.settings(publish_timeout_seconds=2.0))
    await transport.start()
    monkeypatch.setattr(AIOKafkaConnection, "send", failing)
    transport.send(sent := Noted(kafka_world.country.topic, None, b"{}", []))
    done, _ = await asyncio.wait([sent.done], timeout=3.8)
    await transport.stop()
    assert not looks
    assert done
    assert "no broker answers" in str(sent.done.result())


async def test_a_stop_that_takes_too_long_leaves_nothing(kafka_world: KafkaWorld) -> None:
    """The broker does not answer that the member leaves its group."""
    consumer = await joined(kafka_world)
    consumer._coordinator._maybe_leave_group = asyncio.get_running_loop().create_future
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await end(consumer)
    await until(lambda: not left_open())


async def test_a_stop_after_a_task_of_aiokafka_failed_leaves_nothing(kafka_world: KafkaWorld) -> None:
    """It raises at the first step of its own closing and skips the others: they would read on."""
    consumer = await joined(kafka_world)
    coordinator = consumer._coordinator
    wake, coordinator._rejoin_needed_fut = coordinator._rejoin_needed_fut, None
    wake.set_result(None)
    await until(coordinator._coordination_task.done)
    with suppress(KafkaError, AttributeError):
        await end(consumer)
    await until(lambda: not left_open())


async def test_nothing_is_opened_for_a_client_that_has_ended(kafka_world: KafkaWorld) -> None:
    """A request that is sent afterwards, such as one of several that went on when the first failed, fails."""
    settings = kafka_world.settings()
    admin = AIOKafkaAdminClient(**connection(settings))
    await begin(admin, settings, "a test")
    network = Network.of(admin)
    await end(admin)
    with pytest.raises(KafkaConnectionError):
        await network.fetch_all_metadata()
    with pytest.raises(KafkaConnectionError):
        await network.bootstrap()
    assert left_open() == []


async def test_nobody_asks_about_every_topic(
    country: SmallCountry, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The topics of a whole country take longer to read than all else of a start."""
    asked: list[Any] = []
    send = AIOKafkaConnection.send

    def noting(self: Any, request: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(request, MetadataRequest):
            asked.append(request._topics)
        return send(self, request, *arguments, **options)

    world = KafkaWorld(country, kafka)
    monkeypatch.setattr(AIOKafkaConnection, "send", noting)
    await apply_topics(world.settings(), country.catalog)
    bus = world.bus(country.south)
    handled = asyncio.Event()

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def count(event: Event[Any]) -> None:
        handled.set()

    async with bus, world.bus(country.north) as north:
        await north.publish(country.opened, case(1), version="1.0")
        await handled.wait()
    assert len(asked) > 5
    assert None not in asked


@pytest.mark.parametrize("trial", TRIALS)
async def test_an_interrupted_opening_leaves_nothing(
    kafka_world: KafkaWorld, trial: Callable[[Settings, Interruption], Awaitable[None]]
) -> None:
    """At whatever moment its client ends, or its start is cancelled."""
    assert await at_each_wait(partial(trial, kafka_world.settings())) > 1


async def test_a_consumer_that_ends_at_once_is_not_cancelled(kafka_world: KafkaWorld) -> None:
    """It waits for a task of its own that it cancels before the task begins."""
    settings = kafka_world.settings()
    consumer: Any = AIOKafkaConsumer(**connection(settings))
    await begin(consumer, settings, "a test")
    await end(consumer)
    await until(lambda: not left_open())
