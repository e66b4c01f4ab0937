"""Gathers receipts and sends them in batches.

Law of this file: a receipt is acknowledged by the broker before `publish` returns, and before the offset of
its event is committed.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Protocol

from bus.errors import BusError
from bus.receipts.receipts import RECEIPTS_PARTITIONS, Group, encode_groups
from bus.transport import Outgoing, Sender

LINGER_SECONDS = 0.002
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
        self._timer: asyncio.TimerHandle | None = None
        self._in_flight: set[asyncio.Future[None]] = set()

    def add(
        self,
        kind: str,
        common: Row,
        partition: int,
        rows: Iterable[Row],
        waiting: Iterable[ReceiptWaiter] = (),
    ) -> None:
        """Take rows that share their common columns.

        Args:
            kind: `publish` or `delivery`.
            common: the values of `PUBLISH_COMMON` or `DELIVERY_COMMON`.
            partition: the receipts partition of their transaction.
            rows: the values of `PUBLISH_ROW` or `DELIVERY_ROW`, row by row.
            waiting: called when the broker has them.
        """
        group = self._groups[partition][kind, common]
        before = len(group)
        group.extend(rows)
        self._waiting[partition].extend(waiting)
        self._counts[partition] += len(group) - before
        if self._counts[partition] >= ROWS_PER_RECORD:
            self._send(partition)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._send_all)

    async def flush(self) -> None:
        """Send what is gathered and wait until the broker has it.

        Raises:
            BusError: a receipt could not be written.
        """
        self._send_all()
        if self._in_flight:
            # Not `gather`: if this flush is cancelled, others still wait for the same receipts.
            landed, _ = await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_EXCEPTION)
            for one in landed:
                one.result()

    def _send_all(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for partition, count in enumerate(self._counts):
            if count:
                self._send(partition)

    def _send(self, partition: int) -> None:
        groups = [Group(kind, common, rows) for (kind, common), rows in self._groups[partition].items()]
        waiting = self._waiting[partition]
        self._groups[partition] = defaultdict(list)
        self._waiting[partition], self._counts[partition] = [], 0
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._in_flight.add(done)
        done.add_done_callback(self._landed)
        self._transport.send(_Batch(self, partition, groups, waiting, done))

    def take_back(self, partition: int, groups: Iterable[Group]) -> None:
        """Keep the rows of a record that failed: they go with the next flush, before any later offset."""
        for group in groups:
            self._groups[partition][group.kind, group.common].extend(group.rows)
            self._counts[partition] += len(group.rows)

    def _landed(self, done: asyncio.Future[None]) -> None:
        self._in_flight.discard(done)
        done.exception()  # those who wait have it already


class _Batch(Outgoing):
    """One record of receipts."""

    __slots__ = ("_groups", "_home", "_log", "done", "waiting")

    def __init__(
        self,
        log: ReceiptLog,
        partition: int,
        groups: list[Group],
        waiting: list[ReceiptWaiter],
        done: asyncio.Future[None],
    ) -> None:
        super().__init__(log.topic, None, encode_groups(groups), (), partition)
        self._log = log
        self._home = partition
        self._groups = groups
        self.waiting = waiting
        self.done = done

    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:  # noqa: ARG002
        self._settle(None)
        if not self.done.done():
            self.done.set_result(None)

    def failed(self, error: BusError) -> None:
        self._log.take_back(self._home, self._groups)
        self._settle(error)
        if not self.done.done():
            self.done.set_exception(error)

    def _settle(self, error: BusError | None) -> None:
        for waiting in self.waiting:
            waiting.settle(error)
