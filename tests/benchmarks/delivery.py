"""What order-preserving retry and exactly-once cost: `python -m tests.benchmarks.delivery`.

One broker, alternating rounds, medians; a subscriber in this process handles events that lie there already.
The open loop publishes at a steady rate and measures from the broker's time of an event to its handler.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

from bus import Bus, Draft, EmbeddedKafka, Event, RetryPolicy, Settings, apply_topics
from tests.benchmarks.resident import resident_bytes
from tests.small_catalog import SmallCountry, case

EVENTS, KEYS, ROUNDS = 40_000, 5_000, 3
PARKED_KEYS = 100_000
OPEN_LOOP_SECONDS, RATE = 15, 1_000
WARM_SECONDS = 3
LATER = 10_000_000
"""Number of the first event that is measured."""
FAILING = {"1 key in 100 fails": 100}
REPLAYED = """
import os
from bus import Bus

bus = Bus(os.environ["REPLAYED_AGENCY"])

@bus.subscribe(os.environ["REPLAYED_SUBJECT"], version=1, purpose="close-cases", name="bench")
async def take(event):
    pass
"""
POLICY = RetryPolicy((1.0,) * 3, jitter=0, when_exhausted="release")


class Bench:
    """One broker and one small country."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.country = SmallCountry(folder)

    async def publish(self, first: int, count: int, keys: int = KEYS) -> None:
        """Publish numbered events over that many keys."""
        drafts = [Draft(case(n), key=f"k{n % keys}") for n in range(first, first + count)]
        async with Bus(self.country.north, settings=self.settings, catalog=self.country.catalog) as bus:
            await bus.publish_many(self.country.opened, drafts, version="1.0")

    def subscriber(self, handler: Callable[[Event[Any]], Any], *, exactly_once: bool = False) -> Bus:
        """Return a bus whose subscription nobody used before."""
        bus = Bus(self.country.south, settings=self.settings, catalog=self.country.catalog)
        bus.subscribe(
            self.country.opened, version=1, purpose="close-cases", name=f"bench-{uuid4().hex[:8]}",
            retry=POLICY, exactly_once=exactly_once,
        )(handler)  # fmt: skip
        return bus

    async def rate(self, *, failing_every: int = 0, exactly_once: bool = False) -> float:
        """Return events per second from the first handled to the last but those that wait to be retried."""
        seen, wanted = 0, int(EVENTS * 0.99)
        began = 0.0
        done = asyncio.Event()

        async def handle(event: Event[Any]) -> None:
            nonlocal seen, began
            began = began or time.perf_counter()
            if failing_every and event.attempt == 1 and event.offset % failing_every == 0:
                raise RuntimeError
            if exactly_once:
                await event.publish(self.country.closed, event.data, key=event.key, version="1.0")
            seen += 1
            if seen == wanted:
                done.set()

        async with self.subscriber(handle, exactly_once=exactly_once), asyncio.timeout(300):
            await done.wait()
            return wanted / (time.perf_counter() - began)

    async def delays(self, first: int, *, failing_every: int) -> tuple[float, float]:
        """Return p50 and p99 in milliseconds of the keys that never fail, at a steady rate."""
        delays: list[float] = []

        async def handle(event: Event[Any]) -> None:
            number = int((event.key or "k0")[1:])
            if failing_every and number % failing_every == 0:
                raise RuntimeError
            if event.data["number"] >= first:
                delays.append(time.time() * 1000 - event.record.timestamp)

        async with (
            self.subscriber(handle),
            Bus(self.country.north, settings=self.settings, catalog=self.country.catalog) as bus,
        ):
            await asyncio.sleep(WARM_SECONDS)
            began, futures = time.perf_counter(), []
            for n in range(OPEN_LOOP_SECONDS * RATE):
                await asyncio.sleep(max(0.0, began + n / RATE - time.perf_counter()))
                draft = Draft(case(first + n), key=f"k{n % KEYS}")
                futures.append(bus.submit(self.country.opened, draft, version="1.0"))
            await asyncio.gather(*futures)
            await asyncio.sleep(1)
        ordered = sorted(delays)
        return statistics.median(ordered), ordered[int(len(ordered) * 0.99)]

    @contextmanager
    def replaying(self) -> Iterator[None]:
        """Let a process of its own read everything again meanwhile, at the usual rate."""
        (self.folder / "replayed.py").write_text(REPLAYED)
        environment = {
            **os.environ, "GOVBUS_CATALOG": str(self.folder), "REPLAYED_AGENCY": self.country.south,
            "GOVBUS_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers,
            "REPLAYED_SUBJECT": self.country.opened,
        }  # fmt: skip
        until = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S")
        command = ["replay", "bench", "--app", "replayed:bus", "--from", "2020-01-01", "--to", until]
        said = ["--by", "bench", "--approved-by", "nobody", "--why", "measured"]
        child = subprocess.Popen(
            [sys.executable, "-m", "bus", *command, *said], env=environment, cwd=self.folder
        )
        try:
            yield
            assert child.poll() is None, "the replay was over before the measuring was"
        finally:
            child.kill()
            child.wait()

    async def memory(self) -> float:
        """Return the megabytes that parking `PARKED_KEYS` keys adds to this process."""
        before, parked = 0, 0

        async def handle(event: Event[Any]) -> None:
            nonlocal before, parked
            parked += 1
            before = before or resident_bytes()
            raise RuntimeError

        bus = self.subscriber(handle)
        subscription = next(iter(bus._subscriptions.values()))
        bus._subscriptions[subscription.name] = _slow(subscription)
        async with bus:
            while parked < PARKED_KEYS:  # noqa: ASYNC110 - a count tells nobody
                await asyncio.sleep(0.2)
            await asyncio.sleep(2)
            return (resident_bytes() - before) / 1e6


def _slow(subscription: Any) -> Any:
    from dataclasses import replace

    return replace(subscription, retry=RetryPolicy((3600.0,), jitter=0))


async def main(settings: Settings, folder: Path) -> dict[str, Any]:
    """Run everything and return the figures."""
    bench = Bench(settings, folder / "rates")
    await apply_topics(settings, bench.country.catalog)
    await bench.publish(0, EVENTS)
    rounds: dict[str, list[float]] = {"plain": [], "1 in 1,000 fails": [], "exactly once": []}
    for _ in range(ROUNDS):
        rounds["plain"].append(await bench.rate())
        rounds["1 in 1,000 fails"].append(await bench.rate(failing_every=1_000))
        rounds["exactly once"].append(await bench.rate(exactly_once=True))
    found: dict[str, Any] = {name: round(statistics.median(rates)) for name, rates in rounds.items()}
    delays: dict[str, list[tuple[float, float]]] = {
        "none fails": [],
        "1 key in 100 fails": [],
        "a replay": [],
    }
    for number in range(ROUNDS):
        for kind, found_here in delays.items():
            calm = Bench(settings, folder / f"{kind} {number}")
            await apply_topics(settings, calm.country.catalog)
            if kind == "a replay":
                await calm.publish(0, EVENTS)
                await asyncio.sleep(1)
            with calm.replaying() if kind == "a replay" else nullcontext():
                found_here.append(await calm.delays(LATER, failing_every=FAILING.get(kind, 0)))
    for kind, ms in delays.items():
        found[f"ms p50, p99, {kind}"] = [round(statistics.median(one), 1) for one in zip(*ms, strict=True)]
    return found


def megabytes(settings: Settings, folder: Path) -> float:
    """Return what parked keys take in a process that has done nothing else before."""
    crowd = Bench(settings, folder / "crowd")
    asyncio.run(apply_topics(settings, crowd.country.catalog))

    def publish() -> None:
        asyncio.run(crowd.publish(0, PARKED_KEYS, PARKED_KEYS))

    publisher = get_context("fork").Process(target=publish)
    publisher.start()
    publisher.join()
    return asyncio.run(crowd.memory())


if __name__ == "__main__":
    import logging

    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as name, EmbeddedKafka() as node:
        near = Settings(bootstrap_servers=node.bootstrap_servers)
        parked = {f"MB for {PARKED_KEYS} parked keys": round(megabytes(near, Path(name)))}
        figures = parked | asyncio.run(main(near, Path(name)))
    print(json.dumps(figures, indent=1))  # noqa: T201 - that is what it is for
