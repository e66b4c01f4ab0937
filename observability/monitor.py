"""Reads receipts from Kafka into the store, until stopped.

Law of this file: a batch is in the database before its offsets are committed, and the database counts a
receipt once; so a crash between the two, a rebalance or a replay changes no number. A record that holds no
receipts is counted, logged by its place, and skipped. While the database does not answer, nothing is
committed and the same batch is written again. What is away is waited for, and said once. Between two portions
of what was read it reads on of the other partitions, and who said little comes first: a flood delays nobody.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Protocol, Self, TypeVar

from bus import (
    MONITOR_GROUP,
    RECEIPTS_TOPICS,
    Backoff,
    BusError,
    Check,
    Outage,
    Overdue,
    Record,
    Settings,
    TopicPartition,
    open_consumer,
    open_offsets,
    read_broker_offset_us,
    serve,
)
from contracts import visible_logger
from observability.clock import BrokerNow
from observability.database.intake import Place
from observability.database.store import Store
from observability.errors import StoreError
from observability.evidence.judging import Judged, ask, judge, settled
from observability.evidence.topic_check import TopicCheck
from observability.evidence.trust import Word
from observability.readiness import StoreReadiness, behind
from observability.receipt_reader import read

POLL_SECONDS = 0.5
MAX_RECORDS = 500
CHECK_AGAIN_SECONDS = 2.0
CHECK_AGAIN_ROWS = 2_000
BACKOFF = Backoff(first_seconds=0.5, longest_seconds=30.0)

PORTION_BYTES = 1_048_576
"""How many bytes of records are read before what they say is in the database."""

WAITING_POLLS = 4
"""So many times what one poll returns at most may wait."""

WORDS_AT_ONCE = 5_000
"""How many receipts are judged, and written in one transaction."""

NOTE_EVERY = timedelta(seconds=5)
"""How often the database is told up to when it is complete."""

PRUNE_EVERY = timedelta(hours=1)
"""How often the monitor looks whether there is something old to delete."""

COMMITS = "the commits"
STARTING = "it is not open yet"

_log = visible_logger(__name__)

Result = TypeVar("Result")


class ReceiptConsumer(Protocol):
    """What the monitor needs of `bus.open_consumer`."""

    async def poll(
        self, timeout_seconds: float, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return the next records of each partition, none if none came in time."""

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set the position that the group continues from."""

    async def ends(self) -> Mapping[TopicPartition, int]:
        """Ask where each partition held ends now."""

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset that is read next."""

    def assigned(self) -> Collection[TopicPartition]:
        """Return the partitions held."""

    def pause(self, partition: TopicPartition) -> None:
        """Stop reading a partition."""

    def resume(self, partition: TopicPartition) -> None:
        """Read a partition again."""


@dataclass(frozen=True, slots=True)
class ReceiptBatch:
    """What one poll returned."""

    words: tuple[Word, ...]
    undecodable: tuple[Place, ...]
    offsets: Mapping[TopicPartition, int]


class Monitor:
    """Keeps a store up to date with the receipts topics of all agencies.

    Args:
        store: where receipts are written.
        consumer: subscribed to the receipts topics, in group `MONITOR_GROUP`.
        check: asks the topics whether publishes are true.
        max_records: at most this many in one poll; a record holds many receipts.
        clock: the current time, which learns from what is read.

    Attributes:
        read_until: up to when everything that was written is in the database; at first, when this one began.
    """

    def __init__(
        self,
        store: Store,
        consumer: ReceiptConsumer,
        check: TopicCheck,
        *,
        max_records: int = MAX_RECORDS,
        clock: BrokerNow | None = None,
    ) -> None:
        self._store = store
        self._consumer = consumer
        self._check = check
        self._checked_at = 0.0
        self._max_records = max_records
        self._clock = clock or BrokerNow()
        self._stopping = asyncio.Event()
        self._kafka = Outage("receipts")
        self._topics = Outage("the topics that receipts name")
        self._database = Outage("the monitor's database")
        self._commits = Outage("the monitor's commits")
        self._overdue = Overdue()
        self._waiting: dict[TopicPartition, list[Record]] = {}
        """What was read and is not in the database yet; nothing more is read of these partitions."""
        self._uncommitted: dict[TopicPartition, int] = {}
        self._asked: tuple[datetime, Mapping[TopicPartition, int]] | None = None
        self._noted = self._pruned = datetime.min.replace(tzinfo=UTC)
        self.read_until = self._clock()

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
        """Poll once, apply a portion of what waits, commit; return how many receipts are new.

        Raises:
            StoreError, BusError: as `run` says.
        """
        await self._read_on()
        await self._check_again()
        new = 0
        if (portion := first_portion(self._waiting)) and not self._stopping.is_set():
            new = await self._take(await asyncio.to_thread(gather, portion))
            self._forget(portion)
        await self._commit()
        await self._look_how_far()
        await self._prune()
        return new

    async def _read_on(self) -> None:
        """Read of the partitions of which nothing waits."""
        room = WAITING_POLLS * self._max_records - sum(map(len, self._waiting.values()))
        if room > 0:
            for place, records in (await self._poll(min(room, self._max_records))).items():
                self._waiting.setdefault(place, []).extend(records)
                self._consumer.pause(place)

    def _forget(self, portion: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """Note that a portion is in the database, or will be read again after a stop."""
        for place, records in portion.items():
            del self._waiting[place][: len(records)]
            if not self._waiting[place]:
                del self._waiting[place]
                self._consumer.resume(place)

    async def _take(self, batch: ReceiptBatch) -> int:
        """Return how many receipts of a batch are new; nothing of it counts as read if `stop` comes first."""
        total, places = 0, batch.undecodable
        for start in range(0, max(1, len(batch.words)), WORDS_AT_ONCE):
            words = batch.words[start : start + WORDS_AT_ONCE]
            judged = await self._patiently(partial(judge, words, self._check), self._topics)
            if judged is None:
                return total
            new = await self._patiently(partial(self._apply, judged, places), self._database)
            if new is None:
                return total
            total, places = total + new, ()
        self._uncommitted |= batch.offsets
        return total

    async def _commit(self) -> None:
        """Commit what is in the database; where that fails for now, with the next step."""
        if self._uncommitted:
            self._overdue.begins(COMMITS)
            try:
                if offsets := await self._still_held(self._uncommitted):
                    await self._consumer.commit(offsets)
            except BusError as error:
                if not error.retriable:
                    raise
                self._overdue.fails(COMMITS, None, error)
                self._commits.begins(f"{error}. What is not committed will be read again after a restart")
                return
            self._uncommitted.clear()
            self._commits.ends()
            self._overdue.ends(COMMITS)

    async def _still_held(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Leave out what another monitor reads by now, or what has been made again."""
        held = set(self._consumer.assigned()) & offsets.keys()
        return {
            place: offsets[place] for place in held if await self._consumer.position(place) == offsets[place]
        }

    async def _apply(self, judged: Judged, undecodable: Sequence[Place]) -> int:
        return await asyncio.to_thread(
            self._store.apply,
            judged.receipts,
            undecodable,
            refused=judged.refused,
            unchecked=judged.unchecked,
            undated=judged.undated,
        )

    async def _patiently(self, attempt: Callable[[], Awaitable[Result]], outage: Outage) -> Result | None:
        """Try until it succeeds; None if the monitor is stopped meanwhile."""
        attempts = 1
        while True:
            try:
                result = await attempt()
            except (StoreError, BusError) as error:
                if not error.retriable:
                    raise
                outage.begins(error)
            else:
                outage.ends()
                return result
            if await self._pause(BACKOFF.wait_seconds(attempts)):
                return None
            attempts += 1

    async def _poll(self, max_records: int) -> Mapping[TopicPartition, Sequence[Record]]:
        try:
            found = await self._consumer.poll(0.0 if self._waiting else POLL_SECONDS, max_records)
        except BusError as error:
            if not error.retriable:
                raise
            self._kafka.begins(error)
            await self._pause(BACKOFF.first_seconds)
            return {}
        self._kafka.ends()
        for records in found.values():
            self._clock.arrived(records)
        return found

    async def _check_again(self) -> None:
        """Ask the topics about publishes that they could not be asked about before."""
        if time.monotonic() < self._checked_at + CHECK_AGAIN_SECONDS:
            return
        try:
            if words := await asyncio.to_thread(self._store.unchecked, CHECK_AGAIN_ROWS):
                found = settled(words, await ask(words, self._check))
                await asyncio.to_thread(self._store.settle, found.confirmed, found.refuted, found.undated)
        except (StoreError, BusError) as error:
            if not error.retriable:
                raise
        self._checked_at = time.monotonic()

    async def _look_how_far(self) -> None:
        """Take note if everything is in the database that was written when the ends were asked for last."""
        if self._asked is None:
            return
        at, ends = self._asked
        try:
            for place in self._consumer.assigned():
                waiting = self._waiting.get(place)
                reached = waiting[0].offset if waiting else await self._consumer.position(place)
                if reached < ends.get(place, 0):
                    return
        except BusError:
            return  # it is being assigned
        self.read_until, self._asked = at, None
        if at - self._noted >= NOTE_EVERY:
            with suppress(StoreError):  # the next batch meets the fault, and waits for its end
                await asyncio.to_thread(self._store.note_read_until, at)
                self._noted = at

    async def _prune(self) -> None:
        """Delete a little of what is old, until there is no more; then look again after `PRUNE_EVERY`."""
        now = self._clock()
        if now - self._pruned < PRUNE_EVERY:
            return
        with suppress(StoreError):  # the next batch meets the fault, and waits for its end
            if await asyncio.to_thread(self._store.prune):
                return
        self._pruned = now

    # Health

    async def kafka_fault(self) -> str | None:
        """Ask Kafka where the receipts end now; raise what it answers instead.

        Returns:
            That no commit has succeeded for too long; None if they have.
        """
        at, steady_us = self._clock(), self._clock.steady_us
        ends = await self._consumer.ends()
        self._clock.ended(steady_us, ends)
        self._asked = self._asked or (at, ends)
        return self._overdue.fault

    async def receipts_fault(self) -> str | None:
        """Return that receipts have waited for too long; None if not, or if there are none."""
        return behind(self.read_until, self._clock())

    async def _pause(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()


def speaker_of(topic: str) -> str:
    """Return the agency that alone may write to a topic of receipts."""
    found = RECEIPTS_TOPICS.match(topic)
    return found[1] if found else ""


def first_portion(
    waiting: Mapping[TopicPartition, Sequence[Record]],
) -> Mapping[TopicPartition, Sequence[Record]]:
    """Return `PORTION_BYTES` of what waits, or one record, of small partitions first.

    So a flood in one partition keeps neither the receipts of others waiting nor the event loop busy.
    """
    portion: dict[TopicPartition, list[Record]] = {}
    room = PORTION_BYTES
    for place, records in sorted(waiting.items(), key=lambda item: sum(map(_size, item[1]))):
        for record in records:
            room -= _size(record)
            if room < 0 and portion:
                return portion
            portion.setdefault(place, []).append(record)
    return portion


def _size(record: Record) -> int:
    return len(record.value or b"")


def gather(found: Mapping[TopicPartition, Sequence[Record]]) -> ReceiptBatch:
    """Return the receipts in the records of one poll, and the offsets after them."""
    words: list[Word] = []
    undecodable: list[Place] = []
    offsets: dict[TopicPartition, int] = {}
    for place, records in found.items():
        for record in records:
            decoded = read(record.value)
            at = (record.topic, record.partition, record.offset)
            speaker, written_us = speaker_of(record.topic), record.timestamp * 1000
            words += [Word(speaker, receipt, written_us, at) for receipt in decoded.receipts]
            if decoded.reason is not None:
                undecodable.append(at)
                _log.warning(
                    "record of receipts not read: %s at topic %s partition %d offset %d",
                    decoded.reason,
                    record.topic,
                    record.partition,
                    record.offset,
                )
        if records:
            offsets[place] = records[-1].offset + 1
    return ReceiptBatch(tuple(words), tuple(undecodable), offsets)


class MonitorService:
    """A monitor from the opening of its database to its end, for `bus.serve`.

    Args:
        settings: the cluster.
        open_store: opens the database.
        opened: called with the database once it is open.
        clock: the current time, that of the database too.
    """

    def __init__(
        self,
        settings: Settings,
        open_store: Callable[[], Store],
        opened: Callable[[Store], object],
        clock: BrokerNow,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._open_store = open_store
        self._opened = opened
        self._stack = AsyncExitStack()
        self._store: Store | None = None
        self._monitor: Monitor | None = None
        self._running: asyncio.Task[None] | None = None
        self._readiness: StoreReadiness | None = None

    @property
    def checks(self) -> Mapping[str, Check]:
        """Whether Kafka and the database answer, and the database is complete."""
        return {"kafka": self._kafka, "database": self._database, "receipts": self._receipts}

    async def _kafka(self) -> str | None:
        return STARTING if self._monitor is None else await self._monitor.kafka_fault()

    async def _receipts(self) -> str | None:
        return STARTING if self._monitor is None else await self._monitor.receipts_fault()

    async def _database(self) -> str | None:
        return STARTING if self._readiness is None else await self._readiness.database_fault()

    async def __aenter__(self) -> Self:
        """Open the database, learn the broker's time, and join the group that reads the receipts."""
        if self._store is None:
            self._store = await asyncio.to_thread(self._open_store)
            self._readiness = StoreReadiness(self._store, self._clock)
            self._opened(self._store)
        self._clock.learn(await read_broker_offset_us(self._settings))
        consumer = await self._stack.enter_async_context(
            open_consumer(self._settings, group=MONITOR_GROUP, topics=RECEIPTS_TOPICS)
        )
        offsets = await self._stack.enter_async_context(open_offsets(self._settings))
        self._monitor = Monitor(self._store, consumer, TopicCheck(offsets, self._store), clock=self._clock)
        self._running = asyncio.create_task(self._monitor.run())
        return self

    async def wait(self) -> None:
        """Raise what ends the monitor, as `Monitor.run` says."""
        if self._running is not None:
            await asyncio.shield(self._running)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write the batch in hand, and leave the group."""
        if self._monitor is not None and self._running is not None:
            self._monitor.stop()
            await asyncio.wait([self._running])
        await self._stack.aclose()
        if self._store is not None:
            self._store.close()


async def watch(
    settings: Settings,
    open_store: Callable[[], Store],
    opened: Callable[[Store], object],
    clock: BrokerNow,
) -> None:
    """Run a monitor until SIGINT or SIGTERM; wait for what is away, at the start too.

    Args:
        settings: the cluster.
        open_store: opens the database.
        opened: called with the database once it is open.
        clock: the current time, that of the database too.

    Raises:
        StoreError, BusError: as `Monitor.run` says.
    """
    await serve(MonitorService(settings, open_store, opened, clock), settings)
