"""Gathers receipts and sends them in batches.

Law of this file: a receipt is acknowledged by the broker before `Bus.publish` returns, and before the offset
of its event is committed. Receipts that somebody waits for are sent at once; while some of their partition
are on the wire, the next ones gather behind them. All others travel with the next flush, which is part of
every commit. No timer holds anything back.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from bus.errors import BusError
from bus.receipts.receipts import RECEIPTS_PARTITIONS, Group, in_records
from bus.transport import Outgoing, Sender

ROWS_PER_RECORD = 1000

Row = tuple[Any, ...]


class ReceiptWaiter(Protocol):
    """Something that waits until a receipt is on the broker."""

    def settle(self, error: BusError | None) -> None:
        """Called at the end of the wait; with `error` if the receipt could not be written."""


class ReceiptLog:
    """Collects the receipts of one process and sends them.

    Args:
        transport: sends them.
        topic: the agency's topic of receipts.
    """

    def __init__(self, transport: Sender, topic: str) -> None:
        self._transport = transport
        self.topic = topic
        self._groups: list[dict[tuple[str, Row], list[Row]]] = [
            defaultdict(list) for _ in range(RECEIPTS_PARTITIONS)
        ]
        self._waiting: list[list[ReceiptWaiter]] = [[] for _ in range(RECEIPTS_PARTITIONS)]
        self._counts = [0] * RECEIPTS_PARTITIONS
        self._urgent = [False] * RECEIPTS_PARTITIONS
        """Whether something that is gathered should not wait for a flush."""
        self._on_wire = [0] * RECEIPTS_PARTITIONS
        self._kicked = False
        self._in_flight: set[asyncio.Future[None]] = set()

    def add(
        self,
        kind: str,
        common: Row,
        partition: int,
        rows: Iterable[Row],
        waiting: Sequence[ReceiptWaiter] = (),
        *,
        urgent: bool = False,
    ) -> None:
        """Take rows that share their common columns.

        Args:
            kind: `publish` or `delivery`.
            common: the values of `PUBLISH_COMMON` or `DELIVERY_COMMON`.
            partition: the receipts partition of their transaction.
            rows: the values of `PUBLISH_ROW` or `DELIVERY_ROW`, row by row.
            waiting: called when the broker has them.
            urgent: whether they are sent without a flush.
        """
        group = self._groups[partition][kind, common]
        before = len(group)
        group.extend(rows)
        self._waiting[partition].extend(waiting)
        self._counts[partition] += len(group) - before
        if self._counts[partition] >= ROWS_PER_RECORD:
            self._send(partition)
        elif urgent:
            self._urgent[partition] = True
            if not self._kicked and not self._on_wire[partition]:
                # At the end of this turn of the loop: what comes in one turn goes in one record.
                self._kicked = True
                asyncio.get_running_loop().call_soon(self._send_urgent)

    @property
    def gathered(self) -> bool:
        """Whether any receipt waits for a flush."""
        return any(self._counts)

    async def flush(self) -> None:
        """Send what is gathered and wait until the broker has it.

        Raises:
            BusError: a receipt could not be written.
        """
        for partition, count in enumerate(self._counts):
            if count:
                self._send(partition)
        if self._in_flight:
            # Not `gather`: if this flush is cancelled, others still wait for the same receipts.
            landed, _ = await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_EXCEPTION)
            for one in landed:
                one.result()

    def _send_urgent(self) -> None:
        self._kicked = False
        for partition, urgent in enumerate(self._urgent):
            if urgent and not self._on_wire[partition]:
                self._send(partition)

    def _send(self, partition: int) -> None:
        groups = [Group(kind, common, rows) for (kind, common), rows in self._groups[partition].items()]
        waiting = self._waiting[partition]
        self._groups[partition] = defaultdict(list)
        self._waiting[partition], self._counts[partition] = [], 0
        self._urgent[partition] = False
        self._on_wire[partition] += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_flight.add(done)
        done.add_done_callback(self._settled)
        records = in_records(groups)
        batch = _Batch(self, partition, waiting, done, len(records))
        for some, value in records:
            self._transport.send(_Record(batch, some, value))

    def landed(self, partition: int) -> None:
        """Note the end of a record's way, and send what has become urgent meanwhile."""
        self._on_wire[partition] -= 1
        if self._urgent[partition] and not self._on_wire[partition]:
            self._send(partition)

    def take_back(self, partition: int, groups: Iterable[Group]) -> None:
        """Keep the rows of a record that failed: they go with the next flush, before any later offset."""
        for group in groups:
            self._groups[partition][group.kind, group.common].extend(group.rows)
            self._counts[partition] += len(group.rows)

    def _settled(self, done: asyncio.Future[None]) -> None:
        self._in_flight.discard(done)
        done.exception()  # those who wait have it already


class _Batch:
    """What is sent of one partition at once: one record, or several where the rows are long."""

    __slots__ = ("_done", "_error", "_open", "_waiting", "log", "partition")

    def __init__(
        self,
        log: ReceiptLog,
        partition: int,
        waiting: list[ReceiptWaiter],
        done: asyncio.Future[None],
        records: int,
    ) -> None:
        self.log = log
        self.partition = partition
        self._waiting = waiting
        self._done = done
        self._open = records
        self._error: BusError | None = None

    def ended(self, error: BusError | None) -> None:
        """Note the end of a record's way; that of the last ends the wait of all."""
        self._open -= 1
        self._error = self._error or error
        if self._open:
            return
        for waiting in self._waiting:
            waiting.settle(self._error)
        self.log.landed(self.partition)
        if self._done.done():
            return
        if self._error is None:
            self._done.set_result(None)
        else:
            self._done.set_exception(self._error)


class _Record(Outgoing):
    """One record of receipts."""

    __slots__ = ("_batch", "_groups")

    def __init__(self, batch: _Batch, groups: Sequence[Group], value: bytes) -> None:
        super().__init__(batch.log.topic, None, value, (), batch.partition)
        self._batch = batch
        self._groups = groups

    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:  # noqa: ARG002
        self._batch.ended(None)

    def failed(self, error: BusError) -> None:
        self._batch.log.take_back(self._batch.partition, self._groups)
        self._batch.ended(error)
