# ruff: noqa: S101 - a suite asserts
"""Suites for authors of connectors: subclass one, say how to make your connector, and run pytest.

```python
from connectors.testing import SourceTests

class TestMyRegister(SourceTests):
    @pytest.fixture(autouse=True)
    def _system(self, tmp_path): ...
    def make_source(self): return MyRegister(MyRegister.Options(...))
    def add_records(self, count): ...
```

A suite needs pytest with `asyncio_mode = "auto"` (pytest-asyncio) and nothing else: no Kafka.
"""

import inspect
from typing import Any, Generic, TypeVar

import orjson

from connectors.errors import ConnectorError, NotConnectedError, RecordRejectedError, TryAgainError
from connectors.sink import Applied, Sink, SinkRecord
from connectors.source import ONLY_PARTITION, Batch, Json, Source, SourceRecord

Connector = TypeVar("Connector")
MOST_EMPTY_READS = 50


class MemoryCheckpoints:
    """Checkpoints in memory, passed through JSON as those in Kafka are."""

    def __init__(self) -> None:
        self._saved: dict[str, bytes] = {}

    async def load(self, partition: str = ONLY_PARTITION) -> Json | None:
        """The last checkpoint of a partition."""
        saved = self._saved.get(partition)
        return None if saved is None else orjson.loads(saved)

    async def has_published(self, partition: str = ONLY_PARTITION) -> bool:
        """Whether there is a checkpoint of a partition: every record of a suite counts as published."""
        return partition in self._saved

    async def save(self, position: Json, partition: str = ONLY_PARTITION) -> None:
        """Keep a checkpoint."""
        self._saved[partition] = orjson.dumps(position)


async def settled(value: Any) -> Any:
    """What a method of a connector returns, whether it is a coroutine or not."""
    return await value if inspect.isawaitable(value) else value


async def acknowledge(batch: Batch, checkpoints: MemoryCheckpoints) -> None:
    """Do what the runner does after Kafka has a batch."""
    if batch.checkpoint is not None:
        await checkpoints.save(batch.checkpoint, batch.partition)
    await settled(batch.acknowledge())


class _Tests(Generic[Connector]):
    async def pause(self) -> None:
        """Wait as the runner does after an empty read; override to move a clock instead."""


class SourceTests(_Tests[Source]):
    """What every source promises. Subclass, and give `make_source` and `add_records`."""

    def make_source(self) -> Source:
        """A new source over the same system, not connected; called several times per test."""
        raise NotImplementedError

    def add_records(self, count: int) -> None:
        """Put further good records into the legacy system."""
        raise NotImplementedError

    async def batches(
        self, source: Source, checkpoints: MemoryCheckpoints, *, most: int = 1_000
    ) -> list[Batch]:
        """Connect, then read, save and acknowledge until nothing is new."""
        await settled(source.connect(checkpoints))
        found: list[Batch] = []
        empty = 0
        while len(found) < most and empty < MOST_EMPTY_READS:
            batch = await settled(source.read())
            if batch is None:
                empty += 1
                await self.pause()
                continue
            await acknowledge(batch, checkpoints)
            found.append(batch)
        return found

    async def first_batch(self, source: Source, checkpoints: MemoryCheckpoints) -> Batch:
        """Connect and read until there is a batch, saving and acknowledging nothing."""
        await settled(source.connect(checkpoints))
        for _ in range(MOST_EMPTY_READS):
            batch = await settled(source.read())
            if isinstance(batch, Batch):
                return batch
            await self.pause()
        raise AssertionError("Expected a batch, got none - add_records() must make records that read() finds")

    async def test_every_record_is_read_once(self) -> None:
        """What is in the system arrives, each record once, with an identity of its own."""
        self.add_records(3)
        source = self.make_source()
        identities = _identities(await self.batches(source, MemoryCheckpoints()))
        await settled(source.close())
        assert len(identities) == 3
        assert len(set(identities)) == 3

    async def test_a_checkpoint_resumes_after_what_it_covers(self) -> None:
        """After a restart nothing that was checkpointed comes again, and what is new comes."""
        checkpoints = MemoryCheckpoints()
        self.add_records(3)
        source = self.make_source()
        before = _identities(await self.batches(source, checkpoints))
        await settled(source.close())
        self.add_records(2)
        again = self.make_source()
        after = _identities(await self.batches(again, checkpoints))
        await settled(again.close())
        assert len(after) == 2
        assert not set(before) & set(after)

    async def test_without_a_checkpoint_the_same_identities_come_again(self) -> None:
        """A process that dies before the checkpoint reads the same records again, by the same identities."""
        checkpoints = MemoryCheckpoints()
        self.add_records(3)
        source = self.make_source()
        lost = _identities([await self.first_batch(source, checkpoints)])
        await settled(source.close())
        again = self.make_source()
        read = _identities(await self.batches(again, checkpoints))
        await settled(again.close())
        assert len(read) == 3
        assert read[: len(lost)] == lost

    async def test_a_checkpoint_without_acknowledgement_repeats_nothing(self) -> None:
        """A process that dies between checkpoint and acknowledgement publishes nothing a second time."""
        checkpoints = MemoryCheckpoints()
        self.add_records(3)
        source = self.make_source()
        batch = await self.first_batch(source, checkpoints)
        if batch.checkpoint is not None:
            await checkpoints.save(batch.checkpoint, batch.partition)
        await settled(source.close())
        again = self.make_source()
        read = _identities(await self.batches(again, checkpoints))
        await settled(again.close())
        assert not set(_identities([batch])) & set(read)

    async def test_an_acknowledgement_may_come_twice(self) -> None:
        """Acknowledging a batch again changes nothing and raises nothing."""
        self.add_records(1)
        source = self.make_source()
        batch = await self.first_batch(source, MemoryCheckpoints())
        await settled(batch.acknowledge())
        await settled(batch.acknowledge())
        await settled(source.close())

    async def test_records_and_checkpoints_are_json(self) -> None:
        """Records and checkpoints survive JSON unchanged."""
        self.add_records(2)
        source = self.make_source()
        batch = await self.first_batch(source, MemoryCheckpoints())
        await settled(source.close())
        for record in batch.records:
            assert isinstance(record, SourceRecord)
            assert orjson.loads(orjson.dumps(record.data)) == record.data
        assert orjson.loads(orjson.dumps(batch.checkpoint)) == batch.checkpoint

    async def test_an_empty_system_gives_nothing(self) -> None:
        """Nothing new is None, not an error and not an empty wait."""
        source = self.make_source()
        await settled(source.connect(MemoryCheckpoints()))
        assert await settled(source.read()) is None
        await settled(source.close())

    async def test_check_passes_and_close_may_come_at_any_time(self) -> None:
        """`check` accepts the system; `close` works without `connect`, and twice."""
        source = self.make_source()
        await settled(source.check())
        await settled(source.close())
        await settled(source.close())


class SinkTests(_Tests[Sink]):
    """What every sink promises. Subclass, and give `make_sink`, `make_unreachable_sink` and `written`.

    Attributes:
        keeps_ids: Whether the target of the test honours the idempotency key.
    """

    keeps_ids: bool = True

    def make_sink(self) -> Sink:
        """A new sink over the same target, not connected."""
        raise NotImplementedError

    def make_unreachable_sink(self) -> Sink:
        """A sink whose target is not there."""
        raise NotImplementedError

    def written(self) -> list[Json]:
        """The bodies the target holds now, oldest first."""
        raise NotImplementedError

    def record(self, number: int) -> SinkRecord:
        """The record of event number `number`; override for a body that the target wants."""
        return SinkRecord(
            f"event-{number}", {"number": number}, "tax.business-registered.v1", "transaction-1"
        )

    async def test_write_returns_when_the_target_has_it(self) -> None:
        """After `write` the target holds the body, unchanged."""
        sink = self.make_sink()
        await settled(sink.connect())
        applied = await settled(sink.write(self.record(1)))
        await settled(sink.close())
        assert applied is None or isinstance(applied, Applied)
        assert self.written() == [self.record(1).body]

    async def test_the_same_id_is_applied_once(self) -> None:
        """A second write of the same event leaves one in a target that honours the id."""
        sink = self.make_sink()
        await settled(sink.connect())
        for _ in range(2):
            await settled(sink.write(self.record(1)))
        await settled(sink.close())
        assert len(self.written()) == (1 if self.keeps_ids else 2)

    async def test_an_absent_target_is_retriable(self) -> None:
        """A target that is not there is never the event's fault."""
        sink = self.make_unreachable_sink()
        try:
            await settled(sink.connect())
            await settled(sink.write(self.record(1)))
        except NotConnectedError:
            return
        except TryAgainError as error:
            if error.away:
                return
        finally:
            await settled(sink.close())
        raise AssertionError("Expected NotConnectedError or TryAgainError(away=True), got neither")

    async def test_a_body_that_is_not_json_is_rejected(self) -> None:
        """What can never be written is dead-lettered, not retried."""
        sink = self.make_sink()
        await settled(sink.connect())
        good = self.record(1)
        try:
            await settled(sink.write(SinkRecord(good.id, {"thing": object()}, good.type)))
        except RecordRejectedError:
            return
        except ConnectorError as error:
            raise AssertionError(f"Expected RecordRejectedError, got {type(error).__name__}") from error
        finally:
            await settled(sink.close())
        raise AssertionError("Expected RecordRejectedError, got a success")

    async def test_check_writes_nothing_and_close_may_come_at_any_time(self) -> None:
        """`check` reaches the target and leaves it as it is; `close` works without `connect`, and twice."""
        sink = self.make_sink()
        await settled(sink.check())
        await settled(sink.close())
        await settled(sink.close())
        assert self.written() == []


def _identities(batches: list[Batch]) -> list[str]:
    return [
        record.identity for batch in batches for record in batch.records if isinstance(record, SourceRecord)
    ]
