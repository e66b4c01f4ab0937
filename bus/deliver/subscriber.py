"""The way in: one subscription's loop from the broker to the handler, and back with receipts and offsets.

Law of this file: an offset is committed only after every record before it is done with or parked, and its
receipts and rows are on the broker; nothing is skipped, and one partition's trouble stops no other partition.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, time_ns
from typing import Any

from bus.crash_points import crash_point
from bus.deliver.delivery import Delivery
from bus.deliver.exactly_once import ExactlyOnce
from bus.deliver.offsets import OffsetTracker
from bus.deliver.partition import Lane
from bus.deliver.retry import RetryPolicy
from bus.errors import BusError, BusUnavailableError, FencedError
from bus.parking.log import ParkingLog
from bus.parking.rows import Home
from bus.record import Record, TopicPartition
from bus.settings import Settings
from bus.stages.decode import Expected
from bus.transport import Consumer, Transport
from contracts import Catalog

logger = logging.getLogger("govbus.subscriber")

Handler = Callable[[Any], Awaitable[Any]]

IDLE_POLL_SECONDS = 0.25
WATCH_SECONDS = 0.25
AGAIN_SECONDS = 1.0
PATIENCE_SECONDS = 0.05
"""How long the loop waits for a batch before it looks at the other partitions."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an agency reads, why, and how its failures are met.

    Args:
        agency: who reads.
        name: the subscription's name, unique within the agency.
        group: its consumer group.
        topic: where events of its version are published.
        purpose: what the data is used for; it stands in every delivery receipt.
        expected: what each topic it reads holds: its own, and those of older versions in use.
        handler: the agency's code, taking an event.
        retry: when a failed event is tried again.
        timeout_seconds: how long one event may take in the handler.
        exactly_once: whether what is read, published and committed is one transaction.
        replay: id of the replay it reads for.
        ends: where reading of a partition ends, for a replay.
    """

    agency: str
    name: str
    group: str
    topic: str
    purpose: str
    expected: Mapping[str, Expected]
    handler: Handler
    retry: RetryPolicy
    timeout_seconds: float
    exactly_once: bool = False
    replay: str | None = None
    ends: Mapping[TopicPartition, int] = field(default_factory=dict)


class Subscriber:
    """Runs one subscription on one consumer."""

    def __init__(
        self,
        subscription: Subscription,
        transport: Transport,
        delivery: Delivery,
        parking: ParkingLog,
        settings: Settings,
        *,
        exactly: Callable[[TopicPartition], ExactlyOnce] | None = None,
    ) -> None:
        self.subscription = subscription
        self._settings = settings
        self._delivery = delivery
        self._parking = parking
        self._exactly = exactly
        self._clock = transport.clock
        self._offsets: OffsetTracker = delivery.offsets
        self._consumer: Consumer = transport.consumer(
            subscription.group, list(subscription.expected), self._revoked
        )
        self._lanes: dict[TopicPartition, Lane] = {}
        self.has_read_all = False
        """Whether the subscription has come to its ends, where it has any."""
        self._revocations = 0
        self._parked = (0, 0)
        self._stopping = asyncio.Event()
        self._committing: asyncio.Task[None] | None = None
        self._committed_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        self._records_at_once = (
            settings.max_poll_records if exactly is None else settings.max_transaction_records
        )

    async def start(self) -> None:
        """Join the group and begin to handle events."""
        await self._consumer.start()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._watch())]

    def adopt(self, subscription: Subscription, catalog: Catalog) -> None:
        """Read on with what a newer catalogue says of the same subscription."""
        self.subscription = self._delivery.subscription = subscription
        for lane in self._lanes.values():
            if lane.exact is not None:
                lane.exact.adopt(subscription, catalog)

    async def _has_read_all(self) -> bool:
        """Whether everything before the subscription's `ends` is handled and committed."""
        ends = self.subscription.ends
        busy = self._offsets.uncommitted_records or any(lane.task for lane in self._lanes.values())
        if busy or not ends.keys() <= self._lanes.keys():
            return False
        return all([await self._consumer.position(place) >= end for place, end in ends.items()])

    @property
    def at_work(self) -> bool:
        """Whether a handler has an event in hand; any thread may ask."""
        return any(lane.busy_since_ns for lane in list(self._lanes.values()))

    def handles_in(self, task: "asyncio.Task[Any] | None") -> bool:
        """Whether its events are handled in that task; any thread may ask."""
        return task is not None and any(lane.task is task for lane in list(self._lanes.values()))

    @property
    def task(self) -> "asyncio.Task[None]":
        """The loop; it ends only when told to, or with the error that ended it."""
        return self._tasks[0]

    async def stop(self) -> None:
        """Finish or abandon what is in hand, commit exactly what is done, leave the group."""
        self._stopping.set()
        for lane in self._lanes.values():
            lane.leaving = True
        if self._tasks:
            handling = [lane.task for lane in self._lanes.values() if lane.task is not None]
            await asyncio.wait([*self._tasks, *handling], timeout=self._settings.stop_timeout_seconds)
            await self._abandon(self._lanes.values())
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        await self._settle()
        await self._consumer.close()
        await self._let_go(
            self._lanes, [lane.exact for lane in self._lanes.values() if lane.exact is not None]
        )

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._turn()
            except (BusUnavailableError, FencedError) as error:
                logger.warning("%s waits for the broker: %s", self.subscription.group, error)
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception as error:
                logger.error("%s has ended, and reads no more: %s", self.subscription.group, error)
                raise

    async def _turn(self) -> None:
        await self._finish_lanes()
        await self._open_lanes()
        wait = self._resume_due()
        room = self._room()
        if room > 0:
            batches = await self._consumer.poll(wait, min(room, self._records_at_once))
            if batches:
                crash_point("after-read")
            elif self.subscription.ends:
                self.has_read_all = await self._has_read_all()
            await asyncio.sleep(0)  # a poll that need not wait lets nobody else run
            await self._handle(batches)
        else:
            await asyncio.sleep(PATIENCE_SECONDS)  # the broker must hear of what is done first
        await self._commit_in_time()
        self._tell_parked()

    def _tell_parked(self) -> None:
        """Measure how many keys wait, when that has changed."""
        lanes = self._lanes.values()
        parked = sum(len(lane.parked.keys) for lane in lanes), sum(lane.parked.keys.held for lane in lanes)
        if parked != self._parked:
            self._parked = parked
            self._delivery.telemetry.parked(self.subscription.group, *parked)

    async def _open_lanes(self) -> None:
        """Learn what is parked of the partitions that are new here."""
        new = [place for place in self._consumer.assigned() if place not in self._lanes]
        if new:
            before = self._revocations
            exact = {place: self._exactly(place) for place in new} if self._exactly is not None else {}
            lanes: list[Lane] = []
            try:
                await asyncio.gather(*(one.open(self._consumer) for one in exact.values()))
                opened = await self._parking.open([Home(self.subscription.name, place) for place in new])
                reached = {place: await self._consumer.position(place) for place in new}
                lanes = [Lane(one.home.partition, one, exact.get(one.home.partition)) for one in opened]
                for lane in lanes:
                    lane.end = self.subscription.ends.get(lane.partition)
                    lane.parked.reached = reached[lane.partition]
            finally:
                if lanes and self._revocations == before:
                    self._lanes |= {lane.partition: lane for lane in lanes}
                else:  # it failed, or what was read may be another's by now
                    await self._let_go(new, exact.values())

    async def _let_go(self, partitions: Collection[TopicPartition], exact: Collection[ExactlyOnce]) -> None:
        homes = [Home(self.subscription.name, partition) for partition in partitions]
        self._parking.close(homes)
        self._delivery.rows.forget(homes)
        await asyncio.gather(*(one.close() for one in exact))

    def _room(self) -> int:
        """Return how many more records may be taken: what a kill now would repeat stays within the limit.

        Half of what is left at most, so that one partition in trouble leaves room for the others.
        """
        in_hand = sum(lane.in_hand for lane in self._lanes.values())
        left = self._settings.max_uncommitted - self._offsets.uncommitted_records - in_hand
        return (left + 1) // 2

    async def _commit_in_time(self) -> None:
        """Commit in the background, one commit at a time; wait for it only when too much is uncommitted."""
        pending, limit = self._offsets.pending_records, self._settings.max_uncommitted // 2
        if self._committing is not None and not self._committing.done():
            if pending < limit:
                return
            await self._committing
        late = monotonic() - self._committed_at >= self._settings.commit_interval_seconds
        if pending and (late or pending >= limit):
            self._committed_at = monotonic()
            self._committing = asyncio.create_task(self._commit())

    async def _handle(self, batches: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """Begin on each partition's records; one that takes long goes on by itself, held back meanwhile."""
        begun = []
        for partition, records in batches.items():
            lane = self._lanes.get(partition)
            if lane is None:  # given to this process while it waited: first learn what is parked
                self._consumer.seek(partition, records[0].offset)
            else:
                begun.append(self._begin(lane, records))
        now_us = self._now_us()
        for lane in self._lanes.values():
            idle = lane.task is None and lane.resume_at is None
            if idle and lane.seconds_until_due(now_us) == 0.0:
                begun.append(self._begin(lane, ()))
        if not begun:
            return
        await asyncio.wait([lane.task for lane in begun if lane.task], timeout=PATIENCE_SECONDS)
        for lane in begun:
            if lane.task is not None and not lane.task.done():
                self._consumer.pause(lane.partition)
                lane.held = True
        await self._finish_lanes()

    def _begin(self, lane: Lane, records: Sequence[Record]) -> Lane:
        lane.leaving = self._stopping.is_set()
        lane.in_hand = len(records)
        delivery = self._delivery if lane.exact is None else lane.exact
        lane.task = asyncio.create_task(delivery.drain(lane, records))
        return lane

    def _now_us(self) -> int:
        return time_ns() // 1000 + self._clock.offset_us

    async def _finish_lanes(self) -> None:
        """Take the partitions whose records are done with: read on, read again, or rest before a retry."""
        for lane in list(self._lanes.values()):
            task = lane.task
            if task is None:
                continue
            if not task.done():
                lane.report()
                continue
            lane.task, lane.in_hand = None, 0
            fault = None if task.cancelled() else task.exception()
            if lane.exact is not None and isinstance(fault, BusError):
                await self._begin_anew(lane, fault)
                continue
            if lane.next_offset is not None:
                self._consumer.seek(lane.partition, lane.next_offset)
            if lane.resume_at is not None:
                self._consumer.pause(lane.partition)
            elif lane.held:
                self._consumer.resume(lane.partition)
            lane.held = False
            if fault is not None:
                raise fault

    async def _begin_anew(self, lane: Lane, fault: BusError) -> None:
        """Drop a partition whose transaction failed; it is opened again where the group stands."""
        logger.warning("%s begins anew at %s/%d: %s", self.subscription.group, *lane.partition, fault)
        self._lanes.pop(lane.partition, None)
        self._consumer.resume(lane.partition)
        await self._let_go([lane.partition], [lane.exact] if lane.exact is not None else [])

    def _resume_due(self) -> float:
        """Let partitions whose rest is over go on; return how long the next poll may wait."""
        now, now_us, wait = monotonic(), self._now_us(), IDLE_POLL_SECONDS
        if self._offsets.pending_records:
            wait = self._settings.commit_interval_seconds
        for lane in self._lanes.values():
            if lane.task is not None:
                wait = min(wait, PATIENCE_SECONDS)
            elif lane.resume_at is not None and lane.resume_at <= now:
                lane.resume_at = None
                self._consumer.resume(lane.partition)
            elif lane.resume_at is not None:
                wait = min(wait, lane.resume_at - now)
            elif (due := lane.seconds_until_due(now_us)) is not None:
                wait = min(wait, due)
        return wait

    async def _commit(self) -> None:
        if not self._offsets.pending_records and not self._delivery.rows.pending:
            return
        positions = self._offsets.take()
        try:
            await self._delivery.receipts.flush()
            await self._delivery.rows.flush()
            crash_point("after-receipts")
            held = self._consumer.assigned()
            mine = {partition: offset for partition, offset in positions.items() if partition in held}
            if mine:
                await self._consumer.commit(mine)
            self._offsets.committed()
            crash_point("after-commit")
        except BusError as error:
            self._offsets.give_back(positions)
            logger.warning("%s could not commit yet: %s", self.subscription.group, error)

    async def _settle(self) -> None:
        """Commit what is done, for the last time here; without a broker, give up and let it come again."""
        try:
            async with asyncio.timeout(self._settings.stop_timeout_seconds):
                if self._committing is not None:
                    await asyncio.shield(self._committing)
                await self._commit()
        except TimeoutError:
            logger.warning("%s could not commit what is done; it comes again", self.subscription.group)
            if self._committing is not None:
                self._committing.cancel()

    async def _revoked(self, partitions: Collection[TopicPartition]) -> None:
        self._revocations += 1
        crash_point("during-rebalance")
        leaving = [self._lanes[partition] for partition in partitions if partition in self._lanes]
        for lane in leaving:
            lane.leaving = True
        tasks = [lane.task for lane in leaving if lane.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.stop_timeout_seconds)
        await self._abandon(leaving)
        await self._settle()
        self._offsets.forget(partitions)
        for partition in partitions:
            self._lanes.pop(partition, None)
        await self._let_go(partitions, [lane.exact for lane in leaving if lane.exact is not None])

    async def _abandon(self, lanes: Collection[Lane]) -> None:
        late = [lane.task for lane in lanes if lane.task is not None and not lane.task.done()]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=self._settings.stop_timeout_seconds)
        for lane in lanes:
            lane.report()

    async def _watch(self) -> None:
        """Interrupt a handler that takes longer than it may."""
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), WATCH_SECONDS)
            seconds = self.subscription.timeout_seconds
            for lane in self._lanes.values():
                if lane.interrupt_if_late(seconds):
                    logger.error(
                        "%s goes on with an event of %s/%d though it was interrupted after %s s; its "
                        "partition waits, the others go on. Let CancelledError pass in the handler, restart",
                        self.subscription.group, *lane.partition, seconds,
                    )  # fmt: skip
