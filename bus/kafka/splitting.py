"""A producer that sends a batch in parts where its topic does not take the whole.

Law of this file: what a broker refuses for its size takes no sequence number. aiokafka 0.14 counts it all the
same, and the broker then refuses whatever follows in the partition, for as long as the producer lives.

Model: `splitAndReenqueue` of Java's producer.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

TOO_LARGE = (MessageSizeTooLargeError.errno, RecordListTooLargeError.errno)


@dataclass(frozen=True, slots=True)
class BatchParts:
    """What a batch becomes that was too large: its halves, in order.

    Args:
        sizes: how many records each has.
        futures: the metadata of each, as of a batch.
    """

    sizes: tuple[int, int]
    futures: "tuple[asyncio.Future[Any], asyncio.Future[Any]]"


class SplittingProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer; the future of a batch that was too large holds `BatchParts`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        usual: Any = self._sender  # type: ignore[has-type] # aiokafka has no types
        self._sender = _Sender(
            self.client,
            acks=usual._acks,  # noqa: SLF001 - there is no public way
            txn_manager=self._txn_manager,
            message_accumulator=self._message_accumulator,
            retry_backoff_ms=int(usual._retry_backoff * 1000),  # noqa: SLF001
            request_timeout_ms=self._request_timeout_ms,
        )


class _Sender(Sender):  # type: ignore[misc]
    async def _send_produce_req(self, node_id: Any, batches: dict[Any, Any]) -> None:
        await _Sending(self, dict(batches)).do(node_id)
        self._in_flight.remove(node_id)
        for place in batches:
            self._muted_partitions.remove(place)


class _Sending(SendProduceReqHandler):  # type: ignore[misc]
    def handle_response(self, response: Any) -> None:
        # The partition is muted: no batch behind the refused one has a sequence number yet.
        for topic, partitions in response.topics:
            for number, code, *_ in partitions:
                place = TopicPartition(topic, number)
                batch = self._batches.get(place)
                if batch is None or code not in TOO_LARGE:
                    continue
                if batch.retry_count == 1:  # else it may have arrived before, though nobody heard of it
                    self._sender._txn_manager.increment_sequence_number(place, -batch.record_count)  # noqa: SLF001
                if batch.record_count > 1:
                    del self._batches[place]
                    self._split(batch)
        super().handle_response(response)

    def _split(self, batch: Any) -> None:
        accumulator = self._sender._message_accumulator  # noqa: SLF001 - there is no public way
        records = list(MemoryRecords(bytes(batch.get_data_buffer())).next_batch())
        half = len(records) // 2
        parts = [_batch(accumulator, batch.tp, some) for some in (records[:half], records[half:])]
        accumulator._batches[batch.tp].extendleft(reversed(parts))  # noqa: SLF001
        first, second = parts
        batch.future.set_result(BatchParts((half, len(records) - half), (first.future, second.future)))


def _batch(accumulator: Any, place: TopicPartition, records: list[Any]) -> Any:
    builder = accumulator.create_builder()
    for one in records:
        builder.append(timestamp=one.timestamp, key=one.key, value=one.value, headers=one.headers)
    return MessageBatch(place, builder, accumulator._batch_ttl, accumulator._linger_time)  # noqa: SLF001
