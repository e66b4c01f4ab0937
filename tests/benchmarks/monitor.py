"""`python -m tests.benchmarks.monitor`: receipts that a monitor takes in per second of processor time.

The cases are births of a small country: four events and three deliveries, written by four agencies. They come
whole, or each of the four events with its deliveries in a batch of its own, as while they happen. Kafka is in
memory; the database is a SQLite file on this disk.
"""

import asyncio
import os
import tempfile
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import click

from bus import (
    MONITOR_GROUP,
    RECEIPTS_TOPICS,
    DeliveryReceipt,
    PublishReceipt,
    TopicPartition,
    encode_receipts,
    receipts_topic,
)
from bus.testing import InMemoryCluster
from contracts import Milestone, Service
from observability import Monitor, Store
from observability.evidence.topic_check import TopicCheck

BIRTH = Service(
    name="birth-of-a-child",
    title="Birth of a child",
    description="From the registration of a birth to the first allowance.",
    category="family",
    owner="civil-registry",
    start="civil-registry.birth-registered",
    milestones=tuple(
        Milestone(event=event, after=after, deadline_seconds=30.0)
        for event, after in (
            ("health.record-opened", "civil-registry.birth-registered"),
            ("tax.taxpayer-number-assigned", "civil-registry.birth-registered"),
            ("social-security.child-allowance-granted", "tax.taxpayer-number-assigned"),
        )
    ),
    ends=("health.record-opened", "social-security.child-allowance-granted"),
    deadline_seconds=120.0,
    channels=("web",),
)
DELIVERIES = {
    "civil-registry.birth-registered": ("health", "tax"),
    "health.record-opened": (),
    "tax.taxpayer-number-assigned": ("social-security",),
    "social-security.child-allowance-granted": (),
}
"""The events of a birth in their order, and the agencies that each goes to."""

BIRTH_RECEIPTS = len(DELIVERIES) + sum(map(len, DELIVERIES.values()))
GOALS = {3_500: 12_000, 140: 10_000}
"""Receipts in a batch, and how many a second of processor time should take in."""


class SortedOffsets:
    """The offsets of a cluster in memory, found in no time: Kafka finds them on another machine."""

    def __init__(self, cluster: InMemoryCluster) -> None:
        self._cluster = cluster
        found = cluster.offsets()
        self.partitions, self.begins, self.ends = found.partitions, found.begins, found.ends
        self.are_undated = found.are_undated

    async def offsets_at(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Return the offset of each partition's first record at or after a time."""
        return {
            place: bisect_left(
                self._cluster.log(place.topic)[place.partition], at, key=lambda record: record.timestamp
            )
            for place, at in times.items()
        }


@click.command()
@click.option(
    "--batch", "sizes", multiple=True, type=click.IntRange(28), default=tuple(GOALS), help="Receipts."
)
@click.option("--receipts", type=click.IntRange(28), default=70_000, show_default=True, help="Of each row.")
def main(sizes: Sequence[int], receipts: int) -> None:
    """Measure the intake of a monitor for some sizes of batches."""
    for size, spread in product(sizes, (False, True)):
        with tempfile.TemporaryDirectory() as folder:
            taken, seconds = asyncio.run(_intake(Path(folder), _batches(size, receipts, spread=spread)))
        goal = f", goal {GOALS[size]:,}" if size in GOALS else ""
        click.echo(
            f"batches of {size:,}, cases {'event by event' if spread else 'whole'}: {taken / seconds:,.0f} "
            f"receipts per second of processor time{goal} (load {os.getloadavg()[0]:.1f})"
        )


def _batches(size: int, receipts: int, *, spread: bool) -> Iterator[list[tuple[str, str]]]:
    """Yield batches of cases and events; `spread` leaves each next event of a case to the next batch."""
    births = size // BIRTH_RECEIPTS
    for batch in range(receipts // size + len(DELIVERIES)):
        yield [
            (f"case-{batch - (step if spread else 0)}-{birth}", event)
            for birth in range(births)
            for step, event in enumerate(DELIVERIES)
        ]


def _write(cluster: InMemoryCluster, batch: Iterable[tuple[str, str]]) -> None:
    """Append events and, a record for each agency, the receipts of their publishes and deliveries."""
    written: dict[str, list[PublishReceipt | DeliveryReceipt]] = defaultdict(list)
    for case, event in batch:
        agency, topic = event.partition(".")[0], f"{event}.v1"
        record = cluster.append(topic, b"{}", partition=0)
        at_us = record.timestamp * 1000
        common: dict[str, Any] = {
            "event_id": f"{case}:{event}", "source": f"urn:govbus:{agency}:records", "type": topic,
            "version": "1.0", "service": BIRTH.name, "transaction": case, "causation": None, "reason": None,
            "topic": topic, "partition": 0, "offset": record.offset, "broker_time_us": at_us,
            "started_at_us": at_us, "skew_us": 0, "size_bytes": 200, "data_hash": "sha256:0",
        }  # fmt: skip
        written[agency].append(
            PublishReceipt(
                agency=agency, outcome="published", recorded_us=at_us, event_time_us=at_us, **common
            )
        )
        for to in DELIVERIES[event]:
            written[to].append(
                DeliveryReceipt(
                    agency=to,
                    subscription=topic,
                    purpose="public-task",
                    outcome="ack",
                    attempt=1,
                    received_us=at_us + 900,
                    finished_us=at_us + 4_000,
                    **common,
                )
            )
    for agency, rows in written.items():
        cluster.append(receipts_topic(agency), encode_receipts(rows), partition=0)


async def _intake(folder: Path, batches: Iterable[list[tuple[str, str]]]) -> tuple[int, float]:
    """Return how many receipts were new, and the processor time of the monitor alone."""
    cluster, taken, used = InMemoryCluster(), 0, 0.0
    with Store(f"sqlite:///{folder / 'monitor.db'}", {BIRTH.name: BIRTH}) as store:
        async with cluster.open_consumer(group=MONITOR_GROUP, topics=RECEIPTS_TOPICS) as consumer:
            monitor = Monitor(store, consumer, TopicCheck(SortedOffsets(cluster), store))
            for index, batch in enumerate(batches):
                _write(cluster, batch)
                started = time.process_time()
                new = await monitor.step()
                if new != (expected := sum(1 + len(DELIVERIES[event]) for _, event in batch)):
                    raise RuntimeError(f"expected {expected} new receipts, got {new}")
                if index:  # the first one warms up
                    taken, used = taken + new, used + time.process_time() - started
    return taken, used


if __name__ == "__main__":
    main()
