"""Runs one source: read, translate, publish, save the checkpoint, acknowledge; again after any error."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
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
    UsageError,
    VersionRetiredError,
    checkpoints_topic,
)
from connectors.checkpoint import Checkpoints
from connectors.configuration.config import SourceConfig
from connectors.errors import BlockedError, ConfigurationError, ConnectorError, EndOfSourceError
from connectors.health import Health
from connectors.publication import DeadLetterDraft, plan, refused, require_known
from connectors.source import Batch, EventRecord, MalformedRecord, SourceRecord
from connectors.transaction_finder import TransactionFinder
from connectors.turns import in_turns
from connectors.worker import Worker
from contracts import ContractError, PartitionKeyError, visible_logger

_LOG = visible_logger("govbus.connectors")
MAX_IN_FLIGHT = 5_000
"""Events that wait for Kafka at a time."""

TAKEN = "what it publishes, and its checkpoints"
"""What the cluster must take of a source, again and again."""

REMEMBERED_IDS = 10_000
"""Events of earlier batches that a row may repeat."""

Taken = TypeVar("Taken")
RecordDraft = tuple[SourceRecord, Draft]


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
        self._transactions = TransactionFinder(config)
        self._stopping = asyncio.Event()
        self._failures = 0
        self._overdue = Overdue()
        self._rows = RowCounts()
        self._ids: dict[str, None] = {}
        self._covered_ids: dict[str, None] = {}

    def stop(self) -> None:
        """End `run` after the current batch."""
        self._stopping.set()

    @property
    def fault(self) -> str | None:
        """What the cluster has not taken for more than a minute; None if there is nothing."""
        fault = self._overdue.fault
        return None if fault is None else f"{self._config.agency}/{self._config.name}: {fault}"

    async def run(self) -> None:
        """Serve until `stop`, the end of the source, or an error that needs a person."""
        try:
            while not self._stopping.is_set():
                try:
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
            self.health.stopped()

    async def connect(self) -> None:
        """Connect the source; see `Source.connect`."""
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
        self._rows, self._ids = RowCounts(), {}
        await self._publish(batch)
        if batch.checkpoint is not None:
            save = partial(self._checkpoints.save, batch.checkpoint, batch.partition, self._rows)
            await self._until_taken(save)
            self._covered_ids |= self._ids
            for old in list(self._covered_ids)[:-REMEMBERED_IDS]:
                del self._covered_ids[old]
        await self._worker.call(batch.acknowledge)
        return True

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            found = await self.step()
            self._failures = 0
            self._overdue.ends(TAKEN)
            self.health.running()
            if not found:
                await self._sleep(self._source.poll_seconds)

    async def _publish(self, batch: Batch) -> None:
        require_known(batch.records, self._bus.catalog)
        for start in range(0, len(batch.records), MAX_IN_FLIGHT):
            drafts: list[RecordDraft] = []
            dead_letters: list[DeadLetterDraft] = []
            set_aside: list[tuple[SourceRecord | MalformedRecord, DeadLetterDraft]] = []
            async for record in in_turns(batch.records[start : start + MAX_IN_FLIGHT]):
                planned = plan(record, self._config)
                if isinstance(planned, DeadLetterDraft):
                    set_aside.append((record, planned))
                elif planned is None:
                    self.health.counts["skipped"] += 1
                    now = datetime.fromtimestamp(self._bus.transport.clock.now_us() / 1e6, UTC)
                    self._count(self._transactions.intended(record).type, now, "skipped")
                else:
                    self._transactions.learn(planned.transaction)
                    drafts.append((cast("SourceRecord", record), planned))
            # Only now: the good records of a batch tell what its transactions look like.
            for record, letter in set_aside:
                dead_letters.append(replace(letter, intended=self._transactions.intended(record)))
            while drafts:
                drafts, refusals = await self._submit(drafts)
                dead_letters += refusals
                if drafts:
                    await self._wait_for_bus()
            for dead_letter in dead_letters:
                set_aside_at = await self._until_taken(partial(self._write_dead_letter, dead_letter))
                self.health.counts["dead-lettered"] += 1
                self._count(dead_letter.intended.type, set_aside_at, "set-aside")

    async def _submit(self, drafts: Sequence[RecordDraft]) -> tuple[list[RecordDraft], list[DeadLetterDraft]]:
        """Publish in order; returns what Kafka did not take now, and what the bus refused for good."""
        waiting: list[RecordDraft] = []
        dead_letters: list[DeadLetterDraft] = []
        futures: list[tuple[RecordDraft, asyncio.Future[Receipt]]] = []
        async for record, draft in in_turns(drafts):
            if waiting:  # what comes after an event that was not taken stays after it
                waiting.append((record, draft))
                continue
            try:
                future = self._submit_one(record, draft)
            except (RefusedError, PartitionKeyError) as error:
                if isinstance(error, VersionRetiredError) and self._config.publish is not None:
                    raise  # the file names the version: every record would be set aside
                dead_letters.append(self._refused(record, draft, error))
            except BusUnavailableError as error:
                self._overdue.fails(TAKEN, None, error)
                waiting.append((record, draft))
            else:
                futures.append(((record, draft), future))
        again, refused_later = await self._settle(futures)
        return [*again, *waiting], [*dead_letters, *refused_later]

    async def _settle(
        self, futures: Sequence[tuple[RecordDraft, asyncio.Future[Receipt]]]
    ) -> tuple[list[RecordDraft], list[DeadLetterDraft]]:
        """Wait for what was submitted; returns the same as `_submit` of it."""
        again: list[RecordDraft] = []
        dead_letters: list[DeadLetterDraft] = []
        self._overdue.begins(TAKEN)
        async for item, future in in_turns(futures):
            try:
                receipt = await future  # one after the other costs nothing: most are done by then
            except RefusedError as error:
                dead_letters.append(self._refused(*item, error))
            except BusUnavailableError as error:
                self._overdue.fails(TAKEN, None, error)
                again.append(item)
            else:
                self._overdue.ends(TAKEN)
                self.health.counts["published"] += 1
                is_new = receipt.id not in self._ids and receipt.id not in self._covered_ids
                self._ids[receipt.id] = None
                self._count(receipt.topic, receipt.broker_time, "published" if is_new else "repeated")
        return again, dead_letters

    def _submit_one(self, record: SourceRecord, draft: Draft) -> asyncio.Future[Receipt]:
        publish = self._config.publish
        if publish is not None:
            return self._bus.submit(publish.event, draft, version=publish.version)
        event = cast("EventRecord", record).event
        return self._bus.submit(event.subject, draft, version=event.version, cause=event.cause)

    def _refused(
        self, record: SourceRecord, draft: Draft, error: RefusedError | PartitionKeyError
    ) -> DeadLetterDraft:
        letter = refused(record, error, self._config.name)
        intended = self._transactions.intended(record)
        return replace(letter, intended=replace(intended, transaction=draft.transaction))

    def _count(self, topic: str, moment: datetime, fate: RowFate) -> None:
        if topic:
            self._rows.count(topic, moment.date(), fate)

    async def _write_dead_letter(self, draft: DeadLetterDraft) -> datetime:
        intended = draft.intended
        if intended.service not in self._bus.catalog.services:  # that may be why it was refused
            intended = replace(intended, service=None)
        return await self._bus.dead_letter(
            draft.raw, reason=draft.reason, stage=draft.stage, where=draft.where, detail=draft.detail,
            intended=intended,
        )  # fmt: skip

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
