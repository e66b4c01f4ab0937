"""Latency in an open loop: events are due on a fixed grid and counted from when they were due.

A publisher that falls behind does not slow the grid, so a stall counts against every event it holds up: no
coordinated omission. Publisher and subscriber are two processes; both read the machine's monotonic clock.
"""

import asyncio
import threading
from array import array
from collections.abc import Awaitable, Callable
from time import monotonic_ns, sleep
from typing import Any

import orjson

from bus import Bus, Event, Settings
from tests.benchmarks.country import applications, number_of
from tests.benchmarks.job import Job, ReadySignal, Result
from tests.benchmarks.publishing import bare_sending
from tests.benchmarks.records import settle_memory
from tests.benchmarks.subscribing import bare_consumer, reading_bus

LEAD_NS = 100_000_000

Start = Callable[[int], Awaitable[Any]]


class Arrivals:
    """When each event reached the handler."""

    def __init__(self, job: Job) -> None:
        self._times = array("q", bytes(8 * job.events))
        self._missing = job.events
        self._limit_seconds = job.limit_seconds
        self._done = asyncio.Event()

    def note(self, data: Any) -> None:
        """Take one event in."""
        number = number_of(data["reference"])
        if not self._times[number]:
            self._times[number] = monotonic_ns()
            self._missing -= 1
            if not self._missing:
                self._done.set()

    async def result(self) -> Result:
        """Wait for all, or for the limit, and return them."""
        try:
            async with asyncio.timeout(self._limit_seconds):
                await self._done.wait()
        except TimeoutError:
            pass
        return Result(len(self._times) - self._missing, arrivals_ns=list(self._times))


async def read_by_govbus(job: Job, ready: ReadySignal) -> Result:
    """Handle events with the bus."""
    arrivals, bus = Arrivals(job), reading_bus(job)

    @bus.subscribe(job.country.subject, version=1, purpose="benchmark", name=job.group)
    async def handle(event: Event[Any]) -> None:
        arrivals.note(event.data)

    async with bus:
        ready.give()
        return await arrivals.result()


async def read_by_aiokafka(job: Job, ready: ReadySignal) -> Result:
    """Read events with bare aiokafka."""
    arrivals, consumer = Arrivals(job), bare_consumer(job)

    async def read() -> None:
        async for record in consumer:
            arrivals.note(orjson.loads(record.value))

    await consumer.start()
    reading = asyncio.create_task(read())
    ready.give()
    try:
        return await arrivals.result()
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await consumer.stop()


async def publish_by_govbus(job: Job) -> Result:
    """Publish with the bus, on the grid."""
    country = job.country
    settings = Settings(bootstrap_servers=job.bootstrap_servers)
    data = list(applications(job.payload_bytes, job.events))
    settle_memory()
    async with Bus(country.writer, settings=settings, catalog=country.catalog()) as bus:
        return await on_grid(job, lambda number: bus.submit(country.subject, data[number], version="1.0"))


async def publish_by_aiokafka(job: Job) -> Result:
    """Publish ready-made records with bare aiokafka, on the grid."""
    async with bare_sending(job) as send:
        return await on_grid(job, lambda number: asyncio.create_task(send(number)))


async def on_grid(job: Job, start: Start) -> Result:
    """Start event after event when it is due, whatever became of those before, and wait for all.

    Args:
        job: says how many and how many per second.
        start: begins one event; what it returns is awaited at the end.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    started: list[Awaitable[Any]] = []
    first_ns = monotonic_ns() + LEAD_NS
    interval_ns = 1_000_000_000 // job.rate

    def begin(number: int) -> None:
        started.append(start(number))

    def pace() -> None:
        # A thread, since timers of event loops are as coarse as the grid itself.
        for number in range(job.events):
            wait_ns = first_ns + number * interval_ns - monotonic_ns()
            if wait_ns > 0:
                sleep(wait_ns / 1e9)
            loop.call_soon_threadsafe(begin, number)
        loop.call_soon_threadsafe(done.set)

    threading.Thread(target=pace, daemon=True).start()
    await done.wait()
    await asyncio.gather(*started)
    return Result(job.events, job.events / job.rate, started_ns=first_ns)
