"""Listens to what the bus itself says during the run: receipts for timing, dead letters for the account.

The check at the end takes dead letters as the reason why a case did not come through, and never a receipt as
proof that one did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bus import RECEIPTS_TOPIC, BusError, Record, Settings, decode_receipts, open_consumer
from connectors.demo.check import Rejection
from connectors.demo.rejections import rejection_of
from connectors.demo.timing import Stopwatch

__all__ = ["Witness"]

POLL_SECONDS = 0.25


class Witness:
    """Gathers receipts and dead letters of one run.

    Args:
        settings: The cluster.
        run: What the references of this run begin with; those of other runs are left alone.
        agencies: Whose dead letters count.
    """

    def __init__(self, settings: Settings, run: str, agencies: list[str]) -> None:
        self.stopwatch = Stopwatch()
        self._settings = settings
        self._run = run
        self._topics = [RECEIPTS_TOPIC, *(f"{agency}.dead-letters" for agency in agencies)]
        self._letters: dict[tuple[str, int, int], Record] = {}
        self._ready = asyncio.Event()

    def rejections(self, places: Mapping[tuple[str, str, str], str]) -> tuple[Rejection, ...]:
        """Return what was turned away so far, traced to its case as far as the books tell."""
        return tuple(rejection_of(letter, places) for letter in self._letters.values())

    async def ready(self) -> None:
        """Wait until all that earlier runs left in the cluster has been read and set aside."""
        await self._ready.wait()

    async def listen(self, *, from_now: bool) -> None:
        """Read until cancelled.

        Args:
            from_now: Whether what is there already is set aside.

        Raises:
            BusError: The cluster refuses to be read.
        """
        topics = self._topics
        if not from_now:
            self._ready.set()
        async with open_consumer(self._settings, group=f"govbus.demo.{self._run}", topics=topics) as consumer:
            while True:
                try:
                    found = await consumer.poll(timeout_seconds=POLL_SECONDS, max_records=500)
                except BusError as error:
                    if not error.retriable:
                        raise
                    await asyncio.sleep(POLL_SECONDS)
                    continue
                records = [record for batch in found.values() for record in batch]
                if self._ready.is_set():
                    self._take(records)
                elif not records and consumer.assigned():
                    self._ready.set()

    def _take(self, records: list[Record]) -> None:
        for record in records:
            if record.topic == RECEIPTS_TOPIC:
                receipts = decode_receipts(record.value)
                self.stopwatch.add(each for each in receipts if each.transaction.startswith(self._run))
            else:
                self._letters[record.topic, record.partition, record.offset] = record
