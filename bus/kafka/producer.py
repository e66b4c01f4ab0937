"""Records to Kafka: one idempotent producer, acks=all, batches built here.

Building whole batches here saves a coroutine and a future per record. Each partition has one queue of
batches, given to aiokafka one after another; aiokafka's idempotence keeps that order.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count, groupby, islice
from operator import attrgetter
from time import monotonic, time_ns
from typing import Any

from aiokafka.errors import KafkaError

from bus.errors import BusError, BusUnavailableError, EnvelopeError, PartitionMissingError, TopicMissingError
from bus.kafka.client import Network, begin, connection, end
from bus.kafka.errors import translate
from bus.kafka.quorum import count_partitions, require_whole
from bus.kafka.requests import topic_ids
from bus.kafka.splitting import BatchParts, SplittingProducer
from bus.process.outage import Outage
from bus.record import TopicPartition
from bus.settings import Settings
from bus.times.clock import BrokerClock, steady_ns
from bus.times.group_times import CLOSE_SECONDS
from bus.topics import partition_of
from bus.transport import Measure, Outgoing
from contracts import visible_logger

logger = visible_logger("govbus.producer")

NEW_TOPIC_SECONDS = 1.0
"""How long a topic that was just made may be unknown to a broker."""
AGAIN_SECONDS = 0.5
"""Between two looks for a topic while no broker answers."""
BATCHES_IN_FLIGHT = 2
"""Batches per partition that aiokafka holds at once: one on the wire, one ready to follow."""


class Producer:
    """Sends records in order per partition, and calls `acknowledged` or `failed` of each."""

    def __init__(self, settings: Settings, clock: BrokerClock, transactional_id: str | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._transactional_id = transactional_id
        self._kafka: Any = None
        self._lanes: dict[tuple[str, int], _Queue] = {}
        self._partitions: dict[str, int] = {}
        self._unresolved: dict[str, list[Outgoing]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reviving: asyncio.Task[None] | None = None
        self._outage = Outage(f"what is published to {settings.bootstrap_servers}")
        self._turn = count()
        self._look: asyncio.TimerHandle | None = None
        self._progress_at = 0.0
        """When the last record was acknowledged or failed, or the first one began to wait."""
        self._empty = asyncio.Event()
        """Set when the last record was acknowledged or failed."""
        self.unacknowledged = 0
        self.measure: Measure | None = None
        self.fault: BusError | None = None
        """Why a record was not acknowledged, since somebody looked last."""

    async def start(self) -> None:
        """Connect; `BusUnavailableError` where no broker answers."""
        kafka = SplittingProducer(
            **connection(self._settings),
            acks="all",
            enable_idempotence=True,
            max_batch_size=self._settings.batch_bytes,
            max_request_size=4 * 1_048_576,
            compression_type=self._settings.compression,
            linger_ms=0,
            transactional_id=self._transactional_id,
            transaction_timeout_ms=int(self._settings.transaction_timeout_seconds * 1000),
        )
        await begin(kafka, self._settings, self._settings.bootstrap_servers)
        Network.of(kafka).away = self._away
        self._kafka = kafka

    def _away(self, why: object = "no broker answers") -> None:
        if self.unacknowledged and self._transactional_id is None:  # of transactions the subscription tells
            self._outage.begins(why)

    async def _revive(self) -> None:
        """Connect anew where aiokafka's sender has ended, as one to which the broker gives no producer id.

        A transaction ends with its sender; its own next one connects anew.

        Raises:
            BusError: it cannot be done now; the next batch tries again.
        """
        if self._transactional_id is not None or not self._kafka._sender.sender_task.done():  # noqa: SLF001
            return
        if self._reviving is None or self._reviving.done():
            self._reviving = asyncio.create_task(self._start_anew())
            self._tasks.add(self._reviving)
            self._reviving.add_done_callback(self._tasks.discard)
        await asyncio.shield(self._reviving)

    async def _start_anew(self) -> None:
        ended = self._kafka
        await self.start()
        await end(ended)

    @property
    def kafka(self) -> Any:
        """The client, while connected."""
        return self._kafka

    async def drain(self) -> None:
        """Wait until every record is acknowledged or failed."""
        if self.unacknowledged:
            self._empty.clear()
            await self._empty.wait()

    async def stop(self) -> None:
        """Disconnect; unacknowledged records fail."""
        if self.unacknowledged and self._transactional_id is None:
            logger.warning(
                "stops with %d records that no broker has acknowledged - at %s",
                self.unacknowledged,
                self._settings.bootstrap_servers,
            )
        if self._look is not None:
            self._look.cancel()
            self._look = None
        for task in self._tasks:
            task.cancel()
        error = BusUnavailableError("the bus stopped before the broker acknowledged the event")
        for waiting in self._unresolved.values():
            self.fail(waiting, error)
        self._unresolved.clear()
        lanes, self._lanes = self._lanes, {}
        stuck = [lane.give_up(error) for lane in lanes.values()]
        if self._kafka is not None:
            if any(stuck):
                # aiokafka would wait for these batches for ever; without its sender it closes at once.
                self._kafka._sender.sender_task.cancel()  # noqa: SLF001 - there is no public way
            with suppress(TimeoutError):  # `end` has closed the connections
                async with asyncio.timeout(CLOSE_SECONDS):
                    await end(self._kafka)
            self._kafka = None
        self._partitions.clear()

    def send(self, outgoing: Outgoing) -> None:
        """Put a record into its partition's queue; see `Transport.send`."""
        if not self.unacknowledged:
            self._progress_at = monotonic()
            if self._look is None:
                self._look_after(self._settings.publish_timeout_seconds)
        self.unacknowledged += 1
        lane = self._lanes.get((outgoing.topic, outgoing.partition))  # type: ignore[arg-type] # None has none
        if lane is not None:
            lane.add(outgoing)
            return
        partitions = self._partitions.get(outgoing.topic)
        if partitions is not None and (outgoing.partition or 0) < partitions:
            self._enqueue(outgoing, partitions)
            return
        waiting = self._unresolved.get(outgoing.topic)
        if waiting is None:
            waiting = self._unresolved[outgoing.topic] = []
            self._spawn(self._resolve(outgoing.topic))
        waiting.append(outgoing)

    def _enqueue(self, outgoing: Outgoing, partitions: int) -> None:
        partition = outgoing.partition
        if partition is None:
            key = outgoing.key
            partition = next(self._turn) % partitions if key is None else partition_of(key, partitions)
        lane = self._lanes.get((outgoing.topic, partition))
        if lane is None:
            place = TopicPartition(outgoing.topic, partition)
            lane = self._lanes[place] = _Queue(place, self)
        lane.add(outgoing)

    async def _resolve(self, topic: str) -> None:
        last: BusError | None = None
        try:
            async with self._in_time(topic):
                while True:
                    try:
                        partitions = await self._look_for(topic)
                        break
                    except BusUnavailableError as error:
                        last = error
                        if self._kafka is None:
                            raise
                        self._away(error)
                        await asyncio.sleep(AGAIN_SECONDS)
        except BusError as error:  # what was seen says more than that the time is over
            why = last if last is not None and isinstance(error, BusUnavailableError) else error
            self.fail(self._unresolved.pop(topic), why)
            return
        for outgoing in self._unresolved.pop(topic):
            if (outgoing.partition or 0) < partitions:
                self._enqueue(outgoing, partitions)
            else:
                wanted = (outgoing.partition or 0) + 1
                self.fail((outgoing,), PartitionMissingError(topic, wanted, partitions))

    async def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has.

        Raises:
            TopicMissingError: it does not exist.
            AccessDeniedError: this user may not know whether it does.
            BusUnavailableError: no broker answers.
        """
        async with self._in_time(topic):
            return await self._look_for(topic)

    @asynccontextmanager
    async def _in_time(self, topic: str) -> AsyncIterator[None]:
        """Give what is asked about a topic the time that a publish has."""
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                yield
        except TimeoutError as error:
            raise translate(error, f"topic `{topic}`") from error

    async def _look_for(self, topic: str) -> int:
        missing_since = None
        try:
            while not (found := await self._count(topic)):
                missing_since = missing_since or monotonic()  # on a busy machine one look takes seconds
                if monotonic() - missing_since > NEW_TOPIC_SECONDS:
                    raise TopicMissingError(topic)
                await asyncio.sleep(0.1)
            cluster = self._kafka.client.cluster
            # aiokafka asserts that it knows a partition; it learns of new ones every few minutes.
            while len(cluster.partitions_for_topic(topic) or range(found)) < found:
                await self._kafka.client.force_metadata_update()
        except KafkaError as error:
            raise translate(error, f"topic `{topic}`") from error
        self._partitions[topic] = found
        return found

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        """Return the id of each topic that exists.

        Raises:
            AccessDeniedError: this user may not know of one.
            BusUnavailableError: no broker answers.
        """
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                return await topic_ids(self._kafka.client, topics)
        except (KafkaError, TimeoutError) as error:
            raise translate(error, f"topic {', '.join(f'`{topic}`' for topic in sorted(topics))}") from error

    async def require_whole(self, topic: str) -> None:
        """Check that a topic can be read and written; see `bus/kafka/quorum.py`."""
        if self._kafka is None:
            raise BusUnavailableError("there is no connection to the cluster yet, or no longer")
        try:
            await require_whole(self._kafka.client, topic)
        except KafkaError as error:
            raise translate(error, f"topic `{topic}`") from error

    async def _count(self, topic: str) -> int:
        if self._kafka is None:
            raise BusUnavailableError("there is no connection to the cluster yet, or no longer")
        # aiokafka's own `partitions_for` asks until a missing topic appears.
        return await count_partitions(self._kafka.client, topic)

    def settled(self, records: int) -> None:
        """Note records that are acknowledged or failed."""
        self.unacknowledged -= records
        self._progress_at = monotonic()
        if not self.unacknowledged:
            self._empty.set()

    def _look_after(self, seconds: float) -> None:
        self._look = asyncio.get_running_loop().call_later(seconds, self._look_for_progress)

    def _look_for_progress(self) -> None:
        """Tell of a broker that acknowledges nothing: one that is frozen closes no connection."""
        self._look = None
        if not self.unacknowledged:
            return
        limit = self._settings.publish_timeout_seconds
        left = self._progress_at + limit - monotonic()
        if left <= 0:
            self._away(f"no acknowledgement within {limit:g} s")
        self._look_after(left if left > 0 else limit)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def new_batch(self) -> Any:
        """Return an empty batch."""
        return self._kafka.create_batch()

    async def submit(self, place: TopicPartition, batch: Any) -> "asyncio.Future[Any]":
        """Hand a built batch to aiokafka; the future holds its metadata."""
        batch.close()
        await self._revive()
        sent: asyncio.Future[Any] = await self._kafka.send_batch(
            batch, place.topic, partition=place.partition
        )
        return sent

    def landed(self, place: TopicPartition, taken: list[Outgoing], metadata: Any, sent_ns: int) -> None:
        """Call `acknowledged` of every record of a batch."""
        now_ns = steady_ns()
        self.settled(len(taken))
        self._outage.ends()
        offset, timestamp = metadata.offset, metadata.timestamp
        if metadata.timestamp_type == 1 and timestamp:
            self._clock.read(sent_ns, timestamp * 1000, now_ns)
        elif metadata.timestamp_type == 0 and offset >= 0:  # the topic has our own times, not the broker's
            timestamp = self._clock.now_us() // 1000
        if self.measure is not None:
            self.measure(place.topic, len(taken), (now_ns - sent_ns) / 1e9, None)
        for kind, records in groupby(taken, attrgetter("__class__")):
            same = list(records)
            kind.all_acknowledged(same, place.partition, offset, timestamp)
            offset = offset + len(same) if offset >= 0 else -1

    def lost(self, place: TopicPartition, taken: list[Outgoing], error: BaseException, sent_ns: int) -> None:
        """Call `failed` of every record of a batch."""
        if self.measure is not None:
            self.measure(place.topic, len(taken), (steady_ns() - sent_ns) / 1e9, type(error).__name__)
        self.fail(taken, error if isinstance(error, BusError) else translate(error, f"topic `{place.topic}`"))

    def fail(self, records: Collection[Outgoing], error: BusError) -> None:
        """Call `failed` of records."""
        self.settled(len(records))
        if self.fault is None or self.fault.retriable:  # what is final says more than what follows from it
            self.fault = error
        for record in records:
            record.failed(error)


class _Batch:
    """Records of one partition, encoded as they came."""

    __slots__ = ("_began_ms", "builder", "records")

    def __init__(self, builder: Any, records: list[Outgoing] | None = None) -> None:
        self.builder = builder
        self.records = records or []
        self._began_ms = time_ns() // 1_000_000

    def add(self, record: Outgoing) -> bool:
        """Encode a record and drop its bytes; return False if the batch is full."""
        headers = record.headers if type(record.headers) is list else list(record.headers)  # for aiokafka
        append = self.builder.append
        # The time of the batch will do: topics of events take the broker's.
        if append(timestamp=self._began_ms, key=record.key, value=record.value, headers=headers) is None:
            return False
        record.value, record.headers = None, ()
        self.records.append(record)
        return True


class _Queue:
    """The batches of one partition, in order."""

    __slots__ = ("_batches", "_in_flight", "_kicked", "_loop", "_place", "_producer", "_room")

    def __init__(self, place: TopicPartition, producer: Producer) -> None:
        self._place = place
        self._producer = producer
        self._loop = asyncio.get_running_loop()
        self._kicked = False
        self._in_flight: list[_Batch] = []
        self._room = asyncio.Event()
        self._batches: deque[_Batch] = deque()

    def add(self, record: Outgoing) -> None:
        """Put a record into the last batch, or into a new one."""
        try:
            if not self._batches or not self._batches[-1].add(record):
                batch = _Batch(self._producer.new_batch())
                batch.add(record)
                self._batches.append(batch)
        except (TypeError, ValueError, OverflowError) as error:
            self._producer.fail(
                (record,), EnvelopeError(f"the client cannot encode the record ({type(error).__name__})")
            )
        if not self._kicked:
            # Sent at the end of this turn of the loop: what comes in one turn goes in one batch.
            self._kicked = True
            self._loop.call_soon(self._start)

    def _start(self) -> None:
        self._producer._spawn(self._run())  # noqa: SLF001 - a lane is part of its producer

    async def _run(self) -> None:
        while self._batches:
            if len(self._in_flight) >= BATCHES_IN_FLIGHT:
                self._room.clear()
                await self._room.wait()
                continue
            sent_ns = steady_ns()
            batch = self._batches.popleft()
            self._in_flight.append(batch)
            try:
                future = await self._producer.submit(self._place, batch.builder)
            except Exception as error:  # noqa: BLE001 - whoever waits for these records must hear of it
                self._settle(batch, sent_ns, error)
                continue
            future.add_done_callback(partial(self._done, batch, sent_ns))
        self._kicked = False

    def _done(self, batch: _Batch, sent_ns: int, future: "asyncio.Future[Any]") -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        metadata = None if error else future.result()
        if isinstance(metadata, BatchParts):
            self._go_on_in_parts(batch, metadata)
        else:
            self._settle(batch, sent_ns, error, metadata)

    def _go_on_in_parts(self, batch: _Batch, parts: BatchParts) -> None:
        """Wait for the parts of a batch that was not taken whole; aiokafka sends them ahead of all others."""
        if batch not in self._in_flight:
            return  # given up already
        self._in_flight.remove(batch)
        records = iter(batch.records)
        for size, future in zip(parts.sizes, parts.futures, strict=True):
            part = _Batch(None, list(islice(records, size)))
            self._in_flight.append(part)
            future.add_done_callback(partial(self._done, part, steady_ns()))

    def _settle(self, batch: _Batch, sent_ns: int, error: BaseException | None, metadata: Any = None) -> None:
        if batch not in self._in_flight:
            return  # given up already
        self._in_flight.remove(batch)
        self._room.set()
        if error is None:
            self._producer.landed(self._place, batch.records, metadata, sent_ns)
        else:
            self._producer.lost(self._place, batch.records, error, sent_ns)

    def give_up(self, error: BusError) -> bool:
        """Fail everything; return whether aiokafka had a batch."""
        stuck = bool(self._in_flight)
        batches = [*self._in_flight, *self._batches]
        self._in_flight.clear()
        self._batches.clear()
        for batch in batches:
            self._producer.lost(self._place, batch.records, error, steady_ns())
        return stuck
