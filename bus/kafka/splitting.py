"""A producer that goes on behind a batch that failed, and sends in parts what its topic does not take whole.

A record that the broker refuses is so found out: it is refused alone, and the others of its batch arrive.

Law of this file: a batch that failed leaves no gap in the sequence numbers of its partition. aiokafka 0.14
counts it all the same, and the broker then refuses whatever follows, for as long as the producer lives.

| the batch | what follows it |
|---|---|
| was refused at its first attempt, so nothing of it was written | takes its numbers |
| failed otherwise: nobody knows whether it was written | begins at 0 under a new producer id |
| failed otherwise, in a transaction | the transaction is aborted, and its id begins anew |

Model: `handleFailedBatch` and `splitAndReenqueue` of Java's producer.
"""

import asyncio
import struct
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import for_code
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.producer.sender import Sender, SendProduceReqHandler
from aiokafka.producer.transaction_manager import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, PidAndEpoch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from bus.kafka.errors import OF_RECORDS, REFUSALS

PRODUCER_ID = struct.Struct(">43xq")
"""Where the id of its producer is in a batch (format 2)."""


@dataclass(frozen=True, slots=True)
class BatchParts:
    """What a batch becomes that was not taken whole: its halves, in order.

    Args:
        sizes: how many records each has.
        futures: the metadata of each, as of a batch.
    """

    sizes: tuple[int, int]
    futures: "tuple[asyncio.Future[Any], asyncio.Future[Any]]"


class SplittingProducer(AIOKafkaProducer):  # type: ignore[misc]
    """aiokafka's producer; the future of a batch that was not taken whole holds `BatchParts`."""

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
    def _fail_all(self, task: "asyncio.Task[None]") -> None:
        if self._txn_manager.transactional_id is not None:
            super()._fail_all(task)
        elif not task.cancelled() and (error := task.exception()) is not None:  # aiokafka's fails here
            self._message_accumulator.fail_all(error)

    async def _send_produce_req(self, node_id: Any, batches: dict[Any, Any]) -> None:
        await _Sending(self, dict(batches)).do(node_id)
        for batch in batches.values():
            if batch.future.done() and (error := batch.future.exception()) is not None:
                self.go_on_behind(batch, is_refusal=isinstance(error, REFUSALS))
        self._in_flight.remove(node_id)
        for place in batches:
            self._muted_partitions.remove(place)

    def go_on_behind(self, batch: Any, *, is_refusal: bool) -> None:
        """Let the next batch of a partition follow the last one that was written."""
        # The partition is muted: no batch behind this one has a sequence number yet.
        manager = self._txn_manager
        (producer_id,) = PRODUCER_ID.unpack_from(batch.get_data_buffer())
        if producer_id != manager.producer_id:
            return
        if (
            is_refusal and batch.retry_count == 1
        ):  # else it may have arrived before, though nobody heard of it
            manager.increment_sequence_number(batch.tp, -batch.record_count)
        elif manager.transactional_id is None:
            # The sender asks for another id before it sends the next batch.
            manager._pid_and_epoch = PidAndEpoch(NO_PRODUCER_ID, NO_PRODUCER_EPOCH)  # noqa: SLF001
            manager._pid_waiter = asyncio.get_running_loop().create_future()  # noqa: SLF001
            manager._sequence_numbers.clear()  # noqa: SLF001


class _Sending(SendProduceReqHandler):  # type: ignore[misc]
    def handle_response(self, response: Any) -> None:
        for topic, partitions in response.topics:
            for number, code, *_ in partitions:
                place = TopicPartition(topic, number)
                batch = self._batches.get(place)
                is_of_record = issubclass(for_code(code), OF_RECORDS)
                if batch is not None and is_of_record and batch.record_count > 1:
                    del self._batches[place]
                    self._sender.go_on_behind(batch, is_refusal=True)
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
