"""A dishonest agency with its own credentials: it may write no other's topics, and lies in its own.

Each seed tells other lies: receipts of a running case, changed at random, also of its end at the offset of an
event of another case. Nothing of the others changes, and every lie is counted under the name of the liar.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from bus import (
    MONITOR_GROUP,
    RECEIPTS_TOPICS,
    AccessDeniedError,
    BusError,
    DeliveryReceipt,
    EmbeddedKafka,
    PublishReceipt,
    Receipt,
    checkpoints_topic,
    encode_receipts,
    open_consumer,
    open_offsets,
    receipts_topic,
)
from bus.cluster.desired import MONITOR
from bus.kafka.transport import KafkaTransport
from bus.table import deliver
from bus.topics import audit_topic, dead_letter_topic, parked_topic
from observability import Monitor, Store
from observability.evidence.topic_check import TopicCheck
from observability.identity import AnyReceipt
from tests.granted import GuardedCountry
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS

LIES = 300
DAYS_US = 3 * 86_400 * 1_000_000
SERVICE = "one-case"


@pytest.fixture(scope="module")
def node() -> Iterator[EmbeddedKafka]:
    """A Kafka that asks everyone who he is."""
    with EmbeddedKafka(sasl=True) as node:
        yield node


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.crash) for seed in range(1, 12))])
async def test_a_dishonest_agency_changes_nothing_of_others(
    node: EmbeddedKafka, tmp_path: Path, seed: int
) -> None:
    """Neither positions of connectors, nor cases, nor what is counted of other agencies."""
    country = GuardedCountry(tmp_path / "catalog", node)
    await country.apply_anyway()
    checkpoints, chance = checkpoints_topic(country.north), random.Random(seed)
    async with country.bus(country.north) as north:
        table = north.table(checkpoints)
        await table.put("register/0", b"17")
        sent = [
            await north.publish(country.opened, case(n, f"case-{n:04}"), version="1.1", service=SERVICE)
            for n in range(3)
        ]
    async with country.bus(country.south) as south:
        other = await south.publish(country.closed, case(9), version="1.0")
    with Store(f"sqlite:///{tmp_path / 'm.db'}", country.catalog.services) as store:
        await watch(country, store, lambda: len(store.transactions(limit=1_000)) == len(sent) + 1)
        before = seen(store, country)
        running = [id_ for id_, state, *_ in before[0] if state == "open"]
        assert len(running) == len(sent)
        async with speaking(country) as liar:
            await take_over(country, liar)
            true = [receipt for id_ in running for receipt in told(country, sent, id_, other)]
            lies = [lie(chance, chance.choice(true), country) for _ in range(LIES)]
            for one in lies:
                place = chance.randrange(4)
                await deliver(
                    liar, receipts_topic(country.south), None, encode_receipts([one]), partition=place
                )
        await watch(country, store, lambda: judged(store) >= LIES / 2 and not store.summary().unchecked)
        assert seen(store, country) == before
        assert {view.agency for view in store.refusals()} == {country.south}
        assert store.summary().unchecked == 0
    async with country.bus(country.north) as north:
        assert await north.table(checkpoints).get("register/0") == b"17"


async def take_over(country: GuardedCountry, liar: KafkaTransport) -> None:
    """Try to write and read what is another's; all of it is refused."""
    north = country.north
    own = (receipts_topic(north), checkpoints_topic(north), parked_topic(north), audit_topic(north))
    for topic in (*own, dead_letter_topic(north), country.topic):
        with pytest.raises(BusError):
            await deliver(liar, topic, b"register/0", b"99", partition=0)
    with pytest.raises(BusError):
        await liar.read_all(checkpoints_topic(north))
    transactional = liar.transactional(f"{north}.named.register")
    with pytest.raises(AccessDeniedError):
        await transactional.start()
    await transactional.stop()


def told(country: GuardedCountry, sent: Any, transaction: str, other: Receipt) -> list[AnyReceipt]:
    """Return true receipts of a case, and of its end, which nobody has published: there is another event."""
    (opened,) = (one for one in sent if one.transaction == transaction)
    at_us = opened.timestamp * 1000
    start = PublishReceipt(
        opened.id, f"urn:govbus:{country.north}:main", f"{country.opened}.v1", "1.1", country.north, SERVICE,
        transaction, None, "published", None, opened.topic, opened.partition, opened.offset, at_us, at_us,
        at_us, at_us, 0, 40, "0" * 64, None,
    )  # fmt: skip
    end = replace(
        start, event_id=f"end-{transaction}", source=f"urn:govbus:{country.south}:main", agency=country.south,
        type=f"{country.closed}.v1", topic=f"{country.closed}.v1", version="1.0", causation=opened.id,
    )  # fmt: skip
    heard = DeliveryReceipt(
        opened.id, start.source, start.type, "1.1", country.south, "close-cases", "close-cases", SERVICE,
        transaction, None, "ack", None, 1, opened.topic, opened.partition, opened.offset, at_us, at_us, at_us,
        at_us + 9_000, 0, 40, "0" * 64,
    )  # fmt: skip
    elsewhere = replace(
        end, partition=other.partition, offset=other.offset, broker_time_us=other.timestamp * 1000
    )
    return [start, end, elsewhere, heard]


def lie(chance: random.Random, true: AnyReceipt, country: GuardedCountry) -> AnyReceipt:
    """Change some of a receipt.

    What the liar may say of its own failures is none of it; nor is an event without an offset.
    """
    numbers = [field.name for field in fields(true) if field.type is int and field.name != "skew_us"]
    changes: dict[str, Any] = {}
    for name in chance.sample(numbers, k=chance.randrange(4)):
        old = getattr(true, name)
        changes[name] = chance.choice([0, -1, old + 1, old - 1, old + DAYS_US, old - DAYS_US])
    if changes.get("offset") == -1:
        changes["offset"] = -2
    if "partition" in changes or "attempt" in changes:
        changes |= {name: abs(changes[name]) % 9 for name in ("partition", "attempt") if name in changes}
    if chance.random() < 0.5:
        changes["agency"] = country.south
    if chance.random() < 0.3:
        changes["service"] = chance.choice([None, "a-service", SERVICE])
    if chance.random() < 0.3:
        changes["event_id"] = f"made-up-{chance.randrange(9)}"
    return replace(true, **changes)


def seen(store: Store, country: GuardedCountry) -> tuple[list[tuple[Any, ...]], object, object]:
    """Return cases, services, and agencies but the liar's own."""
    cases = [
        (
            view.id,
            view.state,
            view.late,
            view.service,
            view.started,
            view.due,
            [(wait.event, wait.agency, wait.since, wait.due, wait.cause) for wait in view.waits_for],
        )
        for view in store.transactions(limit=1_000)
    ]
    others = [view for view in store.agencies() if view.name != country.south]
    summary = store.summary()
    counts = (summary.transactions, summary.completed, summary.stuck, summary.late, summary.published)
    return cases, others, counts


@asynccontextmanager
async def speaking(country: GuardedCountry) -> AsyncIterator[KafkaTransport]:
    """Connect under the liar's own name."""
    transport = KafkaTransport(country.settings(country.south))
    await transport.start()
    try:
        yield transport
    finally:
        await transport.stop()


def judged(store: Store) -> int:
    """Return how many receipts are not believed."""
    return sum(view.receipts for view in store.refusals())


async def watch(country: GuardedCountry, store: Store, is_enough: Callable[[], bool]) -> None:
    """Run a monitor under its own name until it has enough, and then until nothing new comes."""
    settings = country.settings(MONITOR)
    async with (
        open_consumer(
            settings, group=f"{MONITOR_GROUP}.{os.urandom(4).hex()}", topics=RECEIPTS_TOPICS
        ) as consumer,
        open_offsets(settings) as offsets,
    ):
        monitor, quiet = Monitor(store, consumer, TopicCheck(offsets, store)), 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while quiet < 3 or not is_enough():
                before = judged(store)
                new = await monitor.step()
                quiet = 0 if new or judged(store) > before else quiet + 1
