"""Many events in one call: checked first where that can be; whatever ends the call says how far it came."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import create_engine

from bus import (
    BusUnavailableError,
    ContractViolationError,
    Draft,
    Event,
    IdReusedError,
    Outbox,
    PublishManyError,
    PublishReceipt,
    RefusedError,
    UsageError,
)
from bus.publish.waiting import PublishWindow
from bus.testing import InMemoryBus, InMemoryCluster
from tests.small_catalog import SmallCountry, case
from tests.worlds import until

WRONG = {"number": 3, "reference": "x"}


@pytest.fixture
def country(tmp_path: Path) -> SmallCountry:
    """A country of its own."""
    return SmallCountry(tmp_path / "catalog")


@pytest.fixture
def cluster(country: SmallCountry) -> InMemoryCluster:
    """Its cluster."""
    return InMemoryCluster(country.catalog)


def with_one_wrong(wrong: Any = WRONG) -> list[Any]:
    """Return many events, one of which is wrong."""
    return [*map(case, range(5_000)), wrong, *map(case, range(10))]


def values(items: list[Any]) -> Any:
    """Return the same as a mapping's values, which can be gone through twice."""
    return dict(enumerate(items)).values()


@pytest.mark.parametrize("made", [list, tuple, values])
async def test_a_list_is_checked_before_the_first_is_sent(
    country: SmallCountry, cluster: InMemoryCluster, made: Callable[[list[Any]], Any]
) -> None:
    """One wrong event of many: nothing is on the bus, and the error says where, why and that."""
    async with InMemoryBus(country.north, cluster=cluster) as bus:
        with pytest.raises(PublishManyError, match="index 5000 failed; none of") as caught:
            await bus.publish_many(country.opened, made(with_one_wrong()), version="1.0")
        async with bus.transaction() as transaction:
            with pytest.raises(PublishManyError, match="index 5000"):
                await transaction.publish_many(country.opened, made(with_one_wrong()), version="1.0")
    assert isinstance(caught.value.error, ContractViolationError)
    assert caught.value.__cause__ is caught.value.error
    assert (caught.value.retriable, caught.value.reason) == (False, ContractViolationError.reason)
    progress = caught.value.progress
    assert (caught.value.index, progress.receipts, progress.unknown) == (5_000, {}, ())
    assert cluster.records(country.topic) == []
    outcomes = [row.outcome for row in cluster.receipts() if isinstance(row, PublishReceipt)]
    assert outcomes == ["refused"] * 2


async def test_an_id_that_names_two_events_is_found_before_the_first_is_sent(
    country: SmallCountry, cluster: InMemoryCluster
) -> None:
    """Within the list, or of an earlier call; the same event twice is one."""
    async with InMemoryBus(country.north, cluster=cluster) as bus:
        first = await bus.publish(country.opened, case(1), version="1.0", id="a")
        for wrong in (Draft(case(2), id="a"), Draft(case(2), id="b")):
            items = [Draft(case(1), id="b"), case(3), wrong]
            with pytest.raises(PublishManyError, match="index 2") as caught:
                await bus.publish_many(country.opened, items, version="1.0")
            assert isinstance(caught.value.error, IdReusedError)
        assert len(cluster.records(country.topic)) == 1
        same = await bus.publish_many(country.opened, [Draft(case(1), id="a")] * 2, version="1.0")
    assert same == [first, first]


def each(items: list[Any]) -> Iterator[Any]:
    """Give one after the other."""
    yield from items


async def async_each(items: list[Any]) -> AsyncIterator[Any]:
    """Give one after the other, with time between them."""
    for item in items:
        await asyncio.sleep(0)
        yield item


@pytest.mark.parametrize("made", [each, async_each])
async def test_an_iterable_is_sent_as_it_comes_and_the_error_says_how_far(
    country: SmallCountry, cluster: InMemoryCluster, made: Callable[[list[Any]], Any]
) -> None:
    """Its receipts are those of what is on the bus."""
    async with InMemoryBus(country.north, cluster=cluster) as bus:
        with pytest.raises(PublishManyError, match="5000 of the call's events are acknowledged, 0") as caught:
            await bus.publish_many(country.opened, made(with_one_wrong()), version="1.0")
        done = await bus.publish_many(country.opened, made([case(1), case(2)]), version="1.0")
    progress = caught.value.progress
    assert caught.value.index == 5_000
    assert sorted(progress.receipts) == list(range(5_000))
    assert "nothing was sent" not in str(caught.value)
    records = cluster.records(country.topic)
    assert len(records) == 5_002
    places = {(receipt.partition, receipt.offset) for receipt in (*progress.receipts.values(), *done)}
    assert places == {(record.partition, record.offset) for record in records}


async def test_a_cancellation_says_how_far_the_call_came(
    country: SmallCountry, cluster: InMemoryCluster
) -> None:
    """Receipts and counts are on the cancellation, which stays what `asyncio.timeout` knows."""
    go_on = asyncio.Event()

    async def items() -> AsyncIterator[Any]:
        for number in range(300):
            yield case(number)
        go_on.set()
        await asyncio.sleep(3_600)

    async with InMemoryBus(country.north, cluster=cluster) as bus:
        calling = asyncio.create_task(bus.publish_many(country.opened, items(), version="1.0"))
        await go_on.wait()
        await until(lambda: len(cluster.receipts()) >= 300)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await calling
    assert type(caught.value) is asyncio.CancelledError
    assert len(caught.value.progress.receipts) == 300  # type: ignore[attr-defined]
    assert "300 of the call's events are acknowledged, 0" in caught.value.__notes__[0]


async def test_an_error_of_the_iterable_is_its_own_and_says_how_far_the_call_came(
    country: SmallCountry, cluster: InMemoryCluster
) -> None:
    """What was sent before is on the bus, and is told."""

    def items() -> Iterator[Any]:
        yield case(1)
        raise OSError("the file has gone")

    async with InMemoryBus(country.north, cluster=cluster) as bus:
        with pytest.raises(OSError, match="the file") as caught:
            await bus.publish_many(country.opened, items(), version="1.0")
    assert [*caught.value.progress.receipts] == [0]  # type: ignore[attr-defined]


async def test_what_is_not_acknowledged_may_be_on_the_bus(
    country: SmallCountry, cluster: InMemoryCluster
) -> None:
    """The error is retriable, as its cause is, and lists them."""
    async with InMemoryBus(country.north, cluster=cluster) as bus:
        cluster.available = False
        with pytest.raises(PublishManyError) as caught:
            await bus.publish_many(country.opened, [case(1), case(2)], version="1.0")
        cluster.available = True
    assert isinstance(caught.value.error, BusUnavailableError)
    assert caught.value.retriable
    assert (caught.value.index, caught.value.progress.unknown) == (0, (0, 1))


@pytest.mark.parametrize("items", [case(), "text", b"bytes", Draft(case()), 7, None])
async def test_one_event_is_not_many(country: SmallCountry, items: Any) -> None:
    """A draft is a tuple, and an object gives its names: neither is meant."""
    async with InMemoryBus(country.north, catalog=country.catalog) as bus:
        with pytest.raises(UsageError, match="`publish`"):
            await bus.publish_many(country.opened, items, version="1.0")


async def test_what_a_handler_publishes_exactly_once_is_checked_first_too(
    country: SmallCountry, cluster: InMemoryCluster
) -> None:
    """A handler that catches the error publishes nothing of the call; receipts have no place yet."""
    said: list[Any] = []
    south, north = [InMemoryBus(agency, cluster=cluster) for agency in (country.south, country.north)]

    @south.subscribe(country.opened, version=1, purpose="close-cases", exactly_once=True)
    async def close(event: Event[Any]) -> None:
        assert event.bus is not None
        publish_many: Any = event.bus.publish_many  # type: ignore[attr-defined]
        try:
            await publish_many(country.closed, [case(1), WRONG], version="1.0", cause=event)
        except PublishManyError as error:
            said.append(error.index)
        said.extend(await publish_many(country.closed, [case(2), case(3)], version="1.0", cause=event))

    async with north, south:
        await north.publish(country.opened, case(), version="1.0")
        await until(lambda: len(cluster.records(f"{country.closed}.v1")) == 2)
    index, *held = said
    assert index == 1
    assert [(receipt.partition, receipt.offset) for receipt in held] == [(-1, -1)] * 2


def test_the_outbox_says_which_event_is_refused(country: SmallCountry) -> None:
    """None of the call is written; one event alone has its own error."""
    outbox = Outbox(country.north, catalog=country.catalog)
    with create_engine("sqlite://").begin() as connection:
        outbox.table.create(connection)
        with pytest.raises(PublishManyError, match="index 1 failed; none of") as caught:
            outbox.add_many(connection, country.opened, [case(), WRONG], version="1.0")
        with pytest.raises(ContractViolationError):
            outbox.add(connection, country.opened, WRONG, version="1.0")
    assert isinstance(caught.value.error, RefusedError)


async def test_of_a_list_that_waits_the_garbage_collector_lets_go(
    country: SmallCountry, cluster: InMemoryCluster
) -> None:
    """Of data alone only key and data wait, as bytes: events of a long list cost what those of a short do."""
    many = [case(number) for number in range(1_000)]
    async with InMemoryBus(country.north, cluster=cluster) as bus:
        checked: list[Any] = []
        publisher = bus._publisher
        stamper = publisher.stamper(country.opened, "1.0", "main")
        window = PublishWindow(5_000, 30, lambda: asyncio.sleep(0))
        checked.extend(await publisher._check_all(stamper, many, None, window))
    gc.collect()
    assert len(checked) == len(many)
    assert not any(gc.is_tracked(one) for one in checked)


class Fleeting(list[Any]):
    """A list that can be gone through once, and whose data is gone then."""

    def __iter__(self) -> Iterator[Any]:
        yield from list.__iter__(self)
        for item in list.__iter__(self):
            item.clear()
        self.clear()


async def test_data_is_sent_as_it_was_checked_and_stamped_when_it_is_sent(
    country: SmallCountry, cluster: InMemoryCluster
) -> None:
    """What a list holds may change meanwhile: the events are those that were checked, in the list's order."""
    expected = [orjson.dumps(case(number)) for number in range(400)]
    async with InMemoryBus(country.north, cluster=cluster) as bus:
        items = Fleeting(map(case, range(400)))
        receipts = await bus.publish_many(country.opened, items, version="1.0")
    found = {(one.partition, one.offset): one for one in cluster.records(country.topic)}
    sent = [found[receipt.partition, receipt.offset] for receipt in receipts]
    assert [record.value for record in sent] == expected
    stamps = [dict(record.headers)["ce_recordedtime"] or b"" for record in sent]
    assert stamps == sorted(stamps)
