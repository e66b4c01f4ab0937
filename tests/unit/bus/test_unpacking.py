"""What a batch may become in the memory of whoever reads it."""

import gzip
import struct
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import aiokafka.codec as codecs
import cramjam
import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c, encode_varint

from bus.batch_limits import (
    BATCH_BYTES,
    BATCH_RECORDS,
    MARK,
    ODD_NAME,
    RECORD_BYTES,
    RECORD_HEADERS,
    TOO_LARGE_RECORD,
    TOO_MANY_BYTES,
    TOO_MANY_HEADERS,
    TOO_MANY_RECORDS,
    UNPACKABLE,
    UNREAD,
    unread,
)
from bus.kafka.unpacking import ANSWER_BYTES, BoundsBatches, bounded
from bus.times.clock import BrokerClock

Pack = Callable[[bytes], bytes]
CODECS: dict[str, tuple[int, Pack]] = {
    "none": (0, bytes),
    "gzip": (1, lambda data: gzip.compress(data, 6)),
    "snappy": (2, codecs.snappy_encode),
    "snappy-raw": (2, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "lz4": (3, codecs.lz4_encode),
    "zstd": (4, codecs.zstd_encode),
}
PACKED = [name for name in CODECS if name != "none"]
ROOM = BATCH_BYTES


def number(value: int) -> bytes:
    """Return a number as records hold it."""
    found = bytearray()
    encode_varint(value, found.append)
    return bytes(found)


def record(place: int, value: bytes = b"", headers: bytes = b"", count: int = 0) -> bytes:
    """Return one record without a key."""
    body = b"\0\0" + number(place) + number(-1) + number(len(value)) + value + number(count) + headers
    return number(len(body)) + body


def batch(
    records: bytes,
    count: int,
    codec: str = "none",
    *,
    first: int = 0,
    last: int | None = None,
    attributes: int = 8,
) -> bytes:
    """Return a batch with the time of the broker, 1234 ms."""
    kind, pack = CODECS[codec]
    last = count - 1 if last is None else last
    checked = struct.pack(">hiqqqhii", attributes | kind, last, 7, 1234, 42, 3, 0, count) + pack(records)
    return struct.pack(">qiibI", first, len(checked) + 9, 5, 2, calc_crc32c(checked)) + checked


def read(data: bytes) -> list[Any]:
    """Return the records as aiokafka reads them, its checks included."""
    found, batches = list[Any](), MemoryRecords(data)
    while batches.has_next():
        one = batches.next_batch()
        assert one is not None
        assert one.validate_crc()
        found += list(one)
    return found


def plain(first: int) -> bytes:
    """Return a small batch as a producer writes it."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=1, producer_epoch=0, base_sequence=0,
        batch_size=10_000,
    )  # fmt: skip
    builder.append(0, 9, b"key", b"value", [("a", b"b")])
    data = bytes(builder.build())
    return struct.pack(">q", first) + data[8:]


@pytest.mark.parametrize("codec", CODECS)
def test_what_is_within_the_limits_stays_as_it_is(codec: str) -> None:
    """Whatever the codec; not even a copy is made."""
    records = b"".join(record(place, b"some value" * 20) for place in range(500))
    data = plain(0) + batch(records, 500, codec, first=1) + plain(501)
    within = bounded(data, ROOM)
    assert within.batches is data
    assert within.excesses == []
    assert within.unpacked == (0 if codec == "none" else len(records))


@pytest.mark.parametrize("codec", PACKED)
def test_a_batch_that_unpacks_to_too_much_is_replaced_at_its_offset(codec: str) -> None:
    """The ones before and after it are read; the time is the broker's, the record is empty and says why."""
    data = plain(0) + batch(record(0, b"0" * (3 * BATCH_BYTES)), 1, codec, first=1) + plain(2)
    within = bounded(data, ROOM)
    before, instead, after = read(within.batches)
    assert (before.offset, after.offset) == (0, 2)
    assert (instead.offset, instead.timestamp, instead.key, instead.value) == (1, 1234, None, b"")
    assert list(instead.headers) == [(MARK, TOO_MANY_BYTES)]
    assert [(one.first, one.last, one.producer, one.why) for one in within.excesses] == [
        (1, 1, 42, TOO_MANY_BYTES)
    ]
    assert len(within.batches) < 1_000


@pytest.mark.parametrize("codec", PACKED)
def test_each_record_of_a_refused_batch_is_told(codec: str) -> None:
    """None of them goes missing without a word: readers count what they go past."""
    records = b"".join(record(place, b"0" * (RECORD_BYTES - 100)) for place in range(5))
    found = read(bounded(batch(records, 5, codec, first=10), ROOM).batches)
    assert [one.offset for one in found] == [10, 11, 12, 13, 14]
    assert {unread(one.headers) for one in found} == {TOO_MANY_BYTES}


@pytest.mark.parametrize("codec", CODECS)
def test_one_record_may_not_be_larger_than_any_topic_takes(codec: str) -> None:
    """Also where the batch as a whole may be so large."""
    within = bounded(batch(record(0, b"0" * (RECORD_BYTES + 1)), 1, codec), ROOM)
    assert [one.why for one in within.excesses] == [TOO_LARGE_RECORD]


@pytest.mark.parametrize("codec", PACKED)
def test_five_million_empty_records_are_one(codec: str) -> None:
    """It says up to where the batch goes, and the next one is read."""
    data = batch(b"", 5_000_000, codec, first=3) + plain(5_000_003)
    within = bounded(data, ROOM)
    assert [(one.first, one.last, one.why) for one in within.excesses] == [(3, 5_000_002, TOO_MANY_RECORDS)]
    assert [one.offset for one in read(within.batches)] == [3, 5_000_003]
    batches = MemoryRecords(within.batches)
    first = batches.next_batch()
    assert first is not None
    assert first.next_offset == 5_000_003


@pytest.mark.parametrize("codec", CODECS)
def test_a_record_with_a_million_headers_is_not_read(codec: str) -> None:
    """Each becomes an object, of which a reader of small records has many times the bytes."""
    many = record(0, b"", b"\x00\x01" * 1_000_000, 1_000_000)
    within = bounded(batch(many, 1, codec), ROOM)
    assert [one.why for one in within.excesses] == [TOO_MANY_HEADERS]
    enough = record(0, b"x" * 600_000, b"\x02a\x02b" * RECORD_HEADERS, RECORD_HEADERS)
    assert bounded(batch(enough, 1, codec), ROOM).excesses == []


def test_as_many_records_as_may_be_are_read() -> None:
    """The limit itself is within."""
    records = b"".join(record(place) for place in range(BATCH_RECORDS))
    assert bounded(batch(records, BATCH_RECORDS, "gzip"), ROOM).excesses == []


@pytest.mark.parametrize("codec", PACKED)
@pytest.mark.parametrize("damage", ["garbage", "cut", "doubled"])
def test_what_cannot_be_unpacked_is_told_and_passed(codec: str, damage: str) -> None:
    """It would end the client's own tasks, at each start again."""
    kind, pack = CODECS[codec]
    good = pack(record(0, b"value" * 100))
    bad = {"garbage": b"\xff" * 40, "cut": good[: len(good) // 2], "doubled": good + good}[damage]
    checked = struct.pack(">hiqqqhii", 8 | kind, 0, 7, 1234, 42, 3, 0, 1) + bad
    data = struct.pack(">qiibI", 0, len(checked) + 9, 5, 2, calc_crc32c(checked)) + checked
    within = bounded(data + plain(1), ROOM)
    assert [one.why for one in within.excesses] == [UNPACKABLE]
    assert [one.offset for one in read(within.batches)] == [0, 1]


@pytest.mark.parametrize(
    "records", [b"\xff", record(0)[:-1], b"\x02" * 9, record(0) + b"\0", b"\x80" * 50], ids=repr
)
def test_records_that_lie_about_their_sizes_are_told_and_passed(records: bytes) -> None:
    """Their numbers lead nowhere else than to the end."""
    assert [one.why for one in bounded(batch(records, 1, "gzip"), ROOM).excesses] == [UNPACKABLE]


def test_an_aborted_batch_stays_one() -> None:
    """The reader skips what its transaction took back, by the producer and the attributes of the batch."""
    data = batch(record(0, b"0" * (2 * BATCH_BYTES)), 1, "zstd", attributes=8 | 16)
    first = MemoryRecords(bounded(data, ROOM).batches).next_batch()
    assert first is not None
    assert (first.is_transactional, first.producer_id, first.timestamp_type) == (True, 42, 1)


def test_what_a_compaction_left_of_a_batch_is_one_record() -> None:
    """Which offsets are left is not known without unpacking it."""
    data = batch(record(0, b"0" * (2 * BATCH_BYTES)), 3, "zstd", first=5, last=9)
    (one,) = read(bounded(data, ROOM).batches)
    assert one.offset == 5


def test_a_batch_that_is_cut_off_is_left_to_the_client() -> None:
    """As a broker answers the last one."""
    data = plain(0) + plain(1)[:-3]
    assert bounded(data, ROOM).batches is data
    assert bounded(b"", ROOM).batches == b""
    odd = plain(0) + struct.pack(">qi", 1, -500) + bytes(80)
    assert bounded(odd, ROOM).batches is odd


def test_many_batches_that_are_each_within_the_limits_are_read_one_after_the_other() -> None:
    """Together they would be as much as one that is not."""
    half = batch(b"".join(record(place, b"0" * 1_000_000) for place in range(9)), 9, "zstd")
    within = bounded(half * 10, ROOM)
    assert within.batches == half * 2
    assert bounded(half * 10, 0).batches == b""
    assert bounded(plain(0) + half, 0).batches == plain(0)


@pytest.mark.parametrize("codec", CODECS)
def test_the_time_of_a_publisher_is_not_taken_for_the_brokers(codec: str) -> None:
    """A topic was changed to `CreateTime`: its records count as written when they are read."""
    own = batch(record(0, b"value"), 1, codec, first=1, attributes=0)
    within = bounded(plain(0) + own + batch(record(0), 1, codec, first=2), ROOM, 5_000)
    assert within.has_own_times
    found = [(one.offset, one.timestamp, one.timestamp_type) for one in read(within.batches)]
    assert found == [(0, 5_000, 1), (1, 5_000, 1), (2, 1234, 1)]
    assert read(within.batches)[1].value == b"value"
    whole = batch(record(0), 1, codec)
    assert bounded(whole, ROOM, 5_000).batches is whole


def test_what_was_damaged_on_its_way_stays_so() -> None:
    """The client finds it by the checksum, and reads it again."""
    data = bytearray(batch(record(0, b"value"), 1, attributes=0))
    data[-3] ^= 1
    first = MemoryRecords(bounded(bytes(data), ROOM, 5_000).batches).next_batch()
    assert first is not None
    assert not first.validate_crc()


def test_markers_of_transactions_keep_their_times() -> None:
    """A broker writes them, whatever the topic says, and no reader is given them."""
    marker = batch(record(0), 1, attributes=0x30)
    assert bounded(marker, ROOM, 5_000).batches is marker


NAMED, ODD = b"\x02a\x02b", b"\x04\xff\xfe\x02b"
"""A header with a name that is UTF-8, and one with another."""


@pytest.mark.parametrize("codec", CODECS)
def test_records_with_names_that_are_no_text_are_replaced_alone(codec: str) -> None:
    """Each at its own offset, also behind a gap; the others and their batch's time stay as they are."""
    records = (
        record(0, b"one", NAMED, 1) + record(3, b"two", NAMED + ODD, 2) + record(4, b"three", ODD, 1)
        + record(9, b"", NAMED, 1)
    )  # fmt: skip
    data = plain(0) + batch(records, 4, codec, first=1, last=10) + plain(12)
    with pytest.raises(UnicodeDecodeError):
        read(bounded(data, ROOM).batches)
    found = read(bounded(data, ROOM, looks_at_names=True).batches)
    assert [(one.offset, one.value, unread(one.headers)) for one in found] == [
        (0, b"value", None), (1, b"one", None), (4, b"", ODD_NAME), (5, b"", ODD_NAME), (10, b"", None),
        (12, b"value", None),
    ]  # fmt: skip
    assert {one.timestamp for one in found[1:-1]} == {1234}


def test_batches_without_such_names_are_not_copied() -> None:
    """Neither are markers, and what only the client may judge."""
    for data in (plain(0), batch(record(0), 1, attributes=0x30), batch(b"\xff", 1), batch(b"\x04\x00", 1)):
        assert bounded(data, ROOM, looks_at_names=True).batches is data


async def test_names_are_looked_at_in_the_next_answer_alone() -> None:
    """Of the partitions that are read again."""
    data = batch(record(0, b"", ODD, 1), 1)
    client = Client(data, 2)
    bounds = BoundsBatches(client)
    bounds.look_at_names([("a", 1)])
    first, second = answered(await client.send(1, FetchRequest(500, 1, 1_000, 1, [])))
    assert first == data
    assert [unread(one.headers) for one in read(bytes(second))] == [ODD_NAME]
    assert answered(await client.send(1, FetchRequest(500, 1, 1_000, 1, []))) == [data, data]


def test_a_stranger_cannot_say_that_a_record_was_not_read() -> None:
    """Whatever headers it has; the mark is another in each process."""
    assert unread([("govbus-unread", TOO_MANY_BYTES), ("govbus-excess", TOO_MANY_BYTES)]) is None
    assert unread([(MARK, ODD_NAME)]) == ODD_NAME


async def test_own_times_are_told_once_a_topic(caplog: pytest.LogCaptureFixture) -> None:
    """With what to do; readers to whom times do not matter are not told."""
    client = Client(plain(0), 3)
    BoundsBatches(client, BrokerClock())
    for _ in range(2):
        await client.send(1, FetchRequest(500, 1, 1_000, 1, []))
    (line,) = [line.getMessage() for line in caplog.records]
    assert line.startswith("a: its records have the times of their publishers")
    caplog.clear()
    client = Client(plain(0), 1)
    BoundsBatches(client)
    assert answered(await client.send(1, FetchRequest(500, 1, 1_000, 1, []))) == [plain(0)]
    assert not caplog.records


class Client:
    """Answers with the same batches for each partition."""

    def __init__(self, data: bytes, partitions: int) -> None:
        self.data, self.partitions = data, partitions

    async def send(self, node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        rows: list[Any] = [(partition, 0, 9, 9, 0, [], -1, self.data) for partition in range(self.partitions)]
        return SimpleNamespace(API_VERSION=11, topics=[("a", rows)])


def answered(answer: Any) -> Sequence[bytes]:
    """Return what is left of each partition."""
    return [row[-1] for _, rows in answer.topics for row in rows]


async def test_an_answer_is_bounded_too() -> None:
    """What is beyond the bound is asked for again."""
    many = b"".join(record(place, b"0" * 1_000_000) for place in range(16))
    client = Client(batch(many, 16, "zstd"), 9)
    BoundsBatches(client)
    answer = await client.send(1, FetchRequest(500, 1, 1_000, 1, []))
    assert [bool(data) for data in answered(answer)] == [True] * (-(-ANSWER_BYTES // len(many))) + [False] * 4


async def test_a_bomb_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """With its place and the producer's id, also where it is read again."""
    client = Client(batch(record(0, b"0" * (2 * BATCH_BYTES)), 1, "gzip", first=77), 1)
    BoundsBatches(client)
    for _ in range(3):
        await client.send(1, FetchRequest(500, 1, 1_000, 1, []))
    (line,) = [line.getMessage() for line in caplog.records]
    assert line.startswith(
        "a/0/77: a batch is not read, up to offset 77, written by the producer with the id 42: "
    )
    assert UNREAD[TOO_MANY_BYTES] in line
