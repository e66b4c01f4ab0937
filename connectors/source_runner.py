"""Runs one source: read, translate, publish, save the checkpoint, acknowledge; again after any error."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from typing import cast

from bus import Backoff, Bus, BusError, BusUnavailableError, Draft, Receipt, RefusedError, UsageError
from connectors.checkpoint import TOPIC, Checkpoints
from connectors.config import SourceConfig
from connectors.errors import ConfigurationError, ConnectorError, EndOfSourceError
from connectors.health import Health
from connectors.publication import SetAside, plan, refused, require_known
from connectors.source import Batch, EventRecord, MalformedRecord, SourceRecord
from connectors.worker import Worker
from contracts import ContractError, PartitionKeyError

_LOG = logging.getLogger("govbus.connectors")
IN_FLIGHT = 5_000
"""Events that wait for Kafka at a time."""

Record = SourceRecord | MalformedRecord


class StoppingError(ConnectorError):
    """The runner was told to stop while it waited for the bus; the batch is read again after a restart."""

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
        self._checkpoints = Checkpoints(bus.table(TOPIC), config.agency, config.name)
        self._stopping = asyncio.Event()
        self._failures = 0

    def stop(self) -> None:
        """Tell `run` to end after the batch in hand."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until told to stop, the source ends, or a person has to change something."""
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
                except (ConfigurationError, UsageError, ContractError) as error:
                    self.health.failed(str(error.reason), str(error))
                    return
                except Exception as error:  # noqa: BLE001 - a dead connector is restarted, whatever killed it
                    await self._close()
                    await self._wait(error)
        finally:
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
        await self._publish(batch)
        while not await self._save(batch):
            await self._wait_for_bus()
        await self._worker.call(batch.acknowledge)
        return True

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            found = await self.step()
            self._failures = 0
            self.health.running()
            if not found:
                await self._sleep(self._source.poll_seconds)

    async def _publish(self, batch: Batch) -> None:
        require_known(batch.records, self._bus.catalog)
        for start in range(0, len(batch.records), IN_FLIGHT):
            planned = [
                (record, plan(record, self._config)) for record in batch.records[start : start + IN_FLIGHT]
            ]
            self.health.counts["skipped"] += sum(1 for _, fate in planned if fate is None)
            letters = [fate for _, fate in planned if isinstance(fate, SetAside)]
            drafts = [
                (record, fate)
                for record, fate in planned
                if isinstance(fate, Draft) and isinstance(record, SourceRecord)
            ]
            while drafts:
                drafts, refusals = await self._submit(drafts)
                letters += refusals
                if drafts:
                    await self._wait_for_bus()
            await self._set_aside(letters)

    async def _submit(
        self, drafts: Sequence[tuple[SourceRecord, Draft]]
    ) -> tuple[list[tuple[SourceRecord, Draft]], list[SetAside]]:
        """Publish in order; returns what Kafka did not take now, and what the bus refused for good."""
        waiting: list[tuple[SourceRecord, Draft]] = []
        letters: list[SetAside] = []
        futures: list[tuple[tuple[SourceRecord, Draft], asyncio.Future[Receipt]]] = []
        for index, (record, draft) in enumerate(drafts):
            try:
                future = self._hand_over(record, draft)
            except (RefusedError, PartitionKeyError) as error:
                letters.append(refused(record, error, self._config.name))
            except BusUnavailableError:
                waiting += drafts[index:]
                break
            else:
                futures.append(((record, draft), future))
        again = []
        for item, future in futures:
            try:
                await future  # one after the other costs nothing: most are done when the first one is
            except RefusedError as error:
                letters.append(refused(item[0], error, self._config.name))
            except BusUnavailableError:
                again.append(item)
            else:
                self.health.counts["published"] += 1
        return [*again, *waiting], letters

    def _hand_over(self, record: SourceRecord, draft: Draft) -> asyncio.Future[Receipt]:
        publish = self._config.publish
        if publish is not None:
            return self._bus.submit(publish.event, draft, version=publish.version)
        event = cast("EventRecord", record).event
        return self._bus.submit(event.subject, draft, version=event.version, cause=event.cause)

    async def _set_aside(self, letters: Sequence[SetAside]) -> None:
        for letter in letters:
            while not await self._write(letter):
                await self._wait_for_bus()
            self.health.counts["dead-lettered"] += 1

    async def _save(self, batch: Batch) -> bool:
        if batch.checkpoint is not None:
            try:
                await self._checkpoints.save(batch.checkpoint, batch.partition)
            except BusUnavailableError:
                return False
        return True

    async def _write(self, letter: SetAside) -> bool:
        try:
            await self._bus.dead_letter(
                letter.raw, reason=letter.reason, stage=letter.stage, where=letter.where, detail=letter.detail
            )
        except BusUnavailableError:
            return False
        return True

    async def _wait_for_bus(self) -> None:
        self._failures += 1
        seconds = self._backoff.wait_seconds(self._failures, self._chance())
        self.health.waiting(BusUnavailableError.reason, "the broker did not take events", seconds)
        await self._sleep(seconds)
        if self._stopping.is_set():
            raise StoppingError("told to stop while the broker was away")

    async def _wait(self, error: Exception) -> None:
        """Say why in one line, and wait; a stranger's error may quote data, so only its class is said."""
        self._failures += 1
        seconds = self._backoff.wait_seconds(self._failures, self._chance())
        seconds = max(seconds, getattr(error, "after_seconds", None) or 0.0)
        ours = isinstance(error, ConnectorError | BusError)
        reason = str(getattr(error, "reason", "connector-failed")) if ours else "connector-failed"
        detail = str(error).partition("\n")[0] if ours else f"raised {type(error).__name__}"
        self.health.waiting(reason, detail, seconds)
        if not ours:
            _LOG.debug("%s/%s raised", self._config.agency, self._config.name, exc_info=error)
        await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _close(self) -> None:
        await self._worker.let_go(self._source.close, f"source {self._config.agency}/{self._config.name}")
