"""The last day of a version is told before and after it, to those who publish it and those who read it."""

import logging
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import time_ns
from typing import Any

import pytest
from sqlalchemy import create_engine

from bus import Event, Outbox, VersionRetiredError
from bus.testing import InMemoryBus, InMemoryCluster
from bus.times.clock import BrokerClock, steady_ns
from bus.times.sunsets import SunsetWatch, VersionUse, endings, warning
from tests.growing_catalog import GrowingCountry

LAST = date(2026, 6, 30)
MOVED = {"reference": "case-0001", "number": 1}


@pytest.fixture
def made(tmp_path: Path) -> Callable[[int], GrowingCountry]:
    """Make a country whose version 1 ends so many days from now."""

    def make(days: int) -> GrowingCountry:
        last = datetime.now(UTC).date() + timedelta(days=days)
        return GrowingCountry(tmp_path / f"catalog{days}", sunset=last.isoformat())

    return make


@pytest.mark.parametrize(
    ("days", "published", "read"),
    [
        (91, None, None),
        (
            90,
            "is refused after its last day, 2026-06-30, in 90 days",
            "gets no new events after the last day",
        ),
        (1, "2026-06-30, in 1 day.", "2026-06-30, in 1 day."),
        (0, "2026-06-30, today", "2026-06-30, today"),
        (-1, "is refused: its last day was 2026-06-30", "gets no new events: the last day"),
        (-400, "is refused: its last day was 2026-06-30", "gets no new events: the last day"),
    ],
)
def test_the_last_day_is_told_from_90_days_before_it(
    tmp_path: Path, days: int, published: str | None, read: str | None
) -> None:
    """With what to do."""
    country = GrowingCountry(tmp_path, sunset=LAST.isoformat())
    contract, today = country.catalog.contract(country.moved), LAST - timedelta(days=days)
    said = warning(VersionUse(contract.version(1, 0), None), today)
    heard = warning(VersionUse(contract.version(1), "moves"), today)
    for found, expected in ((said, published), (heard, read)):
        assert (found is None) is (expected is None)
        assert (expected or "") in (found or "")
    if published is not None:
        assert said is not None
        assert said.endswith("Publish version 2.0")
        assert heard is not None
        assert heard.endswith("Subscribe to version 2")
        assert "`moves`" in heard
    assert warning(VersionUse(contract.version(2), None), today) is None


@pytest.mark.parametrize(
    ("days", "expected"), [(91, None), (90, "in 90 days"), (1, "in 1 day"), (0, "today"), (-1, None)]
)
def test_plan_and_verify_note_what_ends_soon_and_who_reads_it(
    tmp_path: Path, days: int, expected: str | None
) -> None:
    """Of each version; one that has ended is a finding of `lint`."""
    country = GrowingCountry(tmp_path, sunset=LAST.isoformat())
    found = endings(country.catalog, LAST - timedelta(days=days))
    assert bool(found) is (expected is not None)
    assert all(
        re.fullmatch(rf"\S+ 1\.\d ends 2026-06-30, {expected}; (.+ read it|nobody reads it)", one)
        for one in found
    )
    assert all(country.south in one or "nobody" in one for one in found)


def test_it_is_told_once_a_day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often the watch looks; a sunset that the catalogue learns of later is told at once."""
    country = GrowingCountry(tmp_path, sunset=LAST.isoformat())
    days = [LAST - timedelta(days=3)]
    measured: list[int] = []
    watch = SunsetWatch(country.before, lambda: days[-1], lambda: (), lambda _, left: measured.append(left))
    watch.publishes(country.before.contract(country.moved).version(1, 0))
    assert caplog.messages == []
    watch.catalog = country.catalog
    for _ in range(3):
        watch.tell()
    assert len(caplog.messages) == 1
    days.append(LAST + timedelta(days=1))
    watch.tell()
    watch.tell()
    assert len(caplog.messages) == 2
    assert measured == [3, 3, 3, -1, -1]


async def test_programs_are_told_at_their_start_and_at_their_first_publish(
    made: Callable[[int], GrowingCountry], caplog: pytest.LogCaptureFixture
) -> None:
    """Before the last day both go on, and read why they will not."""
    country = made(30)
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]

    @south.subscribe(country.moved, version=1, purpose="follow-moves", name="moves")
    async def take(event: Event[Any]) -> None:
        """Take it."""

    with caplog.at_level(logging.WARNING):
        async with south:
            assert ["`moves`" in text for text in caplog.messages] == [True]
        async with north:
            await north.publish_many(country.moved, [MOVED] * 3, version="1.0")
            async with north.transaction() as transaction:
                await transaction.publish(country.moved, MOVED, version="1.0")
    assert sum(f"{country.moved} 1.0" in text for text in caplog.messages) == 1


async def test_after_the_last_day_a_subscriber_reads_why_nothing_comes(
    made: Callable[[int], GrowingCountry], caplog: pytest.LogCaptureFixture
) -> None:
    """And a publisher, at its first publish, beside the refusal."""
    country = made(-1)
    cluster = InMemoryCluster(country.catalog)
    north, south = [InMemoryBus(agency, cluster=cluster) for agency in (country.north, country.south)]

    @south.subscribe(country.moved, version=1, purpose="follow-moves", name="moves")
    async def take(event: Event[Any]) -> None:
        """Take it."""

    async with south, north:
        assert "`moves` gets no new events: " in caplog.text
        with pytest.raises(VersionRetiredError):
            await north.publish(country.moved, MOVED, version="1.0")
    assert "1.0 is refused" in caplog.text


async def test_a_sunset_that_a_running_program_learns_of_is_told_at_once(
    made: Callable[[int], GrowingCountry], caplog: pytest.LogCaptureFixture
) -> None:
    """`apply` brings it, and nobody restarts."""
    country = made(30)
    cluster = InMemoryCluster(country.catalog)
    async with InMemoryBus(country.north, cluster=cluster, catalog=country.before) as north:
        await north.publish(country.moved, MOVED, version="1.0")
        assert caplog.text == ""
        north.adopt(country.catalog)
        assert f"{country.moved} 1.0 is refused after" in caplog.text


async def test_which_versions_are_read_is_up_to_the_day_of_the_broker(
    made: Callable[[int], GrowingCountry],
) -> None:
    """A machine that is years ahead reads the last events of a version that has just ended, as others do."""
    country = made(-1)
    south = InMemoryBus(country.south, cluster=InMemoryCluster(country.catalog))
    south.transport.clock = BrokerClock(time_of_day=lambda: time_ns() + 3 * 366 * 86_400_000_000_000)

    @south.subscribe(country.moved, version=2, purpose="follow-later-moves", name="moves")
    async def count(event: Event[Any]) -> None:
        del event

    assert set(south._subscriptions["moves"].expected) == {f"{country.moved}.v2"}
    south.transport.clock.read(steady_ns(), time_ns() // 1000, steady_ns())  # as the start does over Kafka
    async with south:
        assert set(south._subscriptions["moves"].expected) == {f"{country.moved}.v1", f"{country.moved}.v2"}


def test_the_outbox_tells_too(
    made: Callable[[int], GrowingCountry], caplog: pytest.LogCaptureFixture
) -> None:
    """What is written after the last day is refused when it is relayed."""
    country = made(3)
    outbox = Outbox(country.north, catalog=country.catalog)
    with create_engine("sqlite://").begin() as connection:
        outbox.table.create(connection)
        outbox.add(connection, country.moved, MOVED, version="1.0")
    assert "1.0 is refused after" in caplog.text
