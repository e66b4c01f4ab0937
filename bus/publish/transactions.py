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
from bus.errors import BusUnavailableError, UsageError
from bus.publish.context import BusContext
from bus.publish.surface import Publishing
from bus.receipts.writer import ReceiptLog
from bus.table import Table, deliver
from bus.times.limits import in_time
from bus.topics import receipts_topic
from bus.transport import Sender, Transactional
from contracts import visible_logger

logger = visible_logger("govbus.transactions")


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
        async with in_time(self.settings.publish_timeout_seconds, "a transaction"):
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
        self._leaving: dict[asyncio.Task[None], str | None] = {}
        """What is aborted without anybody who waits for it, and its name."""

    @asynccontextmanager
    async def open(self, name: str | None) -> AsyncIterator[Transaction]:
        """Open one; see `Bus.transaction`."""
        if name in self._busy:
            raise UsageError(f"Expected one transaction at a time, got a second one - at `name` ({name})")
        if name is not None:
            self._busy.add(name)
        try:
            async with self._opened(name) as transaction:
                yield transaction
        finally:
            self._busy.discard(name or "")

    @asynccontextmanager
    async def _opened(self, name: str | None) -> AsyncIterator[Transaction]:
        seconds = self._context.settings.publish_timeout_seconds
        transactional = await self._begun(name, seconds)
        transaction = Transaction(self._context, transactional, self._refusals)
        try:
            yield transaction
            await transaction.commit()
        except BaseException as error:
            transaction.ended()
            # Where the broker is away it would not be told either, and aborts by itself in the end.
            await self._leave(transactional, name, 0.0 if isinstance(error, BusUnavailableError) else seconds)
            raise
        self._idle.setdefault(name or "", []).append(transactional)

    async def _begun(self, name: str | None, seconds: float) -> Transactional:
        async with in_time(seconds, "a transaction"):
            # The id of a name is taken over by whoever starts with it, as an abort may have to.
            leaving = [task for task, whose in self._leaving.items() if whose == name]
            if name is not None and leaving:
                await asyncio.wait(leaving)
            idle = self._idle.get(name or "")
            is_new = not idle
            transactional = idle.pop() if idle else self._new(name)
            try:
                if is_new:
                    await transactional.start()
                await transactional.begin()
            except BaseException:
                await self._leave(transactional, name, 0.0)
                raise
        return transactional

    def _new(self, name: str | None) -> Transactional:
        agency = self._context.agency
        identity = f"{agency}.once.{uuid7()}" if name is None else f"{agency}.named.{name}"
        return self._context.transport.transactional(identity)

    async def _leave(self, transactional: Transactional, name: str | None, seconds: float) -> None:
        """Abort and disconnect; after so long, without anybody who waits for it."""
        task = asyncio.create_task(_end(transactional))
        self._leaving[task] = name
        task.add_done_callback(self._left)
        await asyncio.wait([task], timeout=seconds)

    def _left(self, task: asyncio.Task[None]) -> None:
        del self._leaving[task]
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("a transaction was left with an error (%s)", type(error).__name__)

    async def stop(self) -> None:
        """Disconnect."""
        if self._leaving:
            await asyncio.wait(list(self._leaving))
        idle, self._idle = self._idle, {}
        for transactionals in idle.values():
            for transactional in transactionals:
                await transactional.stop()


async def _end(transactional: Transactional) -> None:
    try:
        await transactional.abort()
    finally:
        await transactional.stop()
