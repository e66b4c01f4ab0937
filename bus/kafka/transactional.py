"""Transactions of one producer: records and offsets that are committed together, or not at all.

Law of this file: the transactional id is the fence. A start with it aborts what the previous holder had
begun, which can commit nothing more, however long it was suspended (KIP-98).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Mapping
from time import monotonic
from typing import Any

from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.errors import IllegalOperation, KafkaError, ProducerFenced
from aiokafka.producer.transaction_manager import TransactionState
from aiokafka.structs import TopicPartition as KafkaPartition

from bus.crash_points import crash_point
from bus.errors import BusError
from bus.kafka.consumer import wire
from bus.kafka.errors import translate
from bus.kafka.producer import Producer
from bus.kafka.requests import describe_transactions
from bus.record import TopicPartition
from bus.settings import Settings
from bus.standing import CommittedOffset
from bus.times.clock import BrokerClock
from bus.transport import Outgoing

ABORT_SECONDS = 5.0
CHECK_AFTER_SECONDS = 1.0
"""After this long without use it is asked whether the id is still ours."""
TRANSACTIONAL_ID_NOT_FOUND = 105


class KafkaTransactional:
    """See `bus.transport.Transactional`."""

    def __init__(
        self, settings: Settings, clock: BrokerClock, identity: str, beside: Producer | None = None
    ) -> None:
        self.answer_seconds = settings.publish_timeout_seconds
        self._settings = settings
        self._identity = identity
        self._producer = Producer(settings, clock, identity)
        self._beside = beside
        self._begun = False
        self._used_at = 0.0

    @property
    def unacknowledged(self) -> int:
        """Records that are neither acknowledged nor failed."""
        return self._producer.unacknowledged

    @property
    def fault(self) -> BusError | None:
        """Why it can only be aborted, if it can."""
        manager = self._producer.kafka._txn_manager  # noqa: SLF001 - there is no public way
        if manager.state is TransactionState.ABORTABLE_ERROR:
            ended = manager.wait_for_transaction_end().exception()
            return translate(ended, f"transactions of `{self._identity}`")
        return self._producer.fault

    async def start(self) -> None:
        """Take over the transactional id."""
        self._producer.measure = self._beside.measure if self._beside is not None else None
        await self._producer.start()
        self._used_at = monotonic()
        await self.begin()

    async def begin(self) -> None:
        """Begin, unless begun already; with the same id again, where the cluster has forgotten it."""
        if monotonic() - self._used_at > CHECK_AFTER_SECONDS:
            await self._ask(self._check_holder())
        if not self._begun:
            self._producer.fault = None
            await self._ask(self._producer.kafka.begin_transaction())
            self._begun = True

    async def _check_holder(self) -> None:
        """Find out who holds the id after a time without use: us, nobody any more, or a newer process.

        The error of a transaction would not tell one from the other: it says that the producer is not the
        id's. A cluster forgets an id after `transactional.id.expiration.ms`, a week by default.
        """
        sender = self._producer.kafka._sender  # noqa: SLF001 - there is no public way
        manager = self._producer.kafka._txn_manager  # noqa: SLF001
        node = await sender._find_coordinator(CoordinationType.TRANSACTION, self._identity)  # noqa: SLF001
        request = describe_transactions(self._identity)
        answer = await self._producer.kafka.client.send(node, request, group=ConnectionGroup.COORDINATION)
        ((error, _, _, _, _, producer_id, epoch, *_),) = answer.states
        self._used_at = monotonic()
        if error == TRANSACTIONAL_ID_NOT_FOUND:
            await self._producer.stop()
            await self._producer.start()
            self._begun = False
        elif not error and (producer_id, epoch) != (manager.producer_id, manager.producer_epoch):
            raise ProducerFenced

    def send(self, outgoing: Outgoing) -> None:
        """Take a record."""
        self._producer.send(outgoing)

    async def drain(self) -> None:
        """Wait until every record is acknowledged or failed."""
        await self._producer.drain()

    async def commit(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit."""
        await self._ask(self._producer.drain())
        if (fault := self.fault) is not None:
            raise fault
        if positions:
            offsets = {KafkaPartition(*place): wire(at) for place, at in positions.items()}
            await self._ask(self._producer.kafka.send_offsets_to_transaction(offsets, group))
        crash_point("after-offset-record")
        self._begun = False
        await self._ask(self._producer.kafka.commit_transaction())
        self._used_at = monotonic()

    async def abort(self) -> None:
        """Abort, if possible."""
        self._begun = False
        if self._producer.kafka is None:
            return
        with contextlib.suppress(BusError, AssertionError, TimeoutError):
            async with asyncio.timeout(ABORT_SECONDS):
                if self._producer.kafka._txn_manager.state is TransactionState.ABORTABLE_ERROR:  # noqa: SLF001
                    # aiokafka forgets what is in the transaction, and leaves it open on the broker: a start
                    # with the same id ends it.
                    await self._producer.stop()
                    await self._producer.start()
                else:
                    await self._ask(self._producer.kafka.abort_transaction())

    async def stop(self) -> None:
        """Disconnect."""
        await self._producer.stop()

    async def _ask(self, question: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                await question
        except (KafkaError, IllegalOperation, TimeoutError) as error:
            raise translate(error, f"transactions of `{self._identity}`") from error
