"""A program without asyncio publishes by plain calls, from any of its threads."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bus import (
    ContractViolationError,
    Draft,
    Event,
    PublishManyError,
    PublishReceipt,
    Settings,
    SyncBus,
    UsageError,
)
from bus.testing import InMemoryBus, InMemoryCluster, patched
from tests.small_catalog import SmallCountry, case


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A small country with names of its own."""
    return SmallCountry(tmp_path / "catalog")


@pytest.fixture
def north(country: SmallCountry) -> SyncBus:
    """A bus of the agency that opens cases, as a module of a program makes it."""
    return SyncBus(country.north, system="desk", settings=Settings(), catalog=country.catalog)


@pytest.fixture
def cluster(north: SyncBus) -> Iterator[InMemoryCluster]:
    """The cluster that it publishes to."""
    with patched(north) as cluster:
        yield cluster


def test_a_call_returns_the_receipt_of_an_event_that_is_there(
    north: SyncBus, cluster: InMemoryCluster, country: SmallCountry
) -> None:
    """With its key, its source, and the receipt of the agency."""
    receipt = north.publish(country.opened, case(1), version="1.0", key="case-1")
    (record,) = cluster.records(country.topic)
    assert (record.key, record.offset) == (b"case-1", receipt.offset)
    assert ("ce_source", f"urn:govbus:{country.north}:desk".encode()) in record.headers
    assert [one.event_id for one in cluster.receipts() if isinstance(one, PublishReceipt)] == [receipt.id]


def test_every_thread_may_call(north: SyncBus, cluster: InMemoryCluster, country: SmallCountry) -> None:
    """As those of a web server do; nothing is lost, and each has its own receipt."""

    def publish(number: int) -> str:
        return north.publish(country.opened, case(number), version="1.0", id=f"id-{number}").id

    with ThreadPoolExecutor(16) as threads:
        ids = list(threads.map(publish, range(400)))
    assert ids == [f"id-{number}" for number in range(400)]
    assert len(cluster.records(country.topic)) == 400


def test_a_refused_event_is_an_error_of_its_call_alone(
    north: SyncBus, cluster: InMemoryCluster, country: SmallCountry
) -> None:
    """The next event is published."""
    with pytest.raises(ContractViolationError):
        north.publish(country.opened, {"reference": 7}, version="1.0")
    north.publish(country.opened, case(1), version="1.0")
    assert len(cluster.records(country.topic)) == 1


def test_the_items_of_an_iterable_are_read_in_the_thread_that_calls(
    north: SyncBus, cluster: InMemoryCluster, country: SmallCountry
) -> None:
    """A database's connection belongs to it; 1,200 rows come as they are read."""
    readers = set()

    def rows() -> Iterator[Draft]:
        for number in range(1200):
            readers.add(threading.get_ident())
            yield Draft(case(number), id=f"id-{number}")

    receipts = north.publish_many(country.opened, rows(), version="1.0")
    assert [receipt.id for receipt in receipts] == [f"id-{number}" for number in range(1200)]
    assert readers == {threading.get_ident()}
    assert len(cluster.records(country.topic)) == 1200


def test_an_iterable_that_fails_is_told_with_how_far_the_call_came(
    north: SyncBus, cluster: InMemoryCluster, country: SmallCountry
) -> None:
    """Its own error, with `progress`; the bus goes on."""

    def rows() -> Iterator[object]:
        yield from (case(number) for number in range(700))
        raise LookupError("the cursor is gone")

    with pytest.raises(LookupError, match="cursor") as caught:
        north.publish_many(country.opened, rows(), version="1.0")
    assert len(caught.value.progress.receipts) == len(cluster.records(country.topic)) == 500  # type: ignore[attr-defined]
    north.publish(country.opened, case(1), version="1.0")


def test_a_wrong_item_ends_the_reading(
    north: SyncBus, cluster: InMemoryCluster, country: SmallCountry
) -> None:
    """Of an endless iterable what comes before it is published; of a list nothing is."""

    def rows() -> Iterator[object]:
        yield case(1)
        while True:
            yield {"reference": 7}

    with pytest.raises(PublishManyError, match="index 1 "):
        north.publish_many(country.opened, rows(), version="1.0")
    assert len(cluster.records(country.topic)) == 1
    with pytest.raises(PublishManyError, match="none of the call's events was sent"):
        north.publish_many(country.opened, [case(2), {"reference": 7}], version="1.0")
    assert len(cluster.records(country.topic)) == 1


async def test_a_call_in_an_event_loop_is_refused(north: SyncBus, country: SmallCountry) -> None:
    """It would block the loop, as in an async view; from a thread it is taken, and handlers see the event."""
    seen = asyncio.Queue[str]()
    south = InMemoryBus(country.south, catalog=country.catalog)

    @south.subscribe(country.opened, version=1, purpose="close-cases")
    async def keep(event: Event[object]) -> None:
        seen.put_nowait(event.id)

    async with patched(north, south):
        with pytest.raises(UsageError, match=r"Use `Bus` there, or `await asyncio\.to_thread"):
            north.publish(country.opened, case(1), version="1.0")
        receipt = await asyncio.to_thread(north.publish, country.opened, case(1), version="1.0")
        assert await seen.get() == receipt.id
    with pytest.raises(UsageError, match="Use `Bus` there"):
        north.start()


def test_an_agency_that_the_catalogue_lacks_is_told_when_the_bus_is_made(country: SmallCountry) -> None:
    """Not with the first citizen."""
    with pytest.raises(UsageError, match="Expected an agency of the catalogue"):
        SyncBus("nobody", catalog=country.catalog)


def test_a_patched_bus_is_as_it_was_afterwards(north: SyncBus, country: SmallCountry) -> None:
    """It may be patched again, and not twice at once."""
    for _ in range(2):
        with patched(north) as cluster:
            north.publish(country.opened, case(1), version="1.0")
            assert len(cluster.records(country.topic)) == 1
            with pytest.raises(UsageError, match="not connected"), patched(north):
                pass
