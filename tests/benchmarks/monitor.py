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
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, product
from pathlib import Path

import click

from bus import RECEIPTS_TOPICS, TopicPartition
from bus.testing import InMemoryCluster
from observability import Monitor, Store
from observability.evidence.topic_check import TopicCheck
from observability.identity import AnyReceipt
from observability.monitor import GROUP
from tests.unit.observability.country import SERVICES, whole_birth
from tests.unit.observability.writing import write

BIRTH_RECEIPTS = len(whole_birth())
EVENTS = tuple(dict.fromkeys(receipt.type for receipt in whole_birth()))
GOALS = {3_500: 12_000, 140: 10_000}
"""Receipts in a batch, and how many a second of processor time should take in."""


class SortedOffsets:
    """The offsets of a cluster in memory, found in no time: Kafka finds them on another machine."""

    def __init__(self, cluster: InMemoryCluster) -> None:
        self._cluster = cluster
        found = cluster.offsets()
        self.partitions, self.begins, self.ends = found.partitions, found.begins, found.ends

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


def _batches(size: int, receipts: int, *, spread: bool) -> Iterator[list[AnyReceipt]]:
    """Yield batches of cases; `spread` gives each event of a case to the next batch."""
    cohorts: deque[list[list[AnyReceipt]]] = deque(maxlen=len(EVENTS) if spread else 1)
    for number in range(receipts // size + len(EVENTS)):
        cohorts.appendleft([whole_birth(f"case-{number}-{birth}") for birth in range(size // BIRTH_RECEIPTS)])
        if not spread:
            yield list(chain.from_iterable(cohorts[0]))
        elif len(cohorts) == len(EVENTS):
            yield [
                receipt
                for event, cohort in zip(EVENTS, cohorts, strict=True)
                for case in cohort
                for receipt in case
                if receipt.type == event
            ]


async def _intake(folder: Path, batches: Iterable[list[AnyReceipt]]) -> tuple[int, float]:
    """Return how many receipts were new, and the processor time of the monitor alone."""
    cluster, taken, used = InMemoryCluster(), 0, 0.0
    with Store(f"sqlite:///{folder / 'monitor.db'}", SERVICES) as store:
        async with cluster.open_consumer(group=GROUP, topics=RECEIPTS_TOPICS) as consumer:
            monitor = Monitor(store, consumer, TopicCheck(SortedOffsets(cluster)))
            for index, batch in enumerate(batches):
                write(cluster, batch)
                started = time.process_time()
                new = await monitor.step()
                if new != len(batch):
                    raise RuntimeError(f"expected {len(batch)} new receipts, got {new}")
                if index:  # the first one warms up
                    taken, used = taken + new, used + time.process_time() - started
    return taken, used


if __name__ == "__main__":
    main()
