"""Handlers that wait, as for a legacy system's answer, and whether each key's events keep their order."""

import asyncio
import inspect
from dataclasses import replace
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage

from bus import Bus, Event
from tests.benchmarks.job import Job, Result
from tests.benchmarks.subscribing import Count, reading_bus

WORKERS = 64


class Orders:
    """Finds events that were begun before an earlier one of their key was done."""

    def __init__(self) -> None:
        self._last: dict[bytes, int] = {}
        self._in_hand: set[bytes] = set()
        self.broken = 0

    def begin(self, key: bytes, offset: int) -> None:
        """Note an event whose handler begins."""
        self.broken += key in self._in_hand or offset < self._last.get(key, -1)
        self._last[key] = offset
        self._in_hand.add(key)

    def end(self, key: bytes) -> None:
        """Note an event whose handler ends."""
        self._in_hand.discard(key)


async def govbus(job: Job) -> Result:
    """Wait in the bus' handlers, `concurrency` of them at once."""
    options: dict[str, Any] = {}
    if "concurrency" in inspect.signature(Bus.subscribe).parameters:
        options = {"concurrency": job.concurrency or WORKERS}
    elif job.concurrency != 1:
        return Result(skipped="`Bus.subscribe` has no `concurrency`")
    count, bus, orders = Count(job), reading_bus(job), Orders()

    @bus.subscribe(job.country.subject, version=1, purpose="benchmark", name=job.group, **options)
    async def handle(event: Event[Any]) -> None:
        key = event.record.key or b""
        orders.begin(key, event.offset)
        await asyncio.sleep(job.wait_seconds)
        orders.end(key)
        count.one()

    async with bus:
        await count.last()
    return replace(count.result(), disorder=orders.broken)


async def govbus_one_by_one(job: Job) -> Result:
    """Wait in one handler of a partition at a time."""
    return await govbus(replace(job, concurrency=1))


async def faststream(job: Job) -> Result:
    """Wait in FastStream's workers, which acknowledge first: at most once."""
    count, orders = Count(job), Orders()
    broker = KafkaBroker(job.bootstrap_servers, logger=None)

    @broker.subscriber(
        job.country.topic,
        group_id=job.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK_FIRST,
        max_workers=WORKERS,
    )
    async def handle(body: dict[str, Any], message: KafkaMessage) -> None:
        record: Any = message.raw_message
        orders.begin(record.key, record.offset)
        await asyncio.sleep(job.wait_seconds)
        orders.end(record.key)
        count.one()

    async with broker:
        await broker.start()
        await count.last()
    return replace(count.result(), disorder=orders.broken)
