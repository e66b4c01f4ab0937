"""One partition of an exactly-once subscription: handling, publishing and committing are one transaction.

Law of this file: first the previous holder is fenced, then the committed offset is read. What a handler
publishes is sent after it has returned, and is visible to readers after the commit.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from bus.crash_points import crash_point
from bus.dead_letters.record import DeadLetterRecord
from bus.deliver.commit import commit
from bus.deliver.delivery import Delivery
from bus.deliver.partition import PartitionState
from bus.deliver.subscription import Subscription
from bus.errors import BusError
from bus.parking.log import ParkingLog, RowWriter
from bus.publish.context import BusContext
from bus.publish.in_handler import HandlerPublishing
from bus.publish.publication import Publication
from bus.publish.publisher import Publisher
from bus.receipts.writer import ReceiptLog
from bus.record import Position, Record, TopicPartition
from bus.standing import CommittedOffset
from bus.table import deliver
from bus.times.clock import steady_ns
from bus.times.group_times import take_seconds
from bus.topics import dead_letter_topic, receipts_topic
from bus.transport import Consumer, Sender
from contracts import Catalog

COMMIT_SECONDS = 1.0
"""How long a transaction takes further records in, so that what is published is soon seen."""


class HeldPublishing(HandlerPublishing):
    """What a handler publishes, kept until it has returned; receipts have -1 as partition and offset."""

    def __init__(self, context: BusContext, publisher: Publisher, transport: Sender) -> None:
        super().__init__(context.settings, context.system, publisher, transport)
        publisher.kept = []

    def take_held(self) -> list[Publication]:
        """Return what was kept; it is kept no longer."""
        held, self._publisher.kept = self._publisher.kept, []
        return held or []


class ExactlyOnce:
    """One partition of an exactly-once subscription."""

    def __init__(
        self,
        subscription: Subscription,
        context: BusContext,
        parking: ParkingLog,
        partition: TopicPartition,
    ) -> None:
        self.partition = partition
        self._group = subscription.group
        self._publish_timeout_seconds = context.settings.publish_timeout_seconds
        self._clock = context.transport.clock
        self._take_seconds = take_seconds(COMMIT_SECONDS, context.settings.transaction_timeout_seconds)
        identity = f"{subscription.group}.{partition.topic}.{partition.partition}"
        self._transport = context.transport.transactional(identity)
        self._receipts = ReceiptLog(self._transport, receipts_topic(context.agency))
        self._publisher = context.publisher(self._transport, self._receipts, together=True)
        self._published = HeldPublishing(context, self._publisher, self._transport)
        self._letters = dead_letter_topic(context.agency)
        self._delivery = Delivery(
            subscription,
            self._published,
            self._receipts,
            context.telemetry,
            context.transport.clock,
            rows=RowWriter(self._transport, parking.topic, parking.writer, self._receipts),
            set_aside=self._set_aside,
            fetch=partial(context.transport.fetch, TopicPartition(parking.topic, 0)),
            learn=context.learn,
            handler_ended=self._handler_ended,
        )

    async def open(self, consumer: Consumer) -> None:
        """Fence the previous holder of the partition, then read on at the committed offset.

        Raises:
            BusError: the cluster does not answer, or does not allow it.
        """
        await self._transport.start()
        await consumer.rewind(self.partition)

    def adopt(self, subscription: Subscription, catalog: Catalog) -> None:
        """Use a newer catalogue."""
        self._delivery.subscription = subscription
        self._publisher.adopt(catalog)

    async def drain(self, partition: PartitionState, records: Sequence[Record]) -> None:
        """Take `records` to their outcome in one transaction.

        Raises:
            BusError: nothing is committed, or that is not known: the partition must be opened again.
        """
        partition.work_until(steady_ns() + int(self._take_seconds * 1e9))
        delivery = self._delivery
        try:
            await self._transport.begin()
            await delivery.drain(partition, records)
            if partition.has_left:
                return  # the next holder has aborted the transaction
            crash_point("inside-transaction")
            await self._publisher.released(self._publish_timeout_seconds)
            commit_offsets = partial(self._commit_offsets, partition)
            await commit(delivery.offsets, delivery.rows, commit_offsets, self._transport)
        except BusError:
            await self._transport.abort()
            raise
        finally:
            self._publisher.ended()

    async def _commit_offsets(
        self, partition: PartitionState, positions: Mapping[TopicPartition, int]
    ) -> None:
        topic_id, now_us = partition.parked.topic_id, self._clock.now_us()
        marked = {place: CommittedOffset(offset, topic_id, now_us) for place, offset in positions.items()}
        await self._transport.commit(self._group, marked)
        partition.committed = positions.get(self.partition, partition.committed)

    async def close(self) -> None:
        """Disconnect; what is not committed is aborted."""
        await self._transport.stop()

    async def _set_aside(self, letter: DeadLetterRecord) -> Position:
        headers = list(letter.headers)
        return await deliver(self._transport, self._letters, letter.key, letter.value, headers)

    def _handler_ended(self, *, acknowledged: bool) -> None:
        """Send what a handler has published, if it acknowledged the event."""
        for publication in self._published.take_held():
            if acknowledged:
                self._publisher.emit(publication)
