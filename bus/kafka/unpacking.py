"""Bounds what the batches that a broker answers become in memory, before aiokafka 0.14 unpacks them.

Law of this file: no batch is unpacked that `bus.batch_limits` does not allow, whatever its codec. Empty
records that say why stand at its offsets instead, so that its readers count it and go past it; a batch of too
many records has one for all. What an answer holds beyond `ANSWER_BYTES` is left out, and is read next.

A topic may have been changed to the times of its publishers (`CreateTime`), which say what they like. Such a
time is not taken for the broker's: the record counts as written when it is read.

The broker does not look whether the name of a header is UTF-8, as the protocol asks, and aiokafka fails where
it is not. Where that has happened, the records are read again, without those that have such a name.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import cramjam
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
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
)
from bus.times.clock import BrokerClock
from contracts import visible_logger

logger = visible_logger("govbus.kafka")

ANSWER_BYTES = 4 * BATCH_BYTES
"""The most that is unpacked of one answer; of one partition in it as much as of one batch."""
SMALL_BYTES = 524_288
"""An uncompressed batch up to this size is not looked into: as headers alone it would take 16 MiB."""

HEAD = struct.Struct(">qiibIhiqqqhii")
"""Offset, length, epoch of the leader, format, checksum, and the rest of the head of a batch."""
CHECKED = struct.Struct(">hiqqqhii")
"""What the checksum covers of the head: attributes, last offset, times, producer, sequence, records."""
_LENGTH = struct.Struct(">i")
LENGTH_AT, FORMAT_AT, CODEC_AT = 8, 16, 22
BEFORE_LENGTH, BEFORE_CHECKED = 12, 21
FORMAT = 2
CODECS, BROKERS_TIME, CONTROL = 0x07, 0x08, 0x20
"""Bits of the attributes."""
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
XERIAL = b"\x82SNAPPY\x00" + bytes((0, 0, 0, 1)) * 2
"""How a stream of snappy blocks begins, as Java writes it."""


class Excess(NamedTuple):
    """A batch that is not read.

    Attributes:
        first: its first offset.
        last: its last offset.
        producer: the id that the broker gave to the producer; -1 if it has none.
        why: a key of `UNREAD`.
    """

    first: int
    last: int
    producer: int
    why: bytes


class Within(NamedTuple):
    """What may be read of a partition's batches: their bytes, how many of them were unpacked, what is not."""

    batches: bytes
    unpacked: int
    excesses: Sequence[Excess]
    has_own_times: bool = False
    """Whether some had the times of their publishers."""


class BoundsBatches:
    """Takes the place of `send` of the client of one consumer.

    Args:
        client: the client; its answers name topics.
        clock: the broker's, for readers to whom the times of records matter.
    """

    def __init__(self, client: Any, clock: BrokerClock | None = None) -> None:
        self._send = client.send
        self._clock = clock
        self._with_own_times: set[str] = set()
        self._told: dict[tuple[str, int], int] = {}
        self._to_look_at: set[tuple[str, int]] = set()
        client.send = self.send

    def look_at_names(self, places: Iterable[tuple[str, int]]) -> None:
        """Look at the names of headers in the next answer about each of these partitions."""
        self._to_look_at.update((topic, number) for topic, number in places)

    async def send(self, node: Any, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        """Send a request, and return the answer."""
        answer = await self._send(node, request, group=group)
        if isinstance(request, FetchRequest) and answer.topics:
            room, topics = ANSWER_BYTES, []
            now_ms = None if self._clock is None else self._clock.now_us() // 1000
            for topic, partitions in answer.topics:
                kept = []
                for partition in partitions:
                    looks = (topic, partition[0]) in self._to_look_at
                    self._to_look_at.discard((topic, partition[0]))
                    batches = partition[-1] or b""
                    within = bounded(batches, min(room, BATCH_BYTES), now_ms, looks_at_names=looks)
                    room -= within.unpacked
                    if within.has_own_times:
                        self._tell_of_times(topic)
                    self._tell(topic, partition[0], within.excesses)
                    kept.append((*partition[:-1], within.batches))
                topics.append((topic, kept))
            answer.topics = topics
        return answer

    def _tell(self, topic: str, partition: int, excesses: Sequence[Excess]) -> None:
        for excess in excesses:
            if self._told.get((topic, partition)) == excess.first:
                continue  # it is read again
            self._told[topic, partition] = excess.first
            writer = "" if excess.producer < 0 else f", written by the producer with the id {excess.producer}"
            logger.warning(
                "%s/%d/%d: a batch is not read, up to offset %d%s: %s",
                topic, partition, excess.first, excess.last, writer, UNREAD[excess.why],
            )  # fmt: skip

    def _tell_of_times(self, topic: str) -> None:
        if topic not in self._with_own_times:
            self._with_own_times.add(topic)
            logger.warning(
                "%s: its records have the times of their publishers, not the broker's; each counts as "
                "written when it is read. Set its `message.timestamp.type` to LogAppendTime, as `govbus "
                "contracts apply` does",
                topic,
            )


def bounded(batches: bytes, room: int, now_ms: int | None = None, *, looks_at_names: bool = False) -> Within:
    """Return what may be read of the batches of one partition. Pure.

    Args:
        batches: as the broker answers them; the last one may be cut off.
        room: after so many bytes no more is unpacked.
        now_ms: the broker's time in milliseconds, for records that have another; None to leave those.
        looks_at_names: whether a record with a name of a header that is not UTF-8 is replaced, too.
    """
    parts: list[bytes] = []
    has_own_times = False
    excesses: list[Excess] = []
    at = begin = unpacked = 0
    while len(batches) - at >= HEAD.size:
        end = at + BEFORE_LENGTH + _LENGTH.unpack_from(batches, at + LENGTH_AT)[0]
        if not at + HEAD.size <= end <= len(batches):
            at = len(batches)  # the client's to judge
            break
        attributes, instead = batches[at + CODEC_AT], None
        is_plain = batches[at + FORMAT_AT] == FORMAT and not attributes & CODECS
        if not is_plain or end - at > SMALL_BYTES:
            if unpacked >= room:
                break
            size, why = _look_into(batches[at:end])
            unpacked += size
            if why is not None:
                excess, instead = _replaced(batches[at:end], why)
                excesses.append(excess)
        if looks_at_names and instead is None and not attributes & CONTROL:
            instead = _without_odd_names(batches[at:end])
        if now_ms is not None and not attributes & (BROKERS_TIME | CONTROL):
            instead, has_own_times = _restamped(instead or batches[at:end], now_ms), True
        if instead is not None:
            parts += batches[begin:at], instead
            begin = end
        at = end
    else:
        at = len(batches)
    kept = b"".join((*parts, batches[begin:at])) if parts or at < len(batches) else batches
    return Within(kept, unpacked, excesses, has_own_times)


def _look_into(batch: bytes) -> tuple[int, bytes | None]:
    """Return how many bytes were unpacked, and what forbids to read the batch."""
    *_, count = HEAD.unpack_from(batch)
    if batch[FORMAT_AT] != FORMAT:
        return 0, UNPACKABLE
    if count > BATCH_RECORDS:
        return 0, TOO_MANY_RECORDS
    packed = batch[HEAD.size :]
    if not (codec := batch[CODEC_AT] & CODECS):
        return len(packed), _fault_of(packed, count)
    try:
        records = _UNPACK[codec](packed)
    except (KeyError, ValueError, struct.error, zlib.error):
        return BATCH_BYTES, UNPACKABLE
    except cramjam.DecompressionError as error:
        return BATCH_BYTES, TOO_MANY_BYTES if any(sign in str(error) for sign in _FULL) else UNPACKABLE
    if records is None:
        return BATCH_BYTES, TOO_MANY_BYTES
    return len(records), _fault_of(records, count)


def _fault_of(records: bytes, count: int) -> bytes | None:
    """Return what forbids to read the records of a batch, by their sizes alone."""
    at = 0
    try:
        for _ in range(count):
            size, at = _varint(records, at)
            end = at + size
            if size > RECORD_BYTES:
                return TOO_LARGE_RECORD
            at += 1
            for _ in ("time", "offset"):
                while records[at] & 0x80:
                    at += 1
                at += 1
            for _ in ("key", "value"):
                size, at = _varint(records, at)
                at += max(size, 0)
            headers, at = _varint(records, at)
            if headers > RECORD_HEADERS:
                return TOO_MANY_HEADERS
            if at > end:
                return UNPACKABLE
            at = end
    except IndexError:
        return UNPACKABLE
    return None if at == len(records) else UNPACKABLE


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number with a sign, and where the next one begins (KIP-98)."""
    found = data[at]
    at += 1
    if found & 0x80:
        found, shift = found & 0x7F, 7
        while (byte := data[at]) & 0x80:
            found |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
        found |= byte << shift
        at += 1
    return (found >> 1) ^ -(found & 1), at


def _replaced(batch: bytes, why: bytes) -> tuple[Excess, bytes]:
    """Return a batch at the same offsets whose records say why they are empty."""
    first, _, epoch, _, _, attributes, last, *times_and_producer, count = HEAD.unpack_from(batch)
    if batch[FORMAT_AT] != FORMAT:  # its head has other fields
        epoch, attributes, last, count = 0, 0, 0, 1
        times_and_producer = [0, 0, -1, -1, -1]
    places: Sequence[int] = range(last + 1) if last + 1 == count <= BATCH_RECORDS else (0,)
    builder = DefaultRecordBatchBuilder(
        magic=FORMAT, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1,
        base_sequence=-1, batch_size=1 << 30,
    )  # fmt: skip
    for place in places:
        builder.append(place, 0, None, b"", [(MARK, why)])
    checked = CHECKED.pack(attributes & ~CODECS, last, *times_and_producer, len(places))
    checked += bytes(builder.build())[HEAD.size :]
    length = BEFORE_CHECKED - BEFORE_LENGTH + len(checked)
    head = struct.pack(">qiibI", first, length, epoch, FORMAT, calc_crc32c(checked))
    return Excess(first, first + last, times_and_producer[2], why), head + checked


def _without_odd_names(batch: bytes) -> bytes | None:
    """Return a batch whose records with names that are not UTF-8 say so, and are empty; None if all are."""
    first, _, epoch, form, _, attributes, *rest, count = HEAD.unpack_from(batch)
    packed, codec = batch[HEAD.size :], attributes & CODECS
    records = _UNPACK[codec](packed) if codec else packed
    if form != FORMAT or records is None:
        return None
    parts: list[bytes] = []
    at = 0
    try:
        for _ in range(count):
            begin = at
            size, at = _varint(records, begin)
            end = at + size
            parts.append(_named(records[at:end], records[begin:end]))
            at = end
    except IndexError:
        return None  # the client's to judge
    kept = b"".join(parts)
    if kept == records:
        return None
    checked = CHECKED.pack(attributes & ~CODECS, *rest, count) + kept
    length = BEFORE_CHECKED - BEFORE_LENGTH + len(checked)
    return struct.pack(">qiibI", first, length, epoch, FORMAT, calc_crc32c(checked)) + checked


def _named(body: bytes, record: bytes) -> bytes:
    """Return a record, or the one in its place if a name of its headers is not UTF-8."""
    at = 1
    for _ in ("time", "offset"):
        _, at = _varint(body, at)
    place = body[:at]
    for _ in ("key", "value"):
        size, at = _varint(body, at)
        at += max(size, 0)
    count, at = _varint(body, at)
    for _ in range(count):
        size, at = _varint(body, at)
        try:
            body[at : at + size].decode()
        except UnicodeDecodeError:
            return _sized(place + _NO_KEY_NO_VALUE + _sized(MARK.encode()) + _sized(ODD_NAME))
        size, at = _varint(body, at + size)
        at += max(size, 0)
    return record


def _sized(data: bytes) -> bytes:
    """Return bytes behind their number."""
    found = bytearray()
    encode_varint(len(data), found.append)
    return bytes(found) + data


_NO_KEY_NO_VALUE = b"\x01\x00\x02"
"""No key, a value of 0 bytes, 1 header."""


def _restamped(batch: bytes, now_ms: int) -> bytes:
    """Return a batch with that time as the broker's; one that was damaged on its way stays so."""
    first, length, epoch, form, checksum, attributes, last, begun, _, *rest = HEAD.unpack_from(batch)
    if calc_crc32c(batch[BEFORE_CHECKED:]) != checksum:
        return batch
    checked = CHECKED.pack(attributes | BROKERS_TIME, last, begun, now_ms, *rest) + batch[HEAD.size :]
    return struct.pack(">qiibI", first, length, epoch, form, calc_crc32c(checked)) + checked


# Unpacking


_FULL = ("whole buffer", "output buffer")
"""What cramjam says where the buffer is full."""


def _gzip(packed: bytes) -> bytes | None:
    stream = zlib.decompressobj(wbits=31)
    found = stream.decompress(packed, BATCH_BYTES + 1)
    if len(found) > BATCH_BYTES:
        return None
    if not stream.eof or stream.unused_data:  # Kafka's clients write one stream
        raise ValueError
    return found


def _snappy(packed: bytes) -> bytes:
    room = memoryview(_buffer())
    size = 0
    for block in _snappy_blocks(packed):
        size += cramjam.snappy.decompress_raw_into(block, room[size:])
    return bytes(room[:size])


def _snappy_blocks(packed: bytes) -> Iterator[bytes]:
    if not (len(packed) > len(XERIAL) and packed.startswith(XERIAL)):
        yield packed
        return
    at = len(XERIAL)
    while at < len(packed):
        size = _LENGTH.unpack_from(packed, at)[0]
        if size < 0:
            raise ValueError
        at += _LENGTH.size + size
        yield packed[at - size : at]


def _lz4(packed: bytes) -> bytes:
    return bytes(memoryview(_buffer())[: cramjam.lz4.decompress_into(packed, _buffer())])


def _zstd(packed: bytes) -> bytes:
    return bytes(memoryview(_buffer())[: cramjam.zstd.decompress_into(packed, _buffer())])


@cache
def _buffer() -> bytearray:
    return bytearray(BATCH_BYTES)  # one for all: nothing else runs while it is filled


_UNPACK: dict[int, Callable[[bytes], bytes | None]] = {GZIP: _gzip, SNAPPY: _snappy, LZ4: _lz4, ZSTD: _zstd}
