"""Every agency's receipts have a topic of their own; monitors share all of them by partition number."""

import re
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from bus import Settings, apply_topics, open_consumer, receipts_topic
from bus.receipts.receipts import RECEIPTS_PARTITIONS
from bus.transport import Consumer
from tests.small_catalog import SmallCountry, case
from tests.worlds import KafkaWorld, until

FLOOD = 8_000


async def test_monitors_share_the_partitions_of_every_agency_those_made_later_included(
    kafka: str, tmp_path: Path
) -> None:
    """One partition number is at one member, whatever the agency; a new one is read from its start."""
    early, late = (SmallCountry(tmp_path / name) for name in ("early", "late"))
    settings = Settings(bootstrap_servers=kafka)
    await apply_topics(settings, early.catalog)
    agencies = [early.north, early.south, late.north, late.south]
    pattern = re.compile(rf"({'|'.join(agencies)})\.receipts$")
    async with AsyncExitStack() as stack:
        opened = [open_consumer(settings, group=f"{early.north}.monitor", topics=pattern) for _ in range(3)]
        members: list[Any] = [await stack.enter_async_context(one) for one in opened]
        await until(lambda: shared(members, agencies[:2]))
        await apply_topics(settings, late.catalog)
        async with KafkaWorld(late, kafka).bus(late.north) as bus:
            await bus.publish(late.opened, case(), version="1.0")
        for member in members:
            member._kafka._client.force_metadata_update()  # what it does by itself every half minute
        found: list[str] = []

        async def read() -> bool:
            for member in members:
                found.extend(place.topic for place in await member.poll(0.1, 100))
            return receipts_topic(late.north) in found and shared(members, agencies)

        await until(read)


def shared(members: list[Any], agencies: list[str]) -> bool:
    """Whether each partition number of these agencies is at one member, and each member has some."""
    held = [{(place.topic, place.partition) for place in member.assigned()} for member in members]
    topics = {receipts_topic(agency) for agency in agencies}
    numbers = [{number for _, number in places} for places in held]
    wanted = [{(topic, n) for topic in topics for n in ours} for ours in numbers]
    return held == wanted and all(numbers) and set.union(*numbers) == set(range(RECEIPTS_PARTITIONS))


async def test_a_flood_of_one_agency_delays_no_other(kafka: str, tmp_path: Path) -> None:
    """Each agency that has receipts gives as many of them to a poll."""
    country = SmallCountry(tmp_path)
    settings = Settings(bootstrap_servers=kafka)
    await apply_topics(settings, country.catalog)
    flood, quiet = receipts_topic(country.north), receipts_topic(country.south)
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for number in range(FLOOD):
            await producer.send(flood, b"x" * 100, partition=number % RECEIPTS_PARTITIONS)
        await producer.send_and_wait(quiet, b"y", partition=RECEIPTS_PARTITIONS - 1)
    pattern, read = re.compile(rf"({country.north}|{country.south})\.receipts$"), Counter[str]()
    async with open_consumer(settings, group=f"{country.north}.monitor", topics=pattern) as consumer:

        async def heard() -> bool:
            for place, records in (await consumer.poll(0.5, 500)).items():
                read[place.topic] += len(records)
            return bool(read[quiet])

        await until(heard)
        assert read[flood] <= FLOOD / 4
        await until(lambda: _all_read(consumer, read, flood))
        assert read == {flood: FLOOD, quiet: 1}


async def _all_read(consumer: Consumer, read: Counter[str], topic: str) -> bool:
    for place, records in (await consumer.poll(0.5, 500)).items():
        read[place.topic] += len(records)
    return read[topic] >= FLOOD
