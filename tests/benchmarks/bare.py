"""What an able programmer would write on aiokafka alone to have what the bus gives, tuned as the bus is."""

import asyncio
from hashlib import sha256
from time import monotonic, time_ns
from typing import Any

import jsonschema_rs
import orjson
from uuid_utils import uuid7

from tests.benchmarks.country import schema
from tests.benchmarks.job import Job, Result
from tests.benchmarks.publishing import bare_producer
from tests.benchmarks.subscribing import Count, bare_consumer

RECORDS = 200
COMMIT_SECONDS = 0.1
RECEIPTS = 1_000
REQUIRED = ("ce_id", "ce_source", "ce_type", "ce_specversion")


async def checking(job: Job) -> Result:
    """Parse, validate, hash and hand over each event; commit when the broker has the receipts."""
    count, validator, topic = Count(job), jsonschema_rs.validator_for(schema()), job.country.receipts_topic
    consumer, producer = bare_consumer(job, enable_auto_commit=False), bare_producer(job)
    rows: list[Any] = []

    async def handle(data: Any) -> bool:
        return count.one()

    async def commit() -> None:
        parts = [rows[start : start + RECEIPTS] for start in range(0, len(rows), RECEIPTS)]
        rows.clear()
        await asyncio.gather(*[await producer.send(topic, orjson.dumps(part)) for part in parts])
        await consumer.commit()

    await asyncio.gather(consumer.start(), producer.start())
    try:
        due, done = monotonic() + COMMIT_SECONDS, False
        while not done:
            for records in (await consumer.getmany(timeout_ms=100, max_records=RECORDS)).values():
                for record in records:
                    received_ns = time_ns()
                    headers = dict(record.headers)
                    if not all(headers.get(name) for name in REQUIRED):
                        raise ValueError
                    data = orjson.loads(record.value)
                    if not validator.is_valid(data):
                        raise ValueError
                    done = await handle(data)
                    rows.append((
                        headers["ce_id"].decode(), headers["ce_source"].decode(), headers["ce_type"].decode(),
                        record.topic, record.partition, record.offset, record.timestamp, received_ns,
                        time_ns(), len(record.value), sha256(record.value).hexdigest(),
                    ))  # fmt: skip
            if monotonic() > due:
                await commit()
                due = monotonic() + COMMIT_SECONDS
        await commit()
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())
    return count.result()


async def answering(job: Job) -> Result:
    """Send an answer to each event and await it, as one would write it; nothing is checked or noted."""
    count, answer = Count(job), job.country.answer_topic
    consumer, producer = bare_consumer(job), bare_producer(job)
    await asyncio.gather(consumer.start(), producer.start())
    try:
        async for record in consumer:
            headers = [(name, value) for name, value in record.headers if name != "ce_id"]
            headers.append(("ce_id", str(uuid7()).encode()))
            value = orjson.dumps(orjson.loads(record.value))
            await producer.send_and_wait(answer, value, key=record.key, headers=headers)
            if count.one():
                break
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())
    return count.result()


async def exactly_once(job: Job) -> Result:
    """Send an answer to each event, in one transaction with the offsets; nothing is checked or noted."""
    count, answer = Count(job), job.country.answer_topic
    consumer = bare_consumer(job, enable_auto_commit=False, isolation_level="read_committed")
    producer = bare_producer(job, transactional_id=job.group)
    await asyncio.gather(consumer.start(), producer.start())
    try:
        done = False
        while not done:
            batches = await consumer.getmany(timeout_ms=100, max_records=1_000)
            if not batches:
                continue
            async with producer.transaction():
                for records in batches.values():
                    for record in records:
                        data = orjson.loads(record.value)
                        headers = [(name, value) for name, value in record.headers if name != "ce_id"]
                        headers.append(("ce_id", str(uuid7()).encode()))
                        await producer.send(answer, orjson.dumps(data), key=record.key, headers=headers)
                        done = count.one()
                ends = {place: records[-1].offset + 1 for place, records in batches.items()}
                await producer.send_offsets_to_transaction(ends, job.group)
    finally:
        await asyncio.gather(consumer.stop(), producer.stop())
    return count.result()
