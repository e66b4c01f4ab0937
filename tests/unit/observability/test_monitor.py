"""The monitor, on the in-memory cluster."""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time_ns
from typing import Any

import pytest

from bus import (
    MONITOR_GROUP,
    RECEIPTS_TOPICS,
    AccessDeniedError,
    BusUnavailableError,
    Record,
    StoredRecord,
    TopicPartition,
    encode_receipts,
    receipts_topic,
)
from bus.testing import InMemoryCluster
from observability import Monitor, Store, StoreError
from observability.clock import BrokerNow
from observability.evidence.topic_check import TopicCheck
from observability.identity import AnyReceipt
from observability.monitor import PORTION_BYTES, first_portion
from tests.unit.observability.country import BORN, MINUTE, SERVICES, START, delivered, whole_birth
from tests.unit.observability.writing import write

TOPIC = "tax.receipts"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store(f"sqlite:///{tmp_path / 'm.db'}", SERVICES) as store:
        yield store


@pytest.fixture
def cluster() -> InMemoryCluster:
    """A cluster with the receipts topic."""
    return InMemoryCluster()


async def read_all(cluster: InMemoryCluster, store: Store, steps: int = 3) -> int:
    """Run a monitor for some polls and return how many receipts were news."""
    async with cluster.open_consumer(group=MONITOR_GROUP, topics=RECEIPTS_TOPICS) as consumer:
        monitor = Monitor(store, consumer, TopicCheck(cluster.offsets(), store))
        return sum([await monitor.step() for _ in range(steps)])


async def test_old_receipts_are_deleted_beside_the_reading(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """A little with each step, and nothing without a limit."""
    with Store(f"sqlite:///{tmp_path / 'k.db'}", SERVICES, keep=timedelta(days=31)) as store:
        store.apply(whole_birth(start_us=START - 400 * 24 * 60 * MINUTE))
        assert await read_all(cluster, store) == 0
        assert (store.transactions(), store.summary().completed) == ((), 1)


@pytest.mark.parametrize("hours", [-1, 1])
async def test_now_is_the_brokers_where_the_machines_clock_is_wrong(
    cluster: InMemoryCluster, store: Store, hours: int
) -> None:
    """As soon as receipts come that were not there before; else every case would be overdue, or none."""
    now = BrokerNow(time_of_day=lambda: time_ns() + hours * 3_600_000_000_000)
    async with cluster.open_consumer(group=MONITOR_GROUP, topics=RECEIPTS_TOPICS) as consumer:
        monitor = Monitor(store, consumer, TopicCheck(cluster.offsets(), store), clock=now)
        await monitor.step()
        await monitor.kafka_fault()
        write(cluster, whole_birth())
        await monitor.step()
        await monitor.step()
    assert abs(now() - datetime.now(UTC)) < timedelta(minutes=10)


async def test_receipts_reach_the_store_and_offsets_are_committed_after(
    cluster: InMemoryCluster, store: Store
) -> None:
    """Every partition is read; the committed offset is the next one."""
    write(cluster, whole_birth("case-1"), 0)
    write(cluster, whole_birth("case-2"), 3)
    assert await read_all(cluster, store) == 14
    assert store.summary().completed == 2
    assert cluster.committed(MONITOR_GROUP) == {
        TopicPartition(receipts_topic(agency), partition): 1
        for agency in ("civil-registry", "health", "tax", "social-security")
        for partition in (0, 3)
    }


async def test_restart_goes_on_where_it_stopped(cluster: InMemoryCluster, store: Store) -> None:
    """A second monitor of the group reads only what is new."""
    write(cluster, whole_birth("case-1"))
    await read_all(cluster, store)
    write(cluster, whole_birth("case-2"))
    assert await read_all(cluster, store) == 7


async def test_replay_from_the_start_counts_nothing_twice(cluster: InMemoryCluster, store: Store) -> None:
    """Lost offsets, or a group reset to the earliest, change no number."""
    write(cluster, whole_birth("case-1"))
    cluster.append(TOPIC, b"rubbish", partition=0)
    assert await read_all(cluster, store) == 8
    before = store.summary()
    cluster.commit(MONITOR_GROUP, {TopicPartition(TOPIC, 0): 0})
    assert await read_all(cluster, store) == 0
    assert store.summary() == before


async def test_record_without_receipts_is_counted_logged_and_passed(
    cluster: InMemoryCluster, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names its place and never what it holds."""
    for value in (None, b"Maria Svensson", b"{}"):
        cluster.append(TOPIC, value, partition=1)
    write(cluster, whole_birth("case-1"), 1)
    await read_all(cluster, store)
    assert (store.summary().undecodable, store.summary().completed) == (3, 1)
    assert "not-receipts at topic tax.receipts partition 1 offset 1" in caplog.text
    assert "Maria" not in caplog.text


class Noting(Store):
    """A store that notes who spoke in each batch."""

    def __init__(self, url: str) -> None:
        super().__init__(url, SERVICES)
        self.batches: list[Counter[str]] = []

    def apply(self, receipts: Iterable[AnyReceipt], *others: Any, **named: Any) -> int:
        """Note, and write."""
        batch = list(receipts)
        self.batches.append(Counter(receipt.agency for receipt in batch))
        return super().apply(batch, *others, **named)


async def test_a_flood_of_one_agency_keeps_no_other_waiting(
    cluster: InMemoryCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has said little is in the database before the rest is even read; all of it counts in the end."""
    monkeypatch.setattr("observability.monitor.PORTION_BYTES", 20_000)
    monkeypatch.setattr("observability.monitor.WORDS_AT_ONCE", 30)
    for record in range(4):
        flood = [delivered(BORN, "tax", START, f"case-{record}-{number}") for number in range(50)]
        cluster.append(TOPIC, encode_receipts(flood), partition=1)
    few = [delivered(BORN, "health", START, f"case-{number}") for number in range(3)]
    cluster.append(receipts_topic("health"), encode_receipts(few), partition=1)
    with Noting(f"sqlite:///{tmp_path / 'm.db'}") as store:
        assert await read_all(cluster, store, steps=6) == 203
        assert store.batches[0]["health"] == 3
        assert max(batch.total() for batch in store.batches) <= 30
    assert cluster.committed(MONITOR_GROUP) == {
        TopicPartition(TOPIC, 1): 4,
        TopicPartition(receipts_topic("health"), 1): 1,
    }


def test_what_was_polled_is_read_in_portions() -> None:
    """The records of a partition stay in order, and one that is larger than a portion is one of its own."""

    def records(place: TopicPartition, *sizes: int) -> list[Record]:
        return [StoredRecord(*place, offset, 0, None, b"x" * size, ()) for offset, size in enumerate(sizes)]

    small, large = TopicPartition(TOPIC, 3), TopicPartition(TOPIC, 0)
    half = PORTION_BYTES // 2
    waiting = {large: records(large, half, half, 3 * half, 1), small: records(small, 10)}
    taken = []
    while portion := first_portion(waiting):
        taken.append([(place, [record.offset for record in held]) for place, held in portion.items()])
        waiting = {place: waiting[place][len(portion.get(place, ())) :] for place in waiting}
    assert taken == [[(small, [0]), (large, [0])], [(large, [1])], [(large, [2])], [(large, [3])]]


async def test_what_comes_during_a_flood_is_taken_with_the_next_portion(
    cluster: InMemoryCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after all that was read before it; nothing of the flood counts as read too early, or is lost."""
    monkeypatch.setattr("observability.monitor.PORTION_BYTES", 20_000)
    place = TopicPartition(TOPIC, 1)
    for record in range(6):
        flood = [delivered(BORN, "tax", START, f"case-{record}-{number}") for number in range(50)]
        cluster.append(TOPIC, encode_receipts(flood), partition=1)
    with Noting(f"sqlite:///{tmp_path / 'm.db'}") as store:
        async with cluster.open_consumer(group=MONITOR_GROUP, topics=RECEIPTS_TOPICS) as consumer:
            monitor = Monitor(store, consumer, TopicCheck(cluster.offsets(), store))
            while not store.batches:
                await monitor.step()
            late = [delivered(BORN, "health", START, "case-late")]
            cluster.append(receipts_topic("health"), encode_receipts(late), partition=1)
            await monitor.kafka_fault()
            began = monitor.read_until
            assert await monitor.step() > 0
            assert store.batches[1]["health"] == 1
            assert (cluster.committed(MONITOR_GROUP).get(place, 0), monitor.read_until) == (0, began)
            while await monitor.step():
                pass
    assert sum(batch.total() for batch in store.batches) == 301
    assert cluster.committed(MONITOR_GROUP)[place] == 6
    assert monitor.read_until > began


class Scripted:
    """A consumer that gives one record, and fails as told."""

    def __init__(self, *, poll: Exception | None = None, commit: Exception | None = None) -> None:
        self.poll_error, self.commit_error = poll, commit
        self.committed: list[Mapping[TopicPartition, int]] = []

    async def poll(
        self, timeout_seconds: float, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return the record, or fail once."""
        if self.poll_error is not None:
            error, self.poll_error = self.poll_error, None
            raise error
        value = encode_receipts([delivered(BORN, "tax", START, f"case-{number}") for number in range(7)])
        record = StoredRecord(TOPIC, 0, 41, START // 1000 + 100, None, value)
        return {TopicPartition(TOPIC, 0): [record]}

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Remember, or fail."""
        if self.commit_error is not None:
            raise self.commit_error
        self.committed.append(positions)

    async def ends(self) -> Mapping[TopicPartition, int]:
        """Return where the one partition ends."""
        return {TopicPartition(TOPIC, 0): 42}

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset behind the record."""
        return 42

    def assigned(self) -> Collection[TopicPartition]:
        """Return the one partition."""
        return [TopicPartition(TOPIC, 0)]

    def pause(self, partition: TopicPartition) -> None:
        """Read on all the same."""

    def resume(self, partition: TopicPartition) -> None:
        """Read on."""


def watching(store: Store, consumer: Scripted) -> Monitor:
    """Return a monitor of a cluster without events, which it has no reason to ask about."""
    return Monitor(store, consumer, TopicCheck(InMemoryCluster().offsets(), store))


async def test_commit_that_fails_for_now_is_only_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch comes again and changes nothing."""
    caplog.set_level(logging.WARNING)
    monitor = watching(store, Scripted(commit=BusUnavailableError("the partition went elsewhere")))
    assert [await monitor.step(), await monitor.step()] == [7, 0]
    assert caplog.text.count("will be read again") == 1


async def test_a_commit_that_goes_on_to_fail_is_an_illness(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the cluster answers all questions; it is over with the next one that succeeds."""
    consumer = Scripted(commit=BusUnavailableError("the log is full"))
    monitor = watching(store, consumer)
    await monitor.step()
    assert await monitor.kafka_fault() is None
    monkeypatch.setattr("bus.process.overdue.LATE_SECONDS", 0.0)
    fault = await monitor.kafka_fault()
    assert fault is not None
    assert fault.startswith("the commits: without success for ")
    assert "the log is full" in fault
    consumer.commit_error = None
    await monitor.step()
    assert await monitor.kafka_fault() is None
    assert consumer.committed == [{TopicPartition(TOPIC, 0): 42}]


async def test_cluster_that_is_away_is_tried_again(store: Store) -> None:
    """A poll that fails for now does not end the monitor."""
    consumer = Scripted(poll=BusUnavailableError("no broker"))
    monitor = watching(store, consumer)
    assert [await monitor.step(), await monitor.step()] == [0, 7]


async def test_refusal_of_the_cluster_ends_the_monitor(store: Store) -> None:
    """Waiting does not mend a missing grant."""
    refusal = AccessDeniedError("tax.receipts")
    with pytest.raises(AccessDeniedError):
        await watching(store, Scripted(poll=refusal)).run()


class Failing(Store):
    """A store whose database fails some times."""

    def __init__(self, url: str, errors: Sequence[StoreError]) -> None:
        super().__init__(url, SERVICES)
        self.errors = list(errors)

    def apply(self, *arguments: object, **options: object) -> int:
        """Fail, then apply."""
        if self.errors:
            raise self.errors.pop(0)
        return super().apply(*arguments, **options)  # type: ignore[arg-type] # as above


def failure(*, retriable: bool) -> StoreError:
    """Return an error of the database."""
    return StoreError("the database is away", reason="database-unusable", retriable=retriable)


async def test_nothing_is_committed_before_the_batch_is_kept(tmp_path: Path) -> None:
    """A database that is away for a while costs time, no receipt."""
    with Failing(f"sqlite:///{tmp_path / 'm.db'}", [failure(retriable=True)]) as store:
        consumer = Scripted()
        assert await watching(store, consumer).step() == 7
        assert consumer.committed == [{TopicPartition(TOPIC, 0): 42}]


async def test_stop_while_the_database_is_away_commits_nothing(tmp_path: Path) -> None:
    """The batch is read again by whoever comes next."""
    with Failing(f"sqlite:///{tmp_path / 'm.db'}", [failure(retriable=True)] * 99) as store:
        consumer = Scripted()
        monitor = watching(store, consumer)
        running = asyncio.create_task(monitor.run())
        await asyncio.sleep(0.1)
        monitor.stop()
        await asyncio.wait_for(running, 120)
        assert consumer.committed == []


async def test_database_that_waiting_does_not_mend_ends_the_monitor(tmp_path: Path) -> None:
    """The operator is told instead of a loop."""
    with Failing(f"sqlite:///{tmp_path / 'm.db'}", [failure(retriable=False)]) as store:
        consumer = Scripted()
        with pytest.raises(StoreError):
            await watching(store, consumer).run()
        assert consumer.committed == []
