"""Who subscribes: the bus, bare aiokafka, FastStream.

The clock runs from the end of the warm-up to the last event. The bus flushes receipts and commits every
0.1 s beside the handler, so the clock holds all of that but the last.
"""

import asyncio
from functools import partial
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from bus import Bus, Event, Settings
from tests.benchmarks.job import Job, Result
from tests.benchmarks.resident import resident_bytes
from tests.benchmarks.stopwatch import Stopwatch

RESIDENT_EVERY = 10_000


class Count:
    """Counts events and stops the time."""

    def __init__(self, job: Job) -> None:
        self._events, self._warm_up = job.events, job.warm_up
        self._watch = Stopwatch()
        self._result = Result()
        self._limit_seconds = job.limit_seconds
        self._done = asyncio.Event()
        self.seen = 0

    def one(self) -> bool:
        """Count one event; return whether it was the last."""
        self.seen += 1
        if self.seen == self._warm_up:
            self._watch = Stopwatch()
        elif self.seen == self._events:
            self._result = self._watch.result(self._events - self._warm_up)
            self._done.set()
        return self.seen >= self._events

    async def last(self) -> None:
        """Wait for the last event.

        Raises:
            TimeoutError: it did not come in time.
        """
        async with asyncio.timeout(self._limit_seconds):
            await self._done.wait()

    def result(self) -> Result:
        """Return what was counted."""
        return self._result


async def govbus(job: Job) -> Result:
    """Handle events one by one: validated, with receipts, at least once."""
    count = Count(job)
    bus = reading_bus(job)

    @bus.subscribe(job.country.subject, version=1, purpose="benchmark", name=job.group)
    async def handle(event: Event[Any]) -> None:
        count.one()

    async with bus:
        await count.last()
    return count.result()


async def answering(job: Job, *, exactly_once: bool = False) -> Result:
    """Publish an answer to each event, and await it."""
    count, bus, answer = Count(job), reading_bus(job), job.country.answer
    options: Any = {"exactly_once": True} if exactly_once else {}

    @bus.subscribe(job.country.subject, version=1, purpose="benchmark", name=job.group, **options)
    async def handle(event: Event[Any]) -> None:
        await event.publish(answer, event.data, version="1.0")
        count.one()

    async with bus:
        await count.last()
    return count.result()


exactly_once = partial(answering, exactly_once=True)
"""Publish an answer to each event, in one transaction with the offset."""


def reading_bus(job: Job) -> Bus:
    """Return a bus of the agency that reads."""
    country = job.country
    settings = Settings(bootstrap_servers=job.bootstrap_servers)
    return Bus(country.reader, settings=settings, catalog=country.catalog())


async def aiokafka(job: Job) -> Result:
    """Read values and decode them; offsets are committed by the client itself, every five seconds."""
    count = Count(job)
    consumer = bare_consumer(job)
    await consumer.start()
    try:
        async with asyncio.timeout(job.limit_seconds):
            async for record in consumer:
                orjson.loads(record.value)
                if count.one():
                    break
    finally:
        await consumer.stop()
    return count.result()


def bare_consumer(job: Job, **options: Any) -> Any:
    """Return an aiokafka consumer with the client's own settings, but for `options`."""
    return AIOKafkaConsumer(
        job.country.topic,
        bootstrap_servers=job.bootstrap_servers,
        group_id=job.group,
        auto_offset_reset="earliest",
        **options,
    )


async def faststream(job: Job) -> Result:
    """Handle dicts under FastStream's default policy, which acknowledges first: at most once."""
    return await _faststream(job, AckPolicy.ACK_FIRST)


async def faststream_at_least_once(job: Job) -> Result:
    """Handle dicts under the policy that gives what the bus gives: each committed after its handler."""
    return await _faststream(job, AckPolicy.ACK)


async def _faststream(job: Job, policy: AckPolicy) -> Result:
    count = Count(job)
    broker = KafkaBroker(job.bootstrap_servers, logger=None)

    @broker.subscriber(job.country.topic, group_id=job.group, auto_offset_reset="earliest", ack_policy=policy)
    async def handle(body: dict[str, Any]) -> None:
        count.one()

    async with broker:
        await broker.start()
        await count.last()
    return count.result()


async def resident(job: Job) -> Result:
    """Handle events with the bus and note what the process keeps in memory on the way."""
    count, bus = Count(job), reading_bus(job)
    noted: list[tuple[int, int]] = []

    @bus.subscribe(job.country.subject, version=1, purpose="benchmark", name=job.group)
    async def handle(event: Event[Any]) -> None:
        count.one()
        if count.seen % RESIDENT_EVERY == 0:
            noted.append((count.seen, resident_bytes()))

    async with bus:
        try:
            await count.last()
        except TimeoutError:
            return Result(count.seen, job.limit_seconds, resident=noted)
    return Result(count.seen, count.result().seconds, resident=noted)
