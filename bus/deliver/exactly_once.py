"""One partition of an exactly-once subscription: what a handler publishes and its offset are one transaction.

Law of this file: first the previous holder is fenced, by a process that the group has just confirmed, then
the committed offset is read. What a handler publishes is sent once every event before its own is done too,
with the receipts, parked rows and dead letters of all of them and the offset behind them. A transaction is
open for as long as that takes, and for no handler. What the broker refuses of it fails the event whose
handler published it, see `bus/deliver/refused.py`.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from bus.crash_points import crash_point
from bus.dead_letters.record import DeadLetterRecord
from bus.deliver.batch_results import BatchResults
from bus.deliver.commit import commit
from bus.deliver.delivery import Delivery, write_letter
from bus.deliver.partition import PartitionState
from bus.deliver.refused import RefusedRecords
from bus.deliver.subscription import Subscription
from bus.draft import Draft, Receipt
from bus.errors import BusError, BusUnavailableError, RefusedError
from bus.event import Event
from bus.parking.log import ParkingLog, RowWriter
from bus.publish.context import BusContext
from bus.publish.in_handler import HandlerPublishing
from bus.publish.publisher import Publisher
from bus.receipts.writer import ReceiptLog
from bus.record import TopicPartition
from bus.stages.stamp import Stamper
from bus.standing import CommittedOffset
from bus.table import deliver
from bus.topics import dead_letter_topic, receipts_topic
from bus.transport import Sender
from contracts import Catalog


class HeldPublishing(HandlerPublishing):
    """What a handler publishes, kept until it has returned; receipts have -1 as partition and offset."""

    def __init__(self, context: BusContext, publisher: Publisher, transport: Sender) -> None:
        super().__init__(context.settings, context.system, publisher, transport)
        publisher.keeps = True

    async def _publish(self, stamper: Stamper, draft: Draft, cause: Event[Any] | None) -> Receipt:
        publication = self._publisher.prepare(stamper, draft, cause)
        self._publisher.keep(publication, cause)
        return publication.receipt()


class ExactlyOnce:
    """One partition of an exactly-once subscription."""

    def __init__(
        self,
        subscription: Subscription,
        context: BusContext,
        parking: ParkingLog,
        refusals: ReceiptLog,
        partition: TopicPartition,
        *,
        refused: RefusedRecords,
    ) -> None:
        self.partition = partition
        self._refused = refused
        refused.begin()
        self._is_over = False
        """Whether it commits nothing more."""
        self._group = subscription.group
        self._publish_timeout_seconds = context.settings.publish_timeout_seconds
        self._transaction_timeout_seconds = context.settings.transaction_timeout_seconds
        self._clock = context.transport.clock
        identity = f"{subscription.group}.{partition.topic}.{partition.partition}"
        self._transport = context.transport.transactional(identity)
        self._receipts = ReceiptLog(self._transport, receipts_topic(context.agency))
        self._refusals = refusals
        self._publisher = context.publisher(self._transport, self._receipts, refusals, together=True)
        self._published = HeldPublishing(context, self._publisher, self._transport)
        self._letters = dead_letter_topic(context.agency)
        self._delivery = Delivery(
            subscription,
            self._published,
            self._receipts,
            context.telemetry,
            context.transport.clock,
            rows=RowWriter(self._transport, parking.topic, parking.writer, self._receipts),
            set_aside=None,
            fetch=partial(context.transport.fetch, TopicPartition(parking.topic, 0)),
            learn=context.learn,
            refused=refused,
        )

    async def start(self) -> None:
        """Fence the previous holder of the partition.

        Raises:
            BusError: the cluster does not answer, or does not allow it.
        """
        await self._transport.start()

    def adopt(self, subscription: Subscription, catalog: Catalog) -> None:
        """Use a newer catalogue."""
        self._delivery.subscription = subscription
        self._publisher.adopt(catalog)

    def open(self, partition: PartitionState) -> BatchResults:
        """Return what collects the results of the partition."""
        return self._delivery.open(partition)

    def go_on(self, partition: PartitionState) -> None:
        """Let another worker begin, if it may."""
        self._delivery.go_on(partition)

    @property
    def uncommitted(self) -> int:
        """Records that are done and not committed yet."""
        return self._delivery.offsets.uncommitted_records

    def report(self, partition: PartitionState) -> None:
        """Commit what is done, unless a commit is on its way: what is done meanwhile goes with the next."""
        if partition.results.are_ready and not partition.is_committing and not self._is_over:
            partition.committing = asyncio.create_task(self.commit(partition))
            # Whoever looks after the partition tells of its error; at a stop nobody does.
            partition.committing.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def flush(self, partition: PartitionState) -> None:
        """Return when what is done is committed, or could not be."""
        self.report(partition)
        if partition.committing is not None:
            await asyncio.wait([partition.committing])

    async def commit(self, partition: PartitionState) -> None:
        """Commit what is done, in one transaction after the other until nothing is.

        Raises:
            BusError: nothing is committed, or that is not known: the partition must be opened again.
        """
        while partition.results.are_ready:
            try:
                async with asyncio.timeout(self._transaction_timeout_seconds):
                    await self._commit(partition)
            except (BusError, TimeoutError) as error:
                raise await self._given_up(error) from error
            finally:
                self._publisher.ended()

    async def _given_up(self, error: BusError | TimeoutError) -> BusError:
        """Abort, and learn what was refused; return why."""
        self._is_over = True
        fault = self._transport.fault
        await self._transport.abort()
        for publication, why in self._publisher.refused:
            self._refused.add(publication.index, publication.causation or "", why)
        if fault is not None and not fault.retriable:
            return fault  # what failed for it says less
        if isinstance(error, BusError):
            return error
        seconds, place = self._transaction_timeout_seconds, "{}/{}".format(*self.partition)
        return BusUnavailableError(
            f"Expected the broker to take a transaction within {seconds:.0f} s, it did not - {place}"
        )

    async def _commit(self, partition: PartitionState) -> None:
        delivery = self._delivery
        await self._transport.begin()
        outputs, reached = partition.results.report(), partition.window.reached
        letters = []
        for output in outputs:
            if isinstance(output, DeadLetterRecord):
                whole = self._refused.takes_letter(output.size_bytes)
                letters.append(write_letter(output, self._set_aside, whole=whole))
            else:
                self._publisher.emit(output)
        await asyncio.gather(*letters)
        crash_point("inside-transaction")
        await self._publisher.released(self._publish_timeout_seconds)
        await self._refusals.flush()  # they count, whatever becomes of the transaction
        commit_offsets = partial(self._commit_offsets, partition)
        await commit(delivery.offsets, delivery.rows, commit_offsets, self._transport)
        self._refused.committed(reached)

    async def _commit_offsets(
        self, partition: PartitionState, positions: Mapping[TopicPartition, int]
    ) -> None:
        topic_id, now_us = partition.parked.topic_id, self._clock.now_us()
        marked = {place: CommittedOffset(offset, topic_id, now_us) for place, offset in positions.items()}
        with self._delivery.telemetry.commit(self._group, marked):
            await self._transport.commit(self._group, marked)
        partition.committed = positions.get(self.partition, partition.committed)

    async def close(self) -> None:
        """Disconnect; what is not committed is aborted."""
        self._is_over = True
        await self._transport.stop()

    async def _set_aside(self, letter: DeadLetterRecord) -> None:
        headers = list(letter.headers)
        try:
            await deliver(self._transport, self._letters, letter.key, letter.value, headers)
        except RefusedError:
            self._refused.add_letter(letter.size_bytes)
            raise
