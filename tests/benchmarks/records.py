"""Ready-made records for those who validate nothing: the bytes and headers that the bus itself would send."""

import gc
from collections.abc import Iterator
from typing import NamedTuple

import orjson
from uuid_utils import uuid7

from bus.testing import InMemoryBus, InMemoryCluster
from tests.benchmarks.country import applications
from tests.benchmarks.job import Job

Headers = list[tuple[str, bytes]]

OWN = ("ce_id", "ce_partitionkey")
"""Headers with a value of each event's own."""


class Ready(NamedTuple):
    """One record before it is sent."""

    key: bytes
    value: bytes
    headers: Headers


async def written_headers(job: Job) -> Headers:
    """Return the headers that the bus gives one event of the race."""
    country = job.country
    cluster = InMemoryCluster(country.catalog())
    async with InMemoryBus(country.writer, cluster=cluster) as bus:
        await bus.publish(country.subject, next(applications(job.payload_bytes, 1)), version="1.0")
    return [(name, value or b"") for name, value in cluster.records(country.topic)[0].headers]


def ready_records(job: Job, template: Headers, count: int) -> Iterator[Ready]:
    """Yield records as the bus writes them, each with an id of its own.

    Args:
        job: says how large the data is.
        template: the headers of one event of the bus.
        count: how many.
    """
    fixed = [header for header in template if header[0] not in OWN]
    for data in applications(job.payload_bytes, count, keys=job.keys):
        key = data["reference"].encode()
        own = [("ce_id", str(uuid7()).encode()), ("ce_partitionkey", key)]
        yield Ready(key, orjson.dumps(data), [*fixed, *own])


def settle_memory() -> None:
    """Take what was made ready out of the garbage collector's rounds, the same for every contestant."""
    gc.collect()
    gc.freeze()
