"""Events published together: a reader sees all of them or none, and a checkpoint with them.

Law of this file: a transaction is committed when its block ends without an error, and only then.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from uuid_utils import uuid7

from bus.call import Call
from bus.caused import publishing
from bus.errors import BusError, UsageError
from bus.publish.context import BusContext
from bus.publish.surface import Publishing
from bus.receipts.writer import ReceiptLog
from bus.table import Table, deliver
from bus.topics import receipts_topic
from bus.transport import Sender, Transactional


class Transaction(Publishing):
    """An open transaction: publishes as `Bus` does, and writes checkpoints.

    A receipt has the event's place at once; readers see the event after the block has ended.
    """

    _not_open = (
        "Expected an open transaction, got one that has ended. Publish inside its `async with` block, and "
        "await there what it began"
    )

    def __init__(self, context: BusContext, transactional: Transactional, refusals: ReceiptLog) -> None:
        self._loop = asyncio.get_running_loop()
        self.settings, self.system = context.settings, context.system
        self._transport: Sender = transactional
        self._transactional = transactional
        self._receipts = ReceiptLog(transactional, receipts_topic(context.agency))
        self._publisher = context.publisher(transactional, self._receipts, refusals, together=True)
        self.calls: set[Call[Any]] = set()
        """What is called, and not begun."""
        self._written: list[tuple[Table, str, bytes | None]] = []

    @publishing
    async def put(self, table: Table, key: str, value: bytes | None) -> None:
        """Write a value of a compacted topic, such as a source's checkpoint.

        Args:
            table: as `Bus.table` returns it.
            key: its key.
            value: None deletes it.

        Raises:
            BusError: the broker did not acknowledge it; leave the block with this error.
            UsageError: the transaction has ended.
        """
        self._require_open()
        await deliver(self._transport, table.topic, key.encode(), value)
        self._written.append((table, key, value))

    def ended(self) -> None:
        """Take no more, and fail what still waits."""
        self._loop = None
        self._publisher.ended()

    async def commit(self) -> None:
        """Commit; called at the end of the block.

        Raises:
            FencedError: another process has taken over; nothing is committed.
            BusError: it is not known whether it is committed: repeat with the same ids.
            UsageError: something in the block was called and not awaited; nothing is committed.
        """
        for call in tuple(self.calls):
            raise call.forgotten()
        self._loop = None  # what comes from now on would join, or miss, the commit by chance
        await self._publisher.released(self.settings.publish_timeout_seconds)
        while self._transactional.unacknowledged:
            await self._transactional.drain()
            await self._receipts.flush()
        await self._receipts.flush()
        await self._transactional.commit("", {})
        for table, key, value in self._written:
            table.keep(key, value)


class Transactions:
    """The transactions of one bus; a committed one leaves its connection to the next."""

    def __init__(self, context: BusContext, refusals: ReceiptLog) -> None:
        self._context = context
        self._refusals = refusals
        self._idle: dict[str, list[Transactional]] = {}
        self._busy: set[str] = set()

    @asynccontextmanager
    async def open(self, name: str | None) -> AsyncIterator[Transaction]:
        """Open one; see `Bus.transaction`."""
        if name in self._busy:
            raise UsageError(f"Expected one transaction at a time, got a second one - at `name` ({name})")
        transactional = await self._take(name)
        if name is not None:
            self._busy.add(name)
        transaction = Transaction(self._context, transactional, self._refusals)
        try:
            await transactional.begin()
            yield transaction
            await transaction.commit()
        except BaseException:
            transaction.ended()
            await transactional.abort()
            await transactional.stop()
            raise
        else:
            self._idle.setdefault(name or "", []).append(transactional)
        finally:
            self._busy.discard(name or "")

    async def _take(self, name: str | None) -> Transactional:
        idle = self._idle.get(name or "")
        if idle:
            return idle.pop()
        agency = self._context.agency
        identity = f"{agency}.once.{uuid7()}" if name is None else f"{agency}.named.{name}"
        transactional = self._context.transport.transactional(identity)
        try:
            await transactional.start()
        except BusError:
            await transactional.stop()
            raise
        return transactional

    async def stop(self) -> None:
        """Disconnect."""
        idle, self._idle = self._idle, {}
        for transactionals in idle.values():
            for transactional in transactionals:
                await transactional.stop()
