"""A broker that gives a publisher no new producer id: each publish says why, until the broker gives one."""

from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import ClusterAuthorizationFailedError, RequestTimedOutError
from aiokafka.protocol.transaction import InitProducerIdRequest
from aiokafka.structs import TopicPartition as KafkaPartition

from bus import AccessDeniedError, BusUnavailableError
from bus.kafka.transport import KafkaTransport
from bus.table import deliver
from tests.small_catalog import case
from tests.worlds import KafkaWorld, until


@pytest.fixture
def unwilling(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let brokers refuse producer ids when it is called; what `monkeypatch` undoes."""
    send = AIOKafkaClient.send

    async def refuse(self: Any, node: Any, request: Any, **options: Any) -> Any:
        answer = await send(self, node, request, **options)
        if isinstance(request, InitProducerIdRequest):
            answer.error_code = ClusterAuthorizationFailedError.errno
        return answer

    return lambda: monkeypatch.setattr(AIOKafkaClient, "send", refuse)


async def test_a_publisher_recovers_once_the_broker_gives_producer_ids_again(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch, unwilling: Callable[[], None]
) -> None:
    """Until then each publish fails, and says why."""
    transport, topic = KafkaTransport(kafka_world.settings()), kafka_world.country.topic
    await transport.start()
    try:
        await deliver(transport, topic, b"k", b"0", partition=1)
        unwilling()
        _lose_count(transport, topic)
        with pytest.raises(BusUnavailableError):  # nobody knows whether it was written
            await deliver(transport, topic, b"k", b"1", partition=1)
        for _ in range(3):
            with pytest.raises(AccessDeniedError, match="grants no such operation"):
                await deliver(transport, topic, b"k", b"2", partition=1)
        monkeypatch.undo()
        await deliver(transport, topic, b"k", b"3", partition=1)
        await deliver(transport, topic, b"k", b"4", partition=0)
    finally:
        await transport.stop()
    found = [one.value for one in await kafka_world.records(topic)]
    assert sorted(value or b"" for value in found) == [b"0", b"3", b"4"]


async def test_a_publisher_waits_out_a_broker_that_gives_no_producer_id_in_time(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fails that the broker can still take."""
    transport, topic = KafkaTransport(kafka_world.settings()), kafka_world.country.topic
    send, late = AIOKafkaClient.send, list[int]()

    async def be_late(self: Any, node: Any, request: Any, **options: Any) -> Any:
        if isinstance(request, InitProducerIdRequest) and len(late) < 3:
            late.append(node)
            raise RequestTimedOutError
        return await send(self, node, request, **options)

    await transport.start()
    try:
        await deliver(transport, topic, b"k", b"0", partition=1)
        monkeypatch.setattr(AIOKafkaClient, "send", be_late)
        _lose_count(transport, topic)
        with pytest.raises(BusUnavailableError):
            await deliver(transport, topic, b"k", b"1", partition=1)
        await deliver(transport, topic, b"k", b"2", partition=1)
    finally:
        await transport.stop()
    assert len(late) == 3
    assert [one.value for one in await kafka_world.records(topic)] == [b"0", b"2"]


def _lose_count(transport: KafkaTransport, topic: str) -> None:
    """Let the next batch of partition 1 fail, so that a new producer id is asked for."""
    transport._producer.kafka._txn_manager.increment_sequence_number(KafkaPartition(topic, 1), 5)


async def test_transactions_begin_again_once_the_broker_gives_producer_ids_again(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch, unwilling: Callable[[], None]
) -> None:
    """Until then each fails as it begins, and says why."""
    opened = kafka_world.country.opened

    async def publish(number: int) -> None:
        async with bus.transaction("cases") as transaction:
            await transaction.publish(opened, case(number), version="1.0")

    async with kafka_world.bus(kafka_world.country.north) as bus:
        unwilling()
        for number in (1, 2):
            with pytest.raises(AccessDeniedError, match="grants no such operation"):
                await publish(number)
        monkeypatch.undo()
        await until(lambda: _done(publish(3)))
    records = await kafka_world.records(kafka_world.country.topic, committed=True)
    assert len(records) == 1


async def _done(work: Any) -> bool:
    await work
    return True
