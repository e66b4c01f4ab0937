"""The parked events of one agency, kept in Kafka as rows of a compacted topic.

Law of this file: the next holder of a partition reads every earlier row before it handles anything; a row is
on the broker before the offset of its event is committed. A row that an operator writes takes effect at once.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bus.errors import BusError
from bus.outcome import Reason
from bus.parking.keys import ParkedEvent, ParkedKeys
from bus.parking.rows import (
    REDRIVEN,
    ParkedRow,
    ReadRow,
    SubscriptionPartition,
    erase_row,
    read_row,
    write_row,
)
from bus.process.outage import Outage
from bus.receipts.writer import ReceiptLog
from bus.record import Record, TopicPartition
from bus.table import deliver
from bus.transport import Consumer, Sender, Transport
from contracts import visible_logger

logger = visible_logger("govbus.parking")

POLL_SECONDS = 0.2
"""How long a poll waits for rows while a partition waits for them."""
IDLE_POLL_SECONDS = 2.0
"""The same while none does; partitions that are opened end it."""
AGAIN_SECONDS = 1.0
TELL_SECONDS = 30.0
WHY_NOT = "the broker is away, or another process has an open transaction in it"
MAX_RECORDS = 1_000
OBJECT_BYTES = 160
"""Memory that a header takes beside its bytes, and a record too."""
KEPT_BYTES = 4 * 1_048_576
"""Memory for the parked events of a partition; those beyond are read again when they are due."""
FORMER = 1 << 62
STALE = "stale"
"""Marks the stale row of an event that was handled already: the row is to be erased."""


def _nothing_was_read(_: int) -> bool:
    return False


@dataclass(slots=True, eq=False)
class ParkedPartition:
    """The parked events of one partition that this process holds."""

    home: SubscriptionPartition
    topic_id: str = ""
    """Of the topic that is read now."""
    keys: ParkedKeys = field(default_factory=ParkedKeys)
    applied: int = 0
    """Offset in the topic of parked events up to which rows are known here."""
    loaded: bool = False
    was_read: Callable[[int], bool] = _nothing_was_read
    """Whether the event at an offset was handled, or is, here or by the previous holder."""
    kept_bytes: int = 0
    former: dict[tuple[str, int], int] = field(default_factory=dict)
    """The offsets below 0 of events whose topic was made again, by its id and their offset in it."""

    def keep(self, event: ParkedEvent, record: Record) -> None:
        """Keep the event itself in memory, if there is room."""
        size = _size(record)
        if event.record is None and self.kept_bytes + size <= KEPT_BYTES:
            event.record = record
            self.kept_bytes += size

    def put(self, key: bytes, event: ParkedEvent, record: Record) -> None:
        """Park an event."""
        self.keep(event, record)
        self.keys.put(key, event)

    def remove(self, key: bytes, offset: int) -> None:
        """Remove a parked event."""
        event = self.keys.find(key, offset)
        if event is not None and event.record is not None:
            self.kept_bytes -= _size(event.record)
        self.keys.remove(key, offset)

    def take(self, row: ReadRow) -> None:
        """Apply a row written by another process: an operator's, or the previous holder's.

        A late row of the previous holder about an event that was read here is stale.
        """
        event, offset = row.event, self._offset_of(row)
        if event is not None:
            event.offset = offset
            if offset < 0 and event.reason != REDRIVEN and not event.held:
                event.reason, event.due_us = Reason.TOPIC_REPLACED.value, 0
        if (
            event is not None
            and event.reason != REDRIVEN
            and self.loaded
            and offset >= 0
            and self.was_read(offset)
        ):
            if self.keys.find(row.key, offset) is not None:
                return
            event.reason, event.due_us, event.held = STALE, 0, False
        self.remove(row.key, offset)
        if event is not None and event.record is not None:
            record, event.record = event.record, None
            self.put(row.key, event, record)

    def _offset_of(self, row: ReadRow) -> int:
        """Return the offset of an event here, where no two events have the same."""
        if row.topic_id == self.topic_id:
            return row.offset
        return self.former.setdefault((row.topic_id, row.offset), len(self.former) - FORMER)


def _size(record: Record) -> int:
    """Return roughly how much memory a record takes: its bytes and its objects."""
    headers = sum(len(name) + len(value or b"") + OBJECT_BYTES for name, value in record.headers)
    return len(record.value or b"") + headers + OBJECT_BYTES


_Mark = tuple[SubscriptionPartition, ParkedRow, ParkedEvent | None]
"""A row to write, whose it is, and the event that waits, if it still does."""


class RowWriter:
    """Writes the rows of one subscription's partitions, the latest state of each event.

    Args:
        transport: sends them; in a transaction they are committed with it.
        topic: the agency's topic of parked events.
        writer: id of this writer, to recognise its own rows.
        receipts: the receipts of the same deliveries; a row is written after those that were added before it.
    """

    def __init__(self, transport: Sender, topic: str, writer: str, receipts: ReceiptLog) -> None:
        self.receipts = receipts
        self._transport = transport
        self._topic = topic
        self._writer = writer
        self._marks: dict[bytes, _Mark] = {}
        self._on_their_way: dict[bytes, _Mark] = {}
        self._turn = asyncio.Lock()

    @property
    def pending(self) -> int:
        """Rows that the broker does not have yet."""
        return len(self._marks)

    def parked(self, home: SubscriptionPartition, event: ParkedEvent, record: Record) -> None:
        """Write, with the next flush, that an event is parked, or how it waits now."""
        self._mark(home, write_row(home, event, record, self._writer), event)

    def released(self, home: SubscriptionPartition, event: ParkedEvent, record: Record) -> None:
        """Write, with the next flush, that an event is parked no more."""
        self._mark(home, erase_row(home, event.topic_id, record.offset, record.key, self._writer), None)

    def _mark(self, home: SubscriptionPartition, row: ParkedRow, event: ParkedEvent | None) -> None:
        self._marks.pop(row.key, None)
        self._marks[row.key] = (home, row, event)

    def forget(self, homes: Collection[SubscriptionPartition]) -> None:
        """Drop the rows of partitions that have left: their new holder writes them."""
        for marks in self._marks, self._on_their_way:
            for key in [key for key, mark in marks.items() if mark[0] in homes]:
                del marks[key]

    async def flush(self) -> None:
        """Return when the broker has every receipt, then every row, those of another call included.

        Raises:
            BusError: some could not be written; the next call tries again.
        """
        async with self._turn:
            await self._flush()

    async def _flush(self) -> None:
        ready = dict(self._marks)
        await self.receipts.flush()  # else a kill leaves an event released and without a receipt
        marks = {key: mark for key, mark in ready.items() if key in self._marks}
        for key, mark in marks.items():
            if self._marks[key] is mark:
                del self._marks[key]
        self._on_their_way = dict(marks)
        sent = [
            deliver(self._transport, self._topic, row.key, row.value, list(row.headers), partition=0)
            for _, row, _ in marks.values()
        ]
        try:
            places = await asyncio.gather(*sent, return_exceptions=True)
            for (key, (_, _, event)), place in zip(marks.items(), places, strict=True):
                if isinstance(place, BaseException):
                    continue
                self._on_their_way.pop(key, None)
                if event is not None:
                    event.row_offset = place.offset
        finally:  # what was not written goes with the next flush, unless its partition has left meanwhile
            late, self._on_their_way = self._on_their_way, {}
            self._marks = {**late, **self._marks}
        for place in places:
            if isinstance(place, BaseException):
                raise place


@dataclass(slots=True, eq=False)
class _Waiter:
    """Waits until all rows before some offset are known; cancelled once they are of no use."""

    partitions: Mapping[SubscriptionPartition, ParkedPartition]
    done: asyncio.Future[None]
    ends: Mapping[TopicPartition, int] | None = None
    """Where; None until the broker has said."""
    begun: bool = False


class ParkingLog:
    """Reads the agency's parked events, for the partitions that this process holds.

    Args:
        transport: the cluster.
        topic: the agency's topic of parked events.
        writer: id of this process' writer, whose rows are known already.
    """

    def __init__(self, transport: Transport, topic: str, writer: str) -> None:
        self.topic = topic
        self.writer = writer
        self._transport = transport
        self._open: dict[SubscriptionPartition, ParkedPartition] = {}
        self._waiters: list[_Waiter] = []
        self._has_read = False
        """Whether any row was read."""
        self._reader: Consumer | None = None
        self._idle: asyncio.Timeout | None = None
        """Ends the poll that nobody waits for."""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read.

        Raises:
            BusError: the cluster cannot be reached, or does not let this agency read.
        """
        self._reader = self._transport.reader(self.topic)
        await self._reader.start()
        self._task = asyncio.create_task(self._run(self._reader))

    async def stop(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._reader is not None:
            await self._reader.close()

    async def open(self, homes: Mapping[SubscriptionPartition, str]) -> list[ParkedPartition]:
        """Return the parked events of partitions that were assigned to this process.

        Args:
            homes: the partitions, each with the id of its topic.

        Returns:
            Those of each partition; none if one is closed before its rows are read.

        Raises:
            BusError: it could not be read.
        """
        opened = {home: ParkedPartition(home, topic_id) for home, topic_id in homes.items()}
        waiter = _Waiter(opened, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)  # at once: a partition may be closed while the end is asked for
        if self._idle is not None:
            self._idle.reschedule(0.0)
            self._idle = None
        try:
            waiter.ends = await self._transport.ends(self.topic)
            if not (any(waiter.ends.values()) or self._has_read or waiter.done.done()):
                self._open |= opened
                waiter.done.set_result(None)
            while not waiter.done.done():
                await asyncio.wait([waiter.done], timeout=TELL_SECONDS)
                if not waiter.done.done():
                    logger.warning("%s cannot be read to its end yet: %s", self.topic, WHY_NOT)
        finally:
            self._waiters.remove(waiter)
        if waiter.done.cancelled():
            return []
        for partition in opened.values():
            partition.loaded = True
        return list(opened.values())

    def close(self, homes: Collection[SubscriptionPartition]) -> None:
        """Forget partitions that this process no longer holds, and wait no more for their rows.

        They may lie behind a transaction that a killed process left open in a partition which is this
        process' next: as long as it waited, nobody would end that.
        """
        for home in homes:
            self._open.pop(home, None)
        for waiter in self._waiters:
            if not waiter.partitions.keys().isdisjoint(homes):
                waiter.done.cancel()

    async def _run(self, reader: Consumer) -> None:
        outage = Outage(self.topic)
        while True:
            try:
                await self._turn(reader)
                outage.ends()
            except BusError as error:
                outage.begins(error)
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception:  # if the reader ended, every partition would wait for ever
                logger.exception("the parked events could not be read")
                await asyncio.sleep(AGAIN_SECONDS)

    async def _turn(self, reader: Consumer) -> None:
        if not all(waiter.begun for waiter in self._waiters):
            for place in reader.assigned():
                reader.seek(place, 0)  # known rows are skipped, by `applied`
            for waiter in self._waiters:
                self._open |= waiter.partitions  # not earlier: rows were skipped until now
                waiter.begun = True
        batches = await self._poll(reader)
        await self._know_topic(reader)
        self._has_read = self._has_read or bool(batches)
        for records in batches.values():
            for record in records:
                self._take(record)
        begun = [waiter for waiter in self._waiters if waiter.begun and not waiter.done.done()]
        if begun:
            known = {place: await reader.position(place) for place in reader.assigned()}
            for waiter in begun:
                if not waiter.done.done() and waiter.ends is not None and _covers(known, waiter.ends):
                    waiter.done.set_result(None)

    async def _poll(self, reader: Consumer) -> Mapping[TopicPartition, Sequence[Record]]:
        if self._waiters:
            return await reader.poll(POLL_SECONDS, MAX_RECORDS)
        try:
            async with asyncio.timeout(None) as self._idle:
                return await reader.poll(IDLE_POLL_SECONDS, MAX_RECORDS)
        except TimeoutError:  # what it may have taken by then is read again
            for place in reader.assigned():
                reader.seek(place, 0)
            return {}
        finally:
            self._idle = None

    async def _know_topic(self, reader: Consumer) -> None:
        """Take rows from the first on, if their topic was made again."""
        if replaced := reader.displaced():
            await reader.standings(replaced)
            for partition in self._open.values():
                partition.applied = 0

    def _take(self, record: Record) -> None:
        row = read_row(record)
        if row is None:
            logger.warning(
                "%s has an unreadable row at offset %d, which is ignored", self.topic, record.offset
            )
            return
        partition = self._open.get(row.home)
        if partition is None or record.offset < partition.applied:
            return
        partition.applied = record.offset + 1
        if not (partition.loaded and row.writer == self.writer):
            partition.take(row)


def _covers(known: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> bool:
    return all(known.get(place, -1) >= end for place, end in ends.items())
