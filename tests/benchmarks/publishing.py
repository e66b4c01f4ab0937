"""Who publishes: the bus, bare aiokafka, confluent-kafka with its JSON Schema serializer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from time import monotonic_ns
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from bus import Bus, Settings
from tests.benchmarks.country import applications, schema
from tests.benchmarks.job import Job, Result
from tests.benchmarks.records import Headers, Ready, ready_records, settle_memory, written_headers
from tests.benchmarks.stopwatch import Stopwatch

WINDOW_EVENTS = 10_000
"""Events on their way at once; the bus' own number."""

BATCH_BYTES = 262_144
"""The bus' own batch size; aiokafka's is 16 KB."""


async def govbus(job: Job) -> Result:
    """Publish dicts: validated, acks=all, with receipts."""
    country = job.country
    settings = Settings(bootstrap_servers=job.bootstrap_servers)
    data = list(applications(job.payload_bytes, job.events, keys=job.keys))
    settle_memory()
    async with Bus(country.writer, settings=settings, catalog=country.catalog()) as bus:
        await bus.publish_many(country.subject, data[: job.warm_up], version="1.0")
        measured = data[job.warm_up :]
        watch = Stopwatch()
        receipts = await bus.publish_many(country.subject, measured, version="1.0")
        result = watch.result(len(measured))
    _all_of(len(measured), len(receipts))
    return result


async def aiokafka(job: Job) -> Result:
    """Publish ready-made records: acks=all, idempotent, batches of 256 KB, two windows of futures at once."""
    records = list(ready_records(job, await written_headers(job), job.events))
    settle_memory()
    producer = bare_producer(job)
    await producer.start()
    try:
        await _send(producer, job.country.topic, records[: job.warm_up])
        measured = records[job.warm_up :]
        watch = Stopwatch()
        sent = await _send(producer, job.country.topic, measured)
        result = watch.result(len(measured))
    finally:
        await producer.stop()
    _all_of(len(measured), sent)
    return result


def bare_producer(job: Job, **options: Any) -> Any:
    """Return an aiokafka producer as safe and tuned as the bus: acks=all, idempotent, large batches."""
    return AIOKafkaProducer(
        bootstrap_servers=job.bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        max_batch_size=BATCH_BYTES,
        **options,
    )


async def _send(producer: Any, topic: str, records: Sequence[Ready]) -> int:
    sent, earlier = 0, None
    for start in range(0, len(records), WINDOW_EVENTS):
        futures = [
            await producer.send(topic, value=value, key=key, headers=headers)
            for key, value, headers in records[start : start + WINDOW_EVENTS]
        ]
        window = asyncio.gather(*futures)
        if earlier is not None:
            sent += len(await earlier)
        earlier = window
    return sent + (len(await earlier) if earlier is not None else 0)


async def feed(job: Job) -> Result:
    """Publish records made on the way, window by window, so that a million need no memory."""
    producer = bare_producer(job)
    await producer.start()
    watch, sent = Stopwatch(), 0
    window: list[Ready] = []
    try:
        for record in ready_records(job, await written_headers(job), job.events):
            window.append(record)
            if len(window) == WINDOW_EVENTS:
                sent += await _send(producer, job.country.topic, window)
                window.clear()
        sent += await _send(producer, job.country.topic, window)
    finally:
        await producer.stop()
    _all_of(job.events, sent)
    return watch.result(job.events)


async def one_by_one(job: Job) -> Result:
    """Await each `publish` before the next: the event and its receipt."""
    country = job.country
    settings = Settings(bootstrap_servers=job.bootstrap_servers)
    data = list(applications(job.payload_bytes, job.events))
    settle_memory()
    async with Bus(country.writer, settings=settings, catalog=country.catalog()) as bus:
        return await _timed(job, lambda number: bus.publish(country.subject, data[number], version="1.0"))


async def aiokafka_one_by_one(job: Job) -> Result:
    """Await each record before the next."""
    async with bare_sending(job) as send:
        return await _timed(job, send)


@asynccontextmanager
async def bare_sending(job: Job) -> AsyncIterator[Callable[[int], Coroutine[Any, Any, Any]]]:
    """Yield what sends the ready-made record of a number with bare aiokafka, and awaits it."""
    topic, producer = job.country.topic, bare_producer(job)
    records = list(ready_records(job, await written_headers(job), job.events))
    settle_memory()
    await producer.start()

    async def send(number: int) -> None:
        key, value, headers = records[number]
        await producer.send_and_wait(topic, value=value, key=key, headers=headers)

    try:
        yield send
    finally:
        await producer.stop()


async def _timed(job: Job, send: Callable[[int], Awaitable[Any]]) -> Result:
    """Return how long each call took, after the warm-up."""
    durations: list[int] = []
    watch = Stopwatch()
    for number in range(job.events):
        if number == job.warm_up:
            watch = Stopwatch()
        began = monotonic_ns()
        await send(number)
        if number >= job.warm_up:
            durations.append(monotonic_ns() - began)
    return replace(watch.result(len(durations)), durations_ns=durations)


def confluent(job: Job) -> Result:
    """Publish dicts through the JSON Schema serializer, which validates each: acks=all, idempotent."""
    try:
        serializer, context = _confluent_serializer(job)
    except ImportError as error:
        return Result(
            skipped=f"confluent-kafka's JSON Schema extra is not installed ({error.name} is missing)"
        )
    headers = [record.headers for record in ready_records(job, asyncio.run(written_headers(job)), job.events)]
    data = list(applications(job.payload_bytes, job.events))
    settle_memory()
    race = _ConfluentRace(job, serializer, context)
    race.publish(data[: job.warm_up], headers[: job.warm_up])
    measured = data[job.warm_up :]
    watch = Stopwatch()
    sent = race.publish(measured, headers[job.warm_up :])
    result = watch.result(len(measured))
    _all_of(len(measured), sent)
    return result


class _ConfluentRace:
    def __init__(self, job: Job, serializer: Any, context: Any) -> None:
        from confluent_kafka import Producer

        self._topic = job.country.topic
        self._serialize = partial(serializer, ctx=context)
        self._producer = Producer(
            {"bootstrap.servers": job.bootstrap_servers, "acks": "all", "enable.idempotence": True}
        )
        self._sent = 0

    def publish(self, items: Sequence[dict[str, Any]], headers: Sequence[Headers]) -> int:
        producer: Any = self._producer
        topic, serialize, delivered = self._topic, self._serialize, self._delivered
        self._sent = 0
        for data, own in zip(items, headers, strict=True):
            value, key = serialize(data), data["reference"]
            while True:
                try:
                    producer.produce(topic, value, key, on_delivery=delivered, headers=own)
                    break
                except BufferError:
                    producer.poll(0.05)
            producer.poll(0)
        producer.flush()
        return self._sent

    def _delivered(self, error: Any, message: Any) -> None:
        if error is None:
            self._sent += 1


def _confluent_serializer(job: Job) -> tuple[Any, Any]:
    from confluent_kafka.schema_registry import SchemaRegistryClient
    from confluent_kafka.schema_registry.json_schema import JSONSerializer
    from confluent_kafka.serialization import MessageField, SerializationContext

    registry = SchemaRegistryClient.new_client({"url": "mock://benchmarks"})
    serializer = JSONSerializer(orjson.dumps(schema()).decode(), registry)
    return serializer, SerializationContext(job.country.topic, MessageField.VALUE)


def _all_of(expected: int, got: int) -> None:
    if got != expected:
        raise RuntimeError(f"Expected {expected} acknowledgements, got {got}")
