"""Transactions of the cluster in memory: readers do not see open or aborted records."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from bus.errors import BusError, FencedError
from bus.record import StoredRecord, TopicPartition
from bus.standing import CommittedOffset
from bus.transport import Outgoing

Append = Callable[[Outgoing], StoredRecord]
Commit = Callable[[str, Mapping[TopicPartition, CommittedOffset]], None]


class OpenRecords:
    """The records of a cluster that readers do not see, and the holder of each transactional id."""

    def __init__(self) -> None:
        self._open: dict[TopicPartition, set[int]] = defaultdict(set)
        self._aborted: dict[TopicPartition, set[int]] = defaultdict(set)
        self._holders: dict[str, MemoryTransactional] = {}

    def readable(self, place: TopicPartition, log: Sequence[StoredRecord]) -> int:
        """Return the offset at which reading must stop: that of the first open record."""
        return min(self._open[place], default=len(log))

    def drop(self, topic: str) -> None:
        """Forget a topic that is deleted."""
        for kept in (self._open, self._aborted):
            for place in [place for place in kept if place.topic == topic]:
                del kept[place]

    def shown(self, records: Sequence[StoredRecord]) -> list[StoredRecord]:
        """Return the committed records."""
        return [record for record in records if not self._is_hidden(record)]

    def _is_hidden(self, record: StoredRecord) -> bool:
        place = TopicPartition(record.topic, record.partition)
        return record.offset in self._aborted[place] or record.offset in self._open[place]

    def take_over(self, identity: str, holder: "MemoryTransactional") -> None:
        """Give a transactional id to its next holder, and abort what the previous one had begun."""
        before = self._holders.get(identity)
        if before is not None:
            before.give_up()
        self._holders[identity] = holder

    def is_held_by(self, identity: str, holder: "MemoryTransactional") -> bool:
        """Whether this holder is the latest."""
        return self._holders.get(identity) is holder

    def opened(self, record: StoredRecord) -> None:
        """Add a record that is not committed yet."""
        self._open[TopicPartition(record.topic, record.partition)].add(record.offset)

    def closed(self, records: Sequence[StoredRecord], *, count: bool) -> None:
        """Commit or abort records."""
        for record in records:
            place = TopicPartition(record.topic, record.partition)
            self._open[place].discard(record.offset)
            if not count:
                self._aborted[place].add(record.offset)


class MemoryTransactional:
    """See `bus.transport.Transactional`."""

    answer_seconds = 30.0

    def __init__(self, identity: str, records: OpenRecords, append: Append, commit: Commit) -> None:
        self.unacknowledged = 0
        self._identity = identity
        self._records = records
        self._append = append
        self._commit = commit
        self._written: list[StoredRecord] = []
        self._fault: BusError | None = None

    @property
    def fault(self) -> BusError | None:
        """Why it can only be aborted, if it can."""
        return self._fault

    async def start(self) -> None:
        """Take over the transactional id."""
        self._records.take_over(self._identity, self)

    async def begin(self) -> None:
        """Begin."""
        self._require_holder()
        self._fault = None

    def send(self, outgoing: Outgoing) -> None:
        """Take a record."""
        self.unacknowledged += 1
        asyncio.get_running_loop().call_soon(self._land, outgoing)

    def _land(self, outgoing: Outgoing) -> None:
        self.unacknowledged -= 1
        try:
            self._require_holder()
            record = self._append(outgoing)
        except BusError as error:
            self._fault = error
            outgoing.failed(error)
            return
        self._records.opened(record)
        self._written.append(record)
        outgoing.acknowledged(record.partition, record.offset, record.timestamp)

    async def drain(self) -> None:
        """Wait for what is on its way."""
        await asyncio.sleep(0)  # what was handed over lands in this turn of the loop

    async def commit(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit."""
        await self.drain()
        if self._fault is not None:
            raise self._fault
        self._require_holder()
        if positions:
            self._commit(group, positions)
        self._end(count=True)

    async def abort(self) -> None:
        """Abort."""
        self.give_up()

    async def stop(self) -> None:
        """Disconnect."""
        self.give_up()

    def give_up(self) -> None:
        """Abort what is open."""
        self._end(count=False)

    def _end(self, *, count: bool) -> None:
        written, self._written = self._written, []
        self._records.closed(written, count=count)

    def _require_holder(self) -> None:
        if not self._records.is_held_by(self._identity, self):
            raise FencedError(f"another process took over this transactional id - `{self._identity}`")
