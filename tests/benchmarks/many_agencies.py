"""`python -m tests.benchmarks.many_agencies`: one monitor over the receipts of a thousand agencies.

It measures what grows with their number: joining, a second monitor's rebalance, memory, processor time while
nothing is written, and how soon the receipts of one agency, and of a new one, are in the database.
"""

import asyncio
import os
import re
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import click
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bus import (
    DeliveryReceipt,
    EmbeddedKafka,
    Settings,
    TopicPartition,
    encode_receipts,
    open_consumer,
    open_offsets,
    receipts_topic,
)
from bus.receipts.receipts import RECEIPTS_PARTITIONS
from bus.transport import Consumer
from observability import Monitor, Store
from observability.evidence.topic_check import TopicCheck
from tests.benchmarks.resident import resident_bytes

IDLE_SECONDS = 30.0
PATIENCE_SECONDS = 300
TOPICS_AT_ONCE = 100
TOPICS = re.compile(r"agency-[0-9]+\.receipts$")


@click.command()
@click.option("--agencies", type=click.IntRange(2), default=1_000, show_default=True, help="How many.")
def main(agencies: int) -> None:
    """Measure a monitor over many agencies, on an embedded Kafka."""
    with EmbeddedKafka() as node, tempfile.TemporaryDirectory() as folder:
        asyncio.run(_measure(Settings(bootstrap_servers=node.bootstrap_servers), Path(folder), agencies))


async def _measure(settings: Settings, folder: Path, agencies: int) -> None:
    names = [f"agency-{number}" for number in range(agencies)]
    await _make(settings, names[:1])
    async with open_consumer(settings, group="first", topics=[receipts_topic(names[0])]):
        pass  # the cluster makes its topic of offsets for the first group
    await _make(settings, names[1:])
    partitions = agencies * RECEIPTS_PARTITIONS
    async with open_offsets(settings) as offsets:  # it answers once all are made on disk
        await offsets.ends(
            [TopicPartition(receipts_topic(name), n) for name in names for n in range(RECEIPTS_PARTITIONS)]
        )
    _say(f"{agencies} agencies, {partitions} partitions of receipts")
    before = resident_bytes()
    async with AsyncExitStack() as stack:
        store = stack.enter_context(Store(f"sqlite:///{folder / 'monitor.db'}", {}))
        first, seconds = await _joined(stack, settings, partitions)
        check = TopicCheck(await stack.enter_async_context(open_offsets(settings)), store)
        running = asyncio.create_task(_run(monitor := Monitor(store, first, check)))
        _say(f"joined after {seconds:.1f} s")
        started, used = time.monotonic(), time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        used, passed = time.process_time() - used, time.monotonic() - started
        _say(f"idle: {used / passed:.1%} of one core")
        _say(f"memory: {(resident_bytes() - before) / 2**20:.0f} MB more than before")
        seconds = await _until_kept(settings, store, f"agency-{agencies - 1}")
        _say(f"receipt in the database after {seconds:.2f} s")
        started = time.monotonic()
        await _make(settings, [f"agency-{agencies}"])
        await _until_kept(settings, store, f"agency-{agencies}")
        _say(f"receipt of a new agency in the database after {time.monotonic() - started:.1f} s")
        monitor.stop()
        await running
        started = time.monotonic()
        second = await stack.enter_async_context(open_consumer(settings, group="monitors", topics=TOPICS))
        half = (partitions + RECEIPTS_PARTITIONS) // 2
        await _until(lambda: _holds([first, second], half))
        _say(f"second monitor has its half after {time.monotonic() - started:.1f} s")


async def _make(settings: Settings, agencies: Sequence[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers, request_timeout_ms=120_000)
    await admin.start()
    try:
        new = [NewTopic(receipts_topic(agency), RECEIPTS_PARTITIONS, 1) for agency in agencies]
        for start in range(0, len(new), TOPICS_AT_ONCE):
            await admin.create_topics(new[start : start + TOPICS_AT_ONCE], timeout_ms=60_000)
        names = {topic.name for topic in new}

        async def are_made() -> bool:
            await asyncio.sleep(1)
            return names <= set(await admin.list_topics())

        await _until(are_made)
    finally:
        await admin.close()


async def _joined(stack: AsyncExitStack, settings: Settings, partitions: int) -> tuple[Consumer, float]:
    started = time.monotonic()
    consumer = await stack.enter_async_context(open_consumer(settings, group="monitors", topics=TOPICS))
    await _until(lambda: _holds([consumer], partitions))
    return consumer, time.monotonic() - started


async def _holds(consumers: Sequence[Consumer], partitions: int) -> bool:
    for consumer in consumers:
        await consumer.poll(0.1, 100)
    return all(len(consumer.assigned()) == partitions for consumer in consumers)


async def _run(monitor: Monitor) -> None:
    await monitor.run()


async def _until_kept(settings: Settings, store: Store, agency: str) -> float:
    had, started = store.summary().receipts, time.monotonic()
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap_servers) as producer:
        now_us = time.time_ns() // 1000
        row = DeliveryReceipt(
            f"event-of-{agency}", "urn:govbus:agency-0:main", "agency-0.opened.v1", "1.0", agency, "openers",
            "to-measure", None, f"case-of-{agency}", None, "ack", None, 1, "agency-0.opened.v1", 0, 0, now_us,
            now_us, now_us, now_us, 0, 100, "",
        )  # fmt: skip
        await producer.send_and_wait(receipts_topic(agency), encode_receipts([row]), partition=0)

    async def kept() -> bool:
        await asyncio.sleep(0.02)
        return store.summary().receipts > had

    await _until(kept)
    return time.monotonic() - started


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await holds():
            pass


def _say(text: str) -> None:
    click.echo(f"{text} (load {os.getloadavg()[0]:.1f})")


if __name__ == "__main__":
    main()
