"""The loop of one subscription: read, hand to each partition, commit, and follow the group's rebalances.

Law of this file: an offset is committed only after every record before it is handled, parked or a dead
letter, and their receipts and rows are on the broker. Nothing is skipped, and a partition in trouble stops no
other partition.
"""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic
from typing import Any

from bus.crash_points import crash_point
from bus.deliver.commit import commit
from bus.deliver.delivery import Delivery
from bus.deliver.offsets import OffsetTracker
from bus.deliver.partition import PartitionState, PartitionTransactions
from bus.deliver.places import Places
from bus.deliver.refused import RefusedRecords
from bus.deliver.subscription import Subscription
from bus.errors import BusError, BusUnavailableError, FencedError
from bus.parking.log import ParkingLog
from bus.parking.rows import SubscriptionPartition
from bus.process.outage import Outage
from bus.record import Record, TopicPartition
from bus.settings import Settings
from bus.times.backoff import Backoff
from bus.times.clock import steady_ns
from bus.times.group_times import CANCEL_SECONDS, COMMIT_SECONDS, group_times
from bus.transport import Consumer, Transport
from contracts import Catalog, visible_logger

logger = visible_logger("govbus.subscriber")

COMMITS, PUBLISHED = "the commits", "what handlers publish"
IDLE_POLL_SECONDS, BRIEF_POLL_SECONDS = 0.5, 0.25
"""How long a poll waits for records: briefly while something else than a record may come."""
WATCH_SECONDS, LONG_WATCH_SECONDS = 0.25, 1.0
"""How often handlers are looked at: the shorter their limit, the more often."""
AGAIN_SECONDS = 1.0
HALT_SECONDS = 2.0
"""How long a partition that waits for an operator is left before it is looked at again."""
OPENING_SECONDS = 1.0
"""How long the loop waits for partitions to open; those that take longer do so beside it."""
ANEW = Backoff(first_seconds=1.0, longest_seconds=30.0)
"""The waits before a partition begins anew whose transactions fail again and again."""
PATIENCE_SECONDS = 0.05
"""How long the loop waits for a batch before it looks at the other partitions."""


class Subscriber:
    """Runs one subscription on one consumer.

    Args:
        subscription: what is read.
        transport: the cluster.
        delivery: takes records to their outcome.
        parking: the agency's parked events.
        settings: limits.
        places: says where to begin.
        transactions: makes the transactions of a partition, where the subscription is exactly-once.
    """

    def __init__(
        self,
        subscription: Subscription,
        transport: Transport,
        delivery: Delivery,
        parking: ParkingLog,
        settings: Settings,
        *,
        places: Places,
        transactions: Callable[[TopicPartition, RefusedRecords], PartitionTransactions] | None = None,
    ) -> None:
        self.subscription = subscription
        self._settings = settings
        self._delivery = delivery
        self._parking = parking
        self._transactions = transactions
        self._clock = transport.clock
        self._offsets: OffsetTracker = delivery.offsets
        self._times = group_times(subscription.timeout_seconds)
        self._consumer: Consumer = transport.consumer(
            subscription.group, list(subscription.expected), self._revoked, self._times
        )
        self._partitions: dict[TopicPartition, PartitionState] = {}
        self.has_read_all = False
        """Whether the subscription has come to its ends, where it has any."""
        self._places = places
        self._opening: dict[asyncio.Task[None], Collection[TopicPartition]] = {}
        """What reads what is parked of partitions that are new here, and which."""
        self._halted: dict[TopicPartition, float] = {}
        """When to look again at a partition that does not begin now, in monotonic time."""
        self._refused: dict[TopicPartition, RefusedRecords] = defaultdict(RefusedRecords)
        self._failures: Counter[TopicPartition] = Counter()
        """How often in a row the transactions of a partition have failed."""
        self._marking: asyncio.Task[None] | None = None
        self._revocations = 0
        self._is_giving_back = False
        """Whether partitions are about to leave."""
        self._parked = (0, 0)
        self.outage = Outage(subscription.group)
        """Whether the loop waits for the broker."""
        self._not_committed = Outage(f"the commits of {subscription.group}")
        self._stopping = asyncio.Event()
        self._ends_with: BusError | None = None
        self._polling: asyncio.Timeout | None = None
        """Ends a poll, for a stop."""
        self._committing: asyncio.Task[None] | None = None
        self._commit_turn = asyncio.Lock()
        self._committed_at = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Join the group and begin to handle events."""
        await self._consumer.start()
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._watch())]

    def adopt(self, subscription: Subscription, catalog: Catalog) -> None:
        """Go on with what a newer catalogue says of the same subscription."""
        self.subscription = self._delivery.subscription = subscription
        for partition in self._partitions.values():
            if partition.transactions is not None:
                partition.transactions.adopt(subscription, catalog)

    async def _has_read_all(self) -> bool:
        """Whether everything before the subscription's `ends` is handled and committed."""
        ends = self.subscription.ends
        busy = self._offsets.uncommitted_records or any(one.in_hand for one in self._partitions.values())
        if busy or not ends.keys() <= self._partitions.keys():
            return False
        return all([await self._consumer.position(place) >= end for place, end in ends.items()])

    @property
    def fault(self) -> str | None:
        """What keeps it from its work; None if nothing does."""
        group = self.subscription.group
        if self._tasks and self.task.done():
            return f"{group} has ended, and reads no more"
        fault = self.outage.fault or self._delivery.overdue.fault
        return None if fault is None else f"{group}: {fault}"

    @property
    def at_work(self) -> bool:
        """Whether a handler is at work on an event; any thread may call this."""
        return any(
            worker.busy_since_ns for one in list(self._partitions.values()) for worker in list(one.workers)
        )

    def handles_in(self, task: "asyncio.Task[Any] | None") -> bool:
        """Whether its events are handled in that task; any thread may call this."""
        return task is not None and any(task in one.tasks for one in list(self._partitions.values()))

    def handles(self, event: object) -> bool:
        """Whether a handler of it has that event now."""
        return any(worker.event is event for one in self._partitions.values() for worker in one.workers)

    @property
    def task(self) -> "asyncio.Task[None]":
        """The loop; it ends after `stop`, or with the error that ended it."""
        return self._tasks[0]

    def end(self, error: BusError) -> None:
        """Begin nothing more, and end with an error."""
        self._ends_with = error
        self._begin_no_more()

    def _begin_no_more(self) -> None:
        if self._polling is not None:
            self._polling.reschedule(0.0)
            self._polling = None
        for partition in self._partitions.values():
            partition.leave()

    async def stop(self) -> None:
        """Finish or abandon what is in hand, commit exactly what is done, leave the group."""
        self._stopping.set()
        self._begin_no_more()
        if self._tasks:
            await self._finish(
                list(self._partitions.values()), self._settings.stop_timeout_seconds, also=self._tasks
            )
            await self._abandon(self._partitions.values(), self._settings.stop_timeout_seconds)
            tasks = [*self._tasks, *self._opening, *([] if self._marking is None else [self._marking])]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await asyncio.gather(
                *self._opening, return_exceptions=True
            )  # what became of them is told by none
        try:
            await self._commit_last()
        finally:
            await self._consumer.close()
            await self._close(self._partitions, [one.transactions for one in self._partitions.values()])

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._turn()
                self.outage.ends()
            except (BusUnavailableError, FencedError) as error:
                self.outage.begins(error)
                await asyncio.sleep(AGAIN_SECONDS)
            except Exception as error:
                logger.error("%s has ended, and reads no more: %s", self.subscription.group, error)
                raise

    async def _turn(self) -> None:
        if self._ends_with is not None:
            raise self._ends_with
        self._consumer.require_name()  # also while there is no room, and nothing is read
        await self._look_after_partitions()
        await self._drop_displaced()
        await self._open_partitions()
        wait = self._end_rests()
        room = self._room()
        if room > 0:
            began_ns = steady_ns()
            batches = await self._poll(wait, min(room, self._settings.max_poll_records))
            if batches:
                crash_point("after-read")
                self._delivery.telemetry.polled(self.subscription.group, batches, began_ns)
            elif self.subscription.ends:
                self.has_read_all = await self._has_read_all()
            # Nothing runs in between: a rebalance would make these the records of an earlier assignment.
            self._handle(batches)
            await asyncio.sleep(0)  # handlers come first, and a poll that need not wait lets nobody run
        else:
            await self._some_end()  # first, what is done must be committed
        await self._commit_in_time()
        if self._places.is_due and (self._marking is None or self._marking.done()):
            self._marking = asyncio.create_task(self._mark())
        self._measure_parked()

    async def _poll(self, wait_seconds: float, max_records: int) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return the next records; none if a stop ends the wait: whoever is next reads them."""
        try:
            async with asyncio.timeout(None) as self._polling:
                return await self._consumer.poll(wait_seconds, max_records)
        except TimeoutError:
            return {}
        finally:
            self._polling = None

    def _measure_parked(self) -> None:
        """Measure how many keys wait, when that has changed."""
        keys = [one.parked.keys for one in self._partitions.values()]
        parked = sum(len(some) for some in keys), sum(some.held for some in keys)
        if parked != self._parked:
            self._parked = parked
            self._delivery.telemetry.parked(self.subscription.group, *parked)

    async def _open_partitions(self) -> None:
        """Begin with the partitions that are new here; those that take long do so beside the loop.

        What they wait for may be up to another partition of this process, whose transaction failed.
        """
        now = monotonic()
        opening = {place for places in self._opening.values() for place in places}
        new = [
            place
            for place in self._consumer.assigned()
            if place not in self._partitions and place not in opening and self._halted.get(place, 0.0) <= now
        ]
        if new and not self._is_giving_back:
            logger.info("%s begins with %s", self.subscription.group, _shown(new))
            for place in new:
                self._halted.pop(place, None)
                self._consumer.pause(place)
            task = asyncio.create_task(self._open(new))
            self._opening[task] = new
            await asyncio.wait([task], timeout=OPENING_SECONDS)
        for task in [task for task in self._opening if task.done()]:
            del self._opening[task]
            task.result()

    async def _open(self, new: Collection[TopicPartition]) -> None:
        """Read what is parked of partitions, and begin to read them."""
        before, is_open = self._revocations, False
        make = self._transactions
        transactions = {} if make is None else {place: make(place, self._refused[place]) for place in new}
        try:
            if transactions:
                await self._consumer.confirm()  # else one that was given up, as while it slept, fences others
                await asyncio.gather(*(one.start() for one in transactions.values()))
                await self._consumer.confirm()
            standings = await self._consumer.standings(new)
            starts = await self._places.starts(standings)
            if self._revocations != before:
                return
            offsets = {place: start.offset for place, start in starts.items() if start.offset is not None}
            opened = await self._parking.open(
                {
                    SubscriptionPartition(self.subscription.name, place): standings[place].topic_id
                    for place in offsets
                }
            )
            is_open = self._revocations == before
        finally:
            if not is_open:  # it failed, or another process may hold by now what was read
                await self._close(new, transactions.values())
        if not is_open:
            return
        for parked in opened:
            place = parked.home.partition
            self._partitions[place] = PartitionState(
                place,
                parked,
                transactions.get(place, self._delivery),
                reached=offsets[place],
                end=self.subscription.ends.get(place),
                transactions=transactions.get(place),
            )
            self._consumer.seek(place, offsets[place])
            self._consumer.resume(place)
        await self._halt([place for place in new if place not in offsets], transactions)

    async def _halt(
        self,
        places: Collection[TopicPartition],
        transactions: Mapping[TopicPartition, PartitionTransactions],
    ) -> None:
        """Read nothing of partitions until an operator has said where to begin."""
        for place in places:
            self._halted[place] = monotonic() + HALT_SECONDS
        await self._close(places, [transactions.get(place) for place in places])

    async def _drop_displaced(self) -> None:
        """Drop partitions whose position means nothing any more, once their work in hand has ended."""
        for place in self._consumer.displaced():
            partition = self._partitions.get(place)
            if partition is None:
                continue
            self._consumer.pause(place)
            partition.leave()
            if not partition.workers and not partition.is_committing:
                await self._commit()  # what of it is done; nothing if the topic is another
                self._offsets.forget([place])
                self._delivery.overdue.forget([place])
                self._forget(place)
                await self._close([place], [partition.transactions])

    async def _close(
        self, partitions: Collection[TopicPartition], transactions: Collection[PartitionTransactions | None]
    ) -> None:
        homes = [SubscriptionPartition(self.subscription.name, partition) for partition in partitions]
        self._parking.close(homes)
        self._delivery.rows.forget(homes)
        await asyncio.gather(*(one.close() for one in transactions if one is not None))

    def _room(self) -> int:
        """Return how many more records may be taken, so that a kill repeats at most `max_uncommitted`.

        Half of what is left at most, so that one partition in trouble leaves room for the others. For the
        same reason a partition that has as many in hand is not read.
        """
        in_hand = sum(one.in_hand for one in self._partitions.values())
        left = self._settings.max_uncommitted - self._offsets.uncommitted_records - in_hand
        room = (left + 1) // 2
        for partition in self._partitions.values():
            full = partition.in_hand >= max(room, 1)
            if not partition.held_back and (full or not partition.may_be_read):
                self._consumer.pause(partition.partition)
                partition.hold_back()
            elif partition.held_back and partition.in_hand <= room // 2 and partition.may_be_read:
                partition.read_again()
                self._consumer.resume(partition.partition)
        return room

    async def _commit_in_time(self) -> None:
        """Commit in the background, one commit at a time; wait for it only when too much is uncommitted."""
        if self._offsets.uncommitted_records or self._delivery.rows.receipts.gathered:
            self._delivery.overdue.begins(COMMITS)
        else:
            self._delivery.overdue.ends(COMMITS)
        pending, limit = self._offsets.pending_records, self._settings.max_uncommitted // 2
        if self._committing is not None and not self._committing.done():
            if pending < limit:
                return
            await asyncio.wait([self._committing])
            if not self._committing.cancelled():  # a revocation may have given it up
                self._committing.result()
        late = monotonic() - self._committed_at >= self._settings.commit_interval_seconds
        # Receipts are gathered ahead of any offset while a handler goes on after it has published.
        if (pending or self._delivery.rows.receipts.gathered) and (late or pending >= limit):
            self._committed_at = monotonic()
            self._committing = asyncio.create_task(self._commit())

    def _handle(self, batches: Mapping[TopicPartition, Sequence[Record]]) -> None:
        """Let the workers of each partition begin on its records, and on what is due."""
        for place, records in batches.items():
            partition = self._partitions.get(place)
            if partition is None:  # assigned during the poll: what is parked is read first
                self._consumer.seek(place, records[0].offset)
            else:
                partition.take(records)
        for partition in self._partitions.values():
            partition.go_on()

    async def _some_end(self) -> None:
        """Wait until something that is at work has ended, but not for long."""
        tasks = [task for partition in self._partitions.values() for task in partition.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        else:
            await asyncio.sleep(PATIENCE_SECONDS)

    async def _look_after_partitions(self) -> None:
        """Report what is done, begin anew where a transaction failed, and pass on what ended a worker."""
        for partition in list(self._partitions.values()):
            partition.report()
            committing, overdue = partition.committing, self._delivery.overdue
            if (refusal := partition.refusal) is None:
                overdue.ends(PUBLISHED, partition.partition)
            else:
                overdue.fails(PUBLISHED, partition.partition, refusal)
            if committing is not None and not committing.done():
                overdue.begins(COMMITS, partition.partition)
            if committing is not None and committing.done():
                fault = None if committing.cancelled() else committing.exception()
                if fault is None:
                    overdue.ends(COMMITS, partition.partition)
                else:
                    overdue.fails(COMMITS, partition.partition, fault)
                if isinstance(fault, BusError):
                    await self._begin_anew(partition, fault)
                elif fault is not None:
                    raise fault
                else:
                    self._failures.pop(partition.partition, None)
                partition.committing = None
            if (ended := partition.take_fault()) is not None:
                raise ended

    async def _begin_anew(self, partition: PartitionState, fault: BusError) -> None:
        """Drop a partition whose transaction failed; it is opened again at the committed offset.

        It may be another process' by now, which was why. So it rests until the group has confirmed this one:
        what it has in hand counts until then, so that no more comes again, and nobody is fenced. Where it was
        for a record that was refused, its event has failed, and the others go on at once. Anything else may
        come again, and from the second time on is waited for.

        Raises:
            BusUnavailableError: the group has not; ask again.
            InstanceTakenError: it has another under this name.
        """
        partition.left()
        await self._consumer.confirm()
        place, wait = partition.partition, 0.0
        if not self._refused[place].take_news():
            if failures := self._failures[place]:
                wait = ANEW.wait_seconds(failures, random.random())  # noqa: S311 - jitter
            self._failures[place] += 1
        group = self.subscription.group
        logger.warning("%s begins anew at %s/%d in %.0f s: %s", group, *place, wait, fault)
        self._consumer.pause(place)
        await self._abandon([partition], CANCEL_SECONDS)  # what it handles comes again
        self._partitions.pop(place, None)
        self._halted[place] = monotonic() + wait
        await self._close([place], [partition.transactions])

    def _forget(self, place: TopicPartition) -> None:
        """Forget a partition that has left, or whose topic is another."""
        for kept in (self._partitions, self._halted, self._refused, self._failures):
            kept.pop(place, None)

    def _end_rests(self) -> float:
        """Let partitions whose rest is over go on; return how long the next poll may wait."""
        now, now_us = monotonic(), self._clock.now_us()
        settled = self._partitions and not self.subscription.ends
        wait = IDLE_POLL_SECONDS if settled else BRIEF_POLL_SECONDS
        if self._offsets.pending_records:
            wait = self._settings.commit_interval_seconds
        for partition in self._partitions.values():
            partition.wake(now)
            if partition.workers or partition.is_committing:
                wait = min(wait, PATIENCE_SECONDS)
            elif partition.resume_at is not None:
                wait = min(wait, partition.resume_at - now)
            elif (due := partition.seconds_until_due(now_us)) is not None:
                wait = min(wait, due)
        return wait

    async def _commit(self) -> None:
        delivery = self._delivery
        async with self._commit_turn:
            gathered = delivery.rows.pending or delivery.rows.receipts.gathered
            if not self._offsets.pending_records and not gathered:
                return
            try:
                await commit(self._offsets, delivery.rows, self._commit_offsets)
            except BusError as error:
                self._not_committed.begins(error)
                delivery.overdue.fails(COMMITS, None, error)
            else:
                self._not_committed.ends()
                delivery.overdue.ends(COMMITS)

    async def _commit_offsets(self, positions: Mapping[TopicPartition, int]) -> None:
        held = self._consumer.assigned()
        mine = {partition: offset for partition, offset in positions.items() if partition in held}
        if mine:
            with self._delivery.telemetry.commit(self.subscription.group, mine):
                await self._consumer.commit(mine)
        for place, offset in mine.items():
            if (partition := self._partitions.get(place)) is not None:
                self._places.committed(place, partition.parked.topic_id, offset)

    async def _commit_last(self) -> None:
        """Commit what is done, before the partitions leave; without a broker give up, and it comes again."""
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await asyncio.gather(
                    *(one.flush() for one in list(self._partitions.values()) if one.transactions)
                )
                await self._commit()
                await self._mark(at_once=True)
        except TimeoutError:
            logger.warning("%s could not commit what is done; it comes again", self.subscription.group)
            if self._committing is not None:
                self._committing.cancel()
                await asyncio.wait([self._committing])  # its offsets are given back before they are forgotten

    async def _mark(self, *, at_once: bool = False) -> None:
        """Keep how far the partitions are, for the time when the group's offsets are gone."""
        for place, partition in self._partitions.items():
            if partition.committed is not None:
                self._places.committed(place, partition.parked.topic_id, partition.committed)
        try:
            await self._places.mark(at_once=at_once)
        except BusError as error:
            logger.warning("%s could not write how far it is: %s", self.subscription.group, error)

    async def _revoked(self, partitions: Collection[TopicPartition]) -> None:
        self._revocations += 1
        self._is_giving_back = True
        try:
            await self._give_back(partitions)
        finally:
            self._is_giving_back = False

    async def _give_back(self, partitions: Collection[TopicPartition]) -> None:
        crash_point("during-rebalance")
        logger.info("%s gives back %s", self.subscription.group, _shown(partitions))
        leaving = [self._partitions[place] for place in partitions if place in self._partitions]
        for partition in leaving:
            partition.leave()
        finish, cancel = self._times.finish_seconds, CANCEL_SECONDS
        if self._stopping.is_set():
            finish = cancel = self._settings.stop_timeout_seconds
        await self._finish(leaving, finish)
        await self._abandon(leaving, cancel)
        try:
            await self._commit_last()
        finally:
            self._offsets.forget(partitions)
            self._delivery.overdue.forget(partitions)
            self._places.forget(partitions)
            for place in partitions:
                self._forget(place)
            await self._close(partitions, [one.transactions for one in leaving])

    async def _finish(
        self,
        partitions: Collection[PartitionState],
        seconds: float,
        *,
        also: "Collection[asyncio.Task[None]]" = (),
    ) -> None:
        """Wait until partitions that leave have nothing at work."""
        ends_at, left = monotonic() + seconds, set(also)
        while tasks := left | {task for partition in partitions for task in partition.tasks}:
            done, _ = await asyncio.wait(
                tasks, timeout=max(0.0, ends_at - monotonic()), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                return
            left -= done

    async def _abandon(self, partitions: Collection[PartitionState], seconds: float) -> None:
        late = [task for partition in partitions for task in partition.abandon()]
        if late:
            await asyncio.wait(late, timeout=seconds)
        for partition in partitions:
            partition.left()

    async def _watch(self) -> None:
        """Interrupt a handler that takes longer than it may."""
        while not self._stopping.is_set():
            seconds = self.subscription.timeout_seconds
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(
                    self._stopping.wait(), max(WATCH_SECONDS, min(seconds / 30, LONG_WATCH_SECONDS))
                )
            for partition in list(self._partitions.values()):
                for worker in list(partition.workers):
                    if worker.interrupt_if_late(seconds):
                        logger.error(
                            "%s: the handler ignored its cancellation after %s s on an event of %s/%d. Its "
                            "key waits, others go on for a while. Let CancelledError pass in the handler, "
                            "restart",
                            self.subscription.group, seconds, *partition.partition,
                        )  # fmt: skip


def _shown(places: Collection[TopicPartition]) -> str:
    """Return partitions by topic, such as `a.b.v1/0,1,2`."""
    topics: dict[str, list[int]] = {}
    for topic, number in sorted(places):
        topics.setdefault(topic, []).append(number)
    return (
        "; ".join(f"{topic}/{','.join(map(str, numbers))}" for topic, numbers in topics.items()) or "nothing"
    )
