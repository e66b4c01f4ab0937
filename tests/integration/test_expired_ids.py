"""A transactional id that the cluster has forgotten, since nobody used it for long."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bus import EmbeddedKafka, Event, FencedError, apply_topics
from bus.embedded.config import _SMALL
from bus.kafka.requests import describe_transactions
from bus.kafka.transactional import TRANSACTIONAL_ID_NOT_FOUND
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, until

QUICK = {
    "transactional.id.expiration.ms": "1500",
    "transaction.remove.expired.transaction.cleanup.interval.ms": "250",
}
"""A cluster of production forgets after a week."""


@pytest.fixture
async def world(country: SmallCountry, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KafkaWorld]:
    """A country on a broker that soon forgets."""
    for name, value in QUICK.items():
        monkeypatch.setitem(_SMALL, name, value)
    node = EmbeddedKafka()
    await asyncio.to_thread(node.start)
    try:
        found = KafkaWorld(country, node.bootstrap_servers)
        await apply_topics(found.settings(), country.catalog)
        yield found
    finally:
        await asyncio.to_thread(node.stop)


@pytest.mark.sampled(0)
@pytest.mark.parametrize("name", [None, "office"])
async def test_transactions_begin_anew(world: KafkaWorld, name: str | None) -> None:
    """Named or not, without an error; so does a subscription that had nothing to do."""
    seen = list[int]()
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="edge", exactly_once=True)
    async def handle(event: Event[Any]) -> None:
        await event.publish(world.country.closed, event.data, version="1.0")
        seen.append(event.data["number"])

    async with world.bus(world.country.north) as publisher, bus:
        for turn in range(3):
            async with publisher.transaction(name) as transaction:
                await transaction.publish(world.country.opened, case(turn), version="1.0")
            await until(lambda: len(seen) == turn + 1)  # noqa: B023
            idle: Any = publisher._transactions._idle
            held: Any = [one for one in bus._subscribers[0]._partitions.values() if one.window.reached]
            for identity in (idle[name or ""][0]._identity, held[0].transactions._transport._identity):
                await until(lambda: _is_forgotten(world, identity))  # noqa: B023
    assert seen == [0, 1, 2]
    assert len(await world.records(f"{world.country.closed}.v1", committed=True)) == 3


@pytest.mark.sampled(0)
async def test_a_newer_holder_is_not_put_out(world: KafkaWorld) -> None:
    """The name was forgotten, then taken by another process: the older one hears that it is fenced."""
    async with world.bus(world.country.north) as older, world.bus(world.country.north) as newer:
        async with older.transaction("office") as transaction:
            await transaction.publish(world.country.opened, case(1), version="1.0")
        await until(lambda: _is_forgotten(world, f"{world.country.north}.named.office"))
        async with newer.transaction("office") as transaction:
            await transaction.publish(world.country.opened, case(2), version="1.0")
        with pytest.raises(FencedError):
            async with older.transaction("office"):
                raise AssertionError("not reached")
        async with newer.transaction("office") as transaction:
            await transaction.publish(world.country.opened, case(3), version="1.0")


async def _is_forgotten(world: KafkaWorld, identity: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    try:
        await admin.start()
        answer = await admin._send_request(describe_transactions(identity))
        return bool(answer.states[0][0] == TRANSACTIONAL_ID_NOT_FOUND)
    finally:
        await admin.close()
