"""Who holds a growth up: whoever has not read all of an event, or holds some of it parked."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bus.cluster.readers import Readers, parked_of
from bus.parking.keys import ParkedEvent
from bus.parking.rows import ParkedRow, SubscriptionPartition, erase_row, write_row
from bus.record import Record, StoredRecord, TopicPartition
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry


def _row(row: ParkedRow, offset: int) -> StoredRecord:
    return StoredRecord("health.parked", 0, offset, 1, row.key, row.value, tuple(row.headers))


def test_parked_is_what_no_later_row_has_released() -> None:
    """Of the topics that are asked for, whatever the subscription."""
    rows = []
    for offset, topic in enumerate(("tax.a.v1", "tax.a.v1", "tax.b.v1")):
        home = SubscriptionPartition(f"health.x{offset}", TopicPartition(topic, 0))
        record = StoredRecord(topic, 0, offset, 1, b"key", b"{}", ())
        rows.append(_row(write_row(home, ParkedEvent(offset), record, "one"), offset))
    home = SubscriptionPartition("health.x1", TopicPartition("tax.a.v1", 0))
    released = erase_row(home, "", 1, b"key", "one")
    assert len(parked_of(rows, ["tax.a.v1"])) == 2
    assert len(parked_of([*rows, _row(released, 3)], ["tax.a.v1", "tax.c.v1"])) == 1
    assert parked_of([_row(released, 3)], ["tax.a.v1"], parked_of(rows, ["tax.a.v1"])) == {rows[0].key}


class Known:
    """Groups whose positions are known."""

    def __init__(self, positions: dict[str, dict[TopicPartition, int]]) -> None:
        self.known = positions

    async def positions(self, topics: Any) -> dict[str, dict[TopicPartition, int]]:
        """Return what each has committed."""
        return {
            group: {place: offset for place, offset in committed.items() if place.topic in topics}
            for group, committed in self.known.items()
        }

    async def unread(self, gaps: MappingProxyType[TopicPartition, tuple[int, int]]) -> int:
        """Return how many records lie between."""
        return sum(end - start for start, end in gaps.values())


async def test_every_group_that_read_the_event_counts_but_no_replay(tmp_path: Path) -> None:
    """Also one whose processes are away; partitions in which it has committed nothing are unread."""
    country = SmallCountry(tmp_path)
    cluster = InMemoryCluster(country.catalog)
    for partition in (0, 0, 1):
        cluster.append(country.topic, b"{}", key=b"k", partition=partition)
    first, other = TopicPartition(country.topic, 0), TopicPartition("others", 0)
    groups: Any = Known(
        {
            f"{country.south}.done": {first: 2, TopicPartition(country.topic, 1): 1},
            f"{country.south}.away": {first: 1},
            f"{country.south}.away.replay.7": {first: 0},
            "warehouse.stock": {other: 0},
        }
    )
    transport = InMemoryBus(country.north, cluster=cluster).transport
    found = await Readers(groups, transport, country.catalog, country.opened).holders()
    assert found.ends == (2, 1, 0)
    assert (found.behind, found.parked) == (2, frozenset())
    assert found.named == (f"group `{country.south}.away` is 2 events behind",)


async def test_a_look_at_what_is_parked_reads_on_from_the_last(tmp_path: Path) -> None:
    """With many parked keys, each look at all of them would take longer than a pause may last."""
    country = SmallCountry(tmp_path)
    cluster = InMemoryCluster(country.catalog)
    groups: Any = Known({f"{country.south}.done": {TopicPartition(country.topic, 0): 0}})
    transport = InMemoryBus(country.north, cluster=cluster).transport
    read, looks = transport.read, list[list[int]]()

    async def noting(windows: Any) -> AsyncIterator[Record]:
        looks.append([end - first for first, end in windows.values()])
        async for record in read(windows):
            yield record

    transport.read = noting  # type: ignore[method-assign]
    readers = Readers(groups, transport, country.catalog, country.opened)
    held = []
    for offset in range(3):
        home = SubscriptionPartition("done", TopicPartition(country.topic, 0))
        record = StoredRecord(country.topic, 0, offset, 1, b"key", b"{}", ())
        row = write_row(home, ParkedEvent(offset), record, "one")
        cluster.append(f"{country.south}.parked", row.value, key=row.key, headers=row.headers, partition=0)
        held.append(len((await readers.holders()).parked))
    released = erase_row(home, "", 0, b"key", "one")
    cluster.append(f"{country.south}.parked", None, key=released.key, headers=released.headers, partition=0)
    held.append(len((await readers.holders()).parked))
    assert held == [1, 2, 3, 2]
    assert [sum(look) for look in looks] == [1, 1, 1, 1]
