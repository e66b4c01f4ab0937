"""What the bus takes out of an answer of a broker is what aiokafka takes out of it."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from bus.kafka.fetched import FetchedRecords, MakesRecords
from bus.record import FetchedRecord

PLACE = TopicPartition("t", 3)
GZIP = 1

Header = tuple[str, bytes | None]


def batch(
    first: int,
    *values: bytes,
    headers: Iterable[Header] = (),
    transactional: bool = False,
    compression: int = 0,
) -> bytes:
    """Return a batch of one producer as a broker keeps it."""
    builder = DefaultRecordBatchBuilder(2, compression, int(transactional), 7, 0, 0, 1_000_000)
    for delta, value in enumerate(values):
        builder.append(delta, 1_000 + delta, b"key", value, list(headers))
    made = builder.build()
    made[:8] = first.to_bytes(8, "big")  # which the checksum leaves out
    return bytes(made)


def fetched(content: bytes, at: int = 0, aborted: Iterable[tuple[int, int]] = ()) -> Any:
    """Return what aiokafka makes of an answer."""
    return PartitionRecords(
        PLACE, MemoryRecords(content), list(aborted), at, None, None, True, READ_COMMITTED
    )


def told(records: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Return what a reader sees of records."""
    return [
        (one.topic, one.partition, one.offset, one.timestamp, one.key, one.value, tuple(one.headers))
        for one in records
    ]


TWICE: tuple[Header, ...] = (("a", b"1"), ("a", None), ("b", b"\xff"))


@pytest.mark.parametrize("aborted", [(), [(7, 10)], [(7, 20)], [(8, 0)]])
@pytest.mark.parametrize("at", [0, 1, 11, 30, 99])
def test_the_same_records_come_out(at: int, aborted: list[tuple[int, int]]) -> None:
    """From the position on, nothing that was aborted; headers in their order, a name that comes twice too."""
    content = b"".join((
        batch(0, b"a", b"b", headers=(("x", b"1"), ("y", None))),
        batch(10, b"c", b"d", transactional=True),
        batch(20, b"e", transactional=True, compression=GZIP),
        batch(30, b"f", b"g", headers=TWICE),
    ))  # fmt: skip
    theirs, ours = fetched(content, at, aborted), FetchedRecords(fetched(content, at, aborted))
    for expected, found in zip(theirs, ours, strict=True):
        assert told([found]) == told([expected])
        assert ours.next_fetch_offset == theirs.next_fetch_offset
    assert ours.next_fetch_offset == theirs.next_fetch_offset


def test_a_damaged_batch_is_an_error() -> None:
    """As in aiokafka, whose consumer tells of it."""
    content = bytearray(batch(0, b"a"))
    content[-2] ^= 1
    with pytest.raises(CorruptRecordException):
        list(FetchedRecords(fetched(bytes(content))))


async def test_what_was_begun_by_aiokafka_is_left_to_it() -> None:
    """Else its first records would come again, or the others not at all."""
    begun, whole = (
        FetchResult(PLACE, assignment=None, partition_records=fetched(batch(0, b"a", b"b")), backoff=0)
        for _ in range(2)
    )
    next(begun._partition_records)

    async def fetch(*_: Any) -> bool:
        return True

    fetcher = SimpleNamespace(_records={0: begun, 1: whole}, _proc_fetch_request=fetch)
    MakesRecords(fetcher)
    assert await fetcher._proc_fetch_request(None, None, None)
    assert [one.value for one in begun._partition_records] == [b"b"]
    assert [(type(one), one.value) for one in whole._partition_records] == [
        (FetchedRecord, b"a"), (FetchedRecord, b"b"),
    ]  # fmt: skip
