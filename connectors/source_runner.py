"""Runs one source: read, translate, publish with the checkpoint, acknowledge; again after any error.

Law of this file: the events of a batch and its checkpoint are one transaction under the connector's name. So
who dies in it has published nothing of it, and who is no longer the owner can publish nothing more.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar, cast

from bus import (
    Backoff,
    Bus,
    BusError,
    BusUnavailableError,
    Draft,
    Overdue,
    Receipt,
    RefusedError,
    RowCounts,
    RowFate,
    Transaction,
    UsageError,
    VersionRetiredError,
    checkpoints_topic,
)
from connectors.checkpoint import Checkpoints
from connectors.configuration.config import SourceConfig
from connectors.errors import BlockedError, ConfigurationError, ConnectorError, EndOfSourceError
from connectors.health import Health
from connectors.ownership import Ownership
from connectors.publication import DeadLetterDraft, plan, refused, require_known
from connectors.source import Batch, EventRecord, MalformedRecord, SourceRecord
from connectors.transaction_finder import TransactionFinder
from connectors.turns import in_turns
from connectors.worker import Worker
from contracts import ContractError, PartitionKeyError, visible_logger

_LOG = visible_logger("govbus.connectors")
MOST_TOGETHER = 5_000
"""Events in one transaction: those of a batch of no more are seen together, with its checkpoint."""

TAKEN = "what it publishes, and its checkpoints"
"""What the cluster must take of a source, again and again."""

REMEMBERED_IDS = 10_000
"""Events of earlier batches that a row may repeat."""

Taken = TypeVar("Taken")
RecordDraft = tuple[SourceRecord, Draft]


class _RefusedByBrokerError(Exception):
    """The broker refused events of a transaction: the others are published in another."""


class StoppingError(ConnectorError):
    """The runner is stopping while it waits for the bus; the batch is read again after a restart."""

    retriable = True
    reason = "stopping"


class SourceRunner:
    """Runs one source over one bus.

    Args:
        config: The source.
        bus: The bus of its agency and system, started before `run`.
        backoff: The waits after errors.
        chance: Gives random numbers in [0, 1).
    """

    def __init__(
        self,
        config: SourceConfig,
        bus: Bus,
        *,
        backoff: Backoff | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.health = Health(config.agency, config.name, "source")
        self._config = config
        self._bus = bus
        self._backoff = backoff or Backoff()
        self._chance = chance
        self._worker = Worker(config.name)
        self._source = config.make()
        self._checkpoints = Checkpoints(
            bus.table(checkpoints_topic(config.agency)), config.name, config.system
        )
        self._ownership = Ownership(bus, config.name)
        self._transactions = TransactionFinder(config)
        self._stopping = asyncio.Event()
        self._failures = 0
        self._overdue = Overdue()
        self._rows = RowCounts()
        self._covered_ids: dict[str, None] = {}

    def stop(self) -> None:
        """End `run` after the current batch."""
        self._stopping.set()
        self._ownership.wake()

    @property
    def fault(self) -> str | None:
        """What the cluster has not taken for more than a minute; None if there is nothing."""
        fault = self._overdue.fault
        return None if fault is None else f"{self._config.agency}/{self._config.name}: {fault}"

    async def run(self) -> None:
        """Serve until `stop`, the end of the source, or an error that needs a person."""
        keeping = asyncio.create_task(self._ownership.keep(), name=f"ownership {self._config.name}")
        try:
            while not self._stopping.is_set():
                try:
                    await self._wait_for_ownership()
                    await self.connect()
                    await self._serve()
                except EndOfSourceError:
                    self.health.finished()
                    return
                except StoppingError:
                    return
                except (ConfigurationError, UsageError, VersionRetiredError, ContractError) as error:
                    self.health.failed(str(error.reason), str(error))
                    return
                except Exception as error:  # noqa: BLE001 - a failed connector is restarted, whatever the cause
                    await self._close()
                    if isinstance(error, BusError):
                        self._overdue.fails(TAKEN, None, error)
                    else:
                        self._overdue.ends(TAKEN)
                    await self._wait(error)
        finally:
            self._overdue.ends(TAKEN)
            await self._close()
            self._worker.close()
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            self.health.stopped()

    async def _wait_for_ownership(self) -> None:
        while not self._ownership.is_held:
            if self._stopping.is_set():
                raise StoppingError("the connector is stopping, and another process runs it")
            if self._ownership.is_elsewhere:
                self.health.standby()
            await self._ownership.change()

    async def connect(self) -> None:
        """End what an earlier owner has begun, and go on behind it; see `Source.connect`."""
        async with self._bus.transaction(self._config.name):
            pass  # whoever held the name before can commit nothing more
        await self._checkpoints.reread()
        await self._worker.call(self._source.connect, self._checkpoints)

    async def step(self) -> bool:
        """Take one batch from the source to its acknowledgement.

        Returns:
            Whether there was one.
        """
        batch = await self._worker.call(self._source.read)
        if batch is None:
            return False
        if not isinstance(batch, Batch):
            raise ConfigurationError(
                f"`read` returned a `{type(batch).__name__}`",
                "it returns a `Batch` or None",
                "correct the source",
            )
        if batch.records or batch.checkpoint is not None:
            await self._publish(batch)
        await self._worker.call(batch.acknowledge)
        return True

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            if not self._ownership.is_held:
                await self._close()
                return
            found = await self.step()
            self._failures = 0
            self._overdue.ends(TAKEN)
            self.health.running()
            if not found:
                await self._sleep(self._source.poll_seconds)

    async def _publish(self, batch: Batch) -> None:
        """Publish the events of a batch, with its checkpoint in the transaction of the last."""
        require_known(batch.records, self._bus.catalog)
        self._rows = RowCounts()
        ids: dict[str, None] = {}
        for start in range(0, max(1, len(batch.records)), MOST_TOGETHER):
            end = start + MOST_TOGETHER
            drafts = await self._planned(batch.records[start:end])
            is_last = end >= len(batch.records) and batch.checkpoint is not None
            ids |= await self._commit(drafts, batch if is_last else None, ids)
        self._covered_ids |= ids
        for old in list(self._covered_ids)[:-REMEMBERED_IDS]:
            del self._covered_ids[old]

    async def _planned(self, records: Sequence[SourceRecord | MalformedRecord]) -> list[RecordDraft]:
        """The events of records; what becomes none is set aside."""
        drafts: list[RecordDraft] = []
        letters: list[tuple[SourceRecord | MalformedRecord, DeadLetterDraft]] = []
        async for record in in_turns(records):
            planned = plan(record, self._config)
            if isinstance(planned, DeadLetterDraft):
                letters.append((record, planned))
            elif planned is None:
                self.health.counts["skipped"] += 1
                now = datetime.fromtimestamp(self._bus.transport.clock.now_us() / 1e6, UTC)
                self._count(self._transactions.intended(record).type, now, "skipped")
            else:
                self._transactions.learn(planned.transaction)
                drafts.append((cast("SourceRecord", record), planned))
        # Only now: the good records of a batch tell what its transactions look like.
        for record, letter in letters:
            intended = replace(letter, intended=self._transactions.intended(record))
            await self._until_taken(partial(self._set_aside, intended))
        return drafts

    async def _commit(
        self, drafts: Sequence[RecordDraft], covered: Batch | None, before: Mapping[str, None]
    ) -> dict[str, None]:
        """Publish events in one transaction, and with them the checkpoint of the batch that they cover.

        What the bus refuses is set aside, and the others are published.

        Args:
            drafts: The events.
            covered: The batch whose last events they are.
            before: The ids of the events of the batch that are published.

        Returns:
            The ids of the events.
        """
        while drafts or covered is not None:
            rows, ids = RowCounts(), dict[str, None]()
            refused: dict[int, DeadLetterDraft] = {}
            told: set[int] = set()
            self._overdue.begins(TAKEN)
            try:
                async with self._bus.transaction(self._config.name) as transaction:
                    receipts = await self._submit(transaction, drafts, refused)
                    for receipt in receipts:
                        repeats = receipt.id in ids or receipt.id in before or receipt.id in self._covered_ids
                        ids[receipt.id] = None
                        fate: RowFate = "repeated" if repeats else "published"
                        rows.count(receipt.topic, receipt.broker_time.date(), fate)
                    for index, letter in refused.items():
                        await self._set_aside(letter)
                        told.add(index)
                    if covered is not None:
                        total = self._rows.plus(rows)
                        await self._checkpoints.save(
                            transaction, covered.checkpoint, covered.partition, total
                        )
            except (_RefusedByBrokerError, BusUnavailableError) as error:
                if isinstance(error, _RefusedByBrokerError):
                    for index, letter in refused.items():
                        await self._until_taken(partial(self._set_aside, letter))
                        told.add(index)
                else:
                    self._overdue.fails(TAKEN, None, error)
                    await self._wait_for_bus()
                drafts = [draft for index, draft in enumerate(drafts) if index not in told]
            else:
                self._overdue.ends(TAKEN)
                self._rows = self._rows.plus(rows)
                self.health.counts["published"] += len(receipts)
                return ids
        return {}

    async def _submit(
        self, transaction: Transaction, drafts: Sequence[RecordDraft], refused: dict[int, DeadLetterDraft]
    ) -> list[Receipt]:
        """Publish in order; returns the receipts, and fills in what was refused for good, by its index.

        Raises:
            _RefusedByBrokerError: Something was refused after it was sent, so the transaction is void.
        """
        futures: dict[int, asyncio.Future[Receipt]] = {}
        receipts: list[Receipt] = []
        try:
            async for index, (record, draft) in in_turns(list(enumerate(drafts))):
                try:
                    futures[index] = self._submit_one(transaction, record, draft)
                except (RefusedError, PartitionKeyError) as error:
                    if isinstance(error, VersionRetiredError) and self._config.publish is not None:
                        raise  # the file names the version: every record would be set aside
                    refused[index] = self._refused(record, draft, error)
            async for index, future in in_turns(list(futures.items())):
                try:
                    receipts.append(await future)  # one after the other costs nothing: most are done by then
                except RefusedError as error:
                    refused[index] = self._refused(*drafts[index], error)
            if len(receipts) < len(futures):
                raise _RefusedByBrokerError
        finally:
            for future in futures.values():
                if future.done() and not future.cancelled():
                    future.exception()  # the first of them is told
                future.cancel()
        return receipts

    def _submit_one(
        self, transaction: Transaction, record: SourceRecord, draft: Draft
    ) -> asyncio.Future[Receipt]:
        publish = self._config.publish
        if publish is not None:
            return transaction.submit(publish.event, draft, version=publish.version)
        event = cast("EventRecord", record).event
        return transaction.submit(event.subject, draft, version=event.version, cause=event.cause)

    def _refused(
        self, record: SourceRecord, draft: Draft, error: RefusedError | PartitionKeyError
    ) -> DeadLetterDraft:
        letter = refused(record, error, self._config.name)
        intended = self._transactions.intended(record)
        return replace(letter, intended=replace(intended, transaction=draft.transaction))

    def _count(self, topic: str, moment: datetime, fate: RowFate) -> None:
        if topic:
            self._rows.count(topic, moment.date(), fate)

    async def _set_aside(self, draft: DeadLetterDraft) -> None:
        intended = draft.intended
        if intended.service not in self._bus.catalog.services:  # that may be why it was refused
            intended = replace(intended, service=None)
        moment = await self._bus.dead_letter(
            draft.raw, reason=draft.reason, stage=draft.stage, where=draft.where, detail=draft.detail,
            intended=intended,
        )  # fmt: skip
        self.health.counts["dead-lettered"] += 1
        self._count(draft.intended.type, moment, "set-aside")

    async def _until_taken(self, write: Callable[[], Awaitable[Taken]]) -> Taken:
        """Call again until the broker takes it."""
        self._overdue.begins(TAKEN)
        while True:
            try:
                taken = await write()
            except BusUnavailableError as error:
                self._overdue.fails(TAKEN, None, error)
                await self._wait_for_bus()
            else:
                self._overdue.ends(TAKEN)
                return taken

    async def _wait_for_bus(self) -> None:
        seconds = self._next_wait_seconds()
        self.health.waiting(BusUnavailableError.reason, "the broker did not take events", seconds)
        await self._sleep(seconds)
        if self._stopping.is_set():
            raise StoppingError("the connector is stopping, and the broker does not answer")

    async def _wait(self, error: Exception) -> None:
        """Report why in one line, and wait; of an unknown error only the class, since it may quote data."""
        seconds = max(self._next_wait_seconds(), getattr(error, "after_seconds", None) or 0.0)
        if isinstance(error, BlockedError):
            self.health.blocked(error.reason, str(error))
        elif isinstance(error, ConnectorError | BusError):
            self.health.waiting(str(error.reason), str(error).partition("\n")[0], seconds)
        else:
            self.health.waiting(ConnectorError.reason, f"raised {type(error).__name__}", seconds)
            _LOG.debug("%s/%s raised", self._config.agency, self._config.name, exc_info=error)
        await self._sleep(seconds)

    def _next_wait_seconds(self) -> float:
        self._failures += 1
        return self._backoff.wait_seconds(self._failures, self._chance())

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _close(self) -> None:
        await self._worker.try_to_close(
            self._source.close, f"source {self._config.agency}/{self._config.name}"
        )
