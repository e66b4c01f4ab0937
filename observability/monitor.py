"""Reads receipts from Kafka into the store, until stopped.

Law of this file: a batch is in the database before its offsets are committed, and the database counts a
receipt once; so a crash between the two, a rebalance or a replay changes no number. A record that holds no
receipts is counted, logged by its place, and skipped. While the database does not answer, nothing is
committed and the same batch is written again.
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from bus import RECEIPTS_TOPICS, Backoff, BusError, Record, Settings, TopicPartition, open_consumer
from contracts import visible_logger
from observability.database.intake import Place
from observability.database.store import Store
from observability.errors import StoreError
from observability.identity import AnyReceipt
from observability.receipt_reader import read

GROUP = "govbus.monitor"
"""The consumer group; monitors with the same database share the partitions."""

POLL_SECONDS = 0.5
MAX_RECORDS = 500
BACKOFF = Backoff(first_seconds=0.5, longest_seconds=30.0)

_log = visible_logger(__name__)


class ReceiptConsumer(Protocol):
    """What the monitor needs of `bus.open_consumer`."""

    async def poll(
        self, timeout_seconds: float, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return the next records of each partition, none if none came in time."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set the position that the group continues from."""


@dataclass(frozen=True, slots=True)
class ReceiptBatch:
    """What one poll returned."""

    receipts: tuple[AnyReceipt, ...]
    undecodable: tuple[Place, ...]
    offsets: Mapping[TopicPartition, int]


class Monitor:
    """Keeps a store up to date with the receipts topics of all agencies.

    Args:
        store: where receipts are written.
        consumer: subscribed to the receipts topics, in group `GROUP`.
        max_records: at most this many in one poll; a record holds many receipts.
    """

    def __init__(self, store: Store, consumer: ReceiptConsumer, *, max_records: int = MAX_RECORDS) -> None:
        self._store = store
        self._consumer = consumer
        self._max_records = max_records
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Make `run` return after the current batch; call it from the event loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Apply batches until `stop`.

        Raises:
            StoreError: the database failed, and trying again does not help.
            BusError: the cluster refuses the monitor.
        """
        while not self._stopping.is_set():
            await self.step()

    async def step(self) -> int:
        """Poll once, apply, commit; return how many receipts are new.

        Raises:
            StoreError, BusError: as `run` says.
        """
        batch = gather(await self._poll())
        if not batch.offsets:
            return 0
        new = await self._apply(batch)
        if new is None:
            return 0
        try:
            await self._consumer.commit(batch.offsets)
        except BusError as error:
            if not error.retriable:
                raise
            # The partitions moved to another monitor, or the broker is down: the batch is read again.
            _log.warning("offsets not committed, their receipts will be read again: %s", error.reason)
        return new

    async def _poll(self) -> Mapping[TopicPartition, Sequence[Record]]:
        try:
            return await self._consumer.poll(POLL_SECONDS, self._max_records)
        except BusError as error:
            if not error.retriable:
                raise
            _log.warning("receipts not read, trying again in %.1f s: %s", BACKOFF.first_seconds, error.reason)
            await self._pause(BACKOFF.first_seconds)
            return {}

    async def _apply(self, batch: ReceiptBatch) -> int | None:
        attempt = 1
        while True:
            try:
                return await asyncio.to_thread(self._store.apply, batch.receipts, batch.undecodable)
            except StoreError as error:
                if not error.retriable:
                    raise
                pause = BACKOFF.wait_seconds(attempt)
                _log.warning("batch not written, trying again in %.1f s: %s", pause, error.reason)
            if await self._pause(pause):
                return None
            attempt += 1

    async def _pause(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()


def gather(found: Mapping[TopicPartition, Sequence[Record]]) -> ReceiptBatch:
    """Return the receipts in the records of one poll, and the offsets after them."""
    receipts: list[AnyReceipt] = []
    undecodable: list[Place] = []
    offsets: dict[TopicPartition, int] = {}
    for place, records in found.items():
        for record in records:
            decoded = read(record.value)
            receipts += decoded.receipts
            if decoded.reason is not None:
                undecodable.append((record.topic, record.partition, record.offset))
                _log.warning(
                    "record of receipts not read: %s at topic %s partition %d offset %d",
                    decoded.reason,
                    record.topic,
                    record.partition,
                    record.offset,
                )
        if records:
            offsets[place] = records[-1].offset + 1
    return ReceiptBatch(tuple(receipts), tuple(undecodable), offsets)


async def watch(settings: Settings, store: Store) -> None:
    """Run a monitor on the cluster of `settings` until SIGINT or SIGTERM.

    Raises:
        StoreError, BusError: as `Monitor.run` says.
    """
    async with open_consumer(settings, group=GROUP, topics=RECEIPTS_TOPICS) as consumer:
        monitor = Monitor(store, consumer)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, monitor.stop)
        await monitor.run()
