"""Makes records of what was fetched; those of aiokafka 0.14 take longer to make, and to collect.

Law of this file: what comes out is what `PartitionRecords._unpack_records` of aiokafka yields, by the same
steps: nothing of an aborted transaction, no control record, nothing before the position.
"""

from collections.abc import Iterator
from inspect import GEN_CREATED, getgeneratorstate
from typing import Any

from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException

from bus.record import FetchedRecord


class MakesRecords:
    """Takes the place of `_proc_fetch_request` of one fetcher.

    Args:
        fetcher: that of a consumer which reads what is committed.
    """

    def __init__(self, fetcher: Any) -> None:
        self._fetcher = fetcher
        self._fetch = fetcher._proc_fetch_request  # noqa: SLF001 - there is no public way
        fetcher._proc_fetch_request = self.fetch  # noqa: SLF001

    async def fetch(self, assignment: Any, node: Any, request: Any) -> Any:
        """Fetch; return whether anything came."""
        has_come = await self._fetch(assignment, node, request)
        for result in self._fetcher._records.values():  # noqa: SLF001
            if isinstance(result, FetchResult) and _is_whole(result._partition_records):  # noqa: SLF001
                result._partition_records = FetchedRecords(result._partition_records)  # noqa: SLF001
        return has_come


def _is_whole(fetched: object) -> bool:
    """Whether aiokafka has these records, and has taken none out yet."""
    return (
        isinstance(fetched, PartitionRecords) and getgeneratorstate(fetched._records_iterator) == GEN_CREATED  # noqa: SLF001
    )


class FetchedRecords:
    """The committed records of one partition that came in one answer, each taken out once.

    Args:
        fetched: them, as aiokafka has them.
    """

    __slots__ = ("_records", "next_fetch_offset")

    def __init__(self, fetched: Any) -> None:
        self.next_fetch_offset: int = fetched.next_fetch_offset
        """The offset behind what was taken out, by the name that aiokafka knows."""
        self._records = self._unpack(fetched)

    def __iter__(self) -> Iterator[FetchedRecord]:
        return self._records

    def _unpack(self, fetched: Any) -> Iterator[FetchedRecord]:
        (topic, partition), answer = fetched._tp, fetched._records  # noqa: SLF001
        aborted = fetched._aborted_producers  # noqa: SLF001
        while answer.has_next():
            batch = answer.next_batch()
            if not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {topic}/{partition}")
            if batch.producer_id is not None:
                fetched._consume_aborted_up_to(batch.base_offset)  # noqa: SLF001
                if batch.is_control_batch and fetched._contains_abort_marker(batch):  # noqa: SLF001
                    aborted.discard(batch.producer_id)
            is_aborted = batch.is_transactional and batch.producer_id in aborted
            if not is_aborted and not batch.is_control_batch:
                begin = self.next_fetch_offset
                for one in batch:
                    if (offset := one.offset) < begin:
                        continue
                    self.next_fetch_offset = offset + 1
                    headers = one.headers
                    named = dict(headers)
                    yield FetchedRecord(
                        topic, partition, offset, one.timestamp, one.key, one.value,
                        named if len(named) == len(headers) else headers,
                    )  # fmt: skip
            self.next_fetch_offset = batch.next_offset
