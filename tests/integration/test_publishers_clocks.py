"""Publishers whose clock is wrong or set, and times of any year: no duration changes, up to the monitor."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus import DeliveryReceipt, Event, PublishReceipt
from bus.envelope import moment_us
from bus.publish import publisher
from observability import Store
from observability.latency import hops
from tests.deliveries import collect, envelope_of
from tests.integration.test_bus_hostile import Headers, append_all
from tests.integration.test_clocks import OFF_SECONDS, TimeOfDay, time_of_day
from tests.integration.test_monitor import monitor
from tests.small_catalog import case
from tests.worlds import KafkaWorld, ReceiptRow, receipts, until

__all__ = ["time_of_day"]
SLACK_US = OFF_SECONDS * 1_000_000 // 3
"""Less than any step of a clock here, and more than a busy machine needs for anything."""


def published(rows: Sequence[ReceiptRow]) -> list[PublishReceipt]:
    """Return the receipts of publishes, in the order of their recorded time."""
    found = [row for row in rows if isinstance(row, PublishReceipt)]
    return sorted(found, key=lambda row: row.recorded_us)


@pytest.mark.parametrize("off", [OFF_SECONDS, -OFF_SECONDS])
async def test_a_publisher_whose_clock_is_wrong_and_set_alters_no_duration(
    kafka_world: KafkaWorld, time_of_day: TimeOfDay, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    """Its events have its own time, its receipts the skew beside it; on the broker's clock nothing waits."""
    world = kafka_world
    monkeypatch.setattr(publisher, "time_ns", time_of_day)
    time_of_day.seconds = off
    async with world.bus(world.country.north) as north:
        await north.publish(world.country.opened, case(1), version="1.0")
        time_of_day.seconds = -off
        await until(lambda: round(north.transport.clock.skew_us / 1e6) == off)
        await north.publish(world.country.opened, case(2), version="1.0")
    events = await collect(world, 2)
    rows = await receipts(world)
    skews = {row.event_id: round(row.skew_us / 1e6) for row in rows if isinstance(row, PublishReceipt)}
    assert [skews[event.id] for event in sorted(events, key=lambda event: event.data["number"])] == [
        -off,
        off,
    ]
    for row in published(rows):
        assert abs(row.recorded_us - row.broker_time_us) > SLACK_US
        assert abs(row.recorded_us + row.skew_us - row.broker_time_us) < SLACK_US
    waits = [hop.queue_us for hop in hops(row for row in rows if isinstance(row, DeliveryReceipt))]
    assert len(waits) == 2
    assert all(-50_000 < wait < SLACK_US for wait in waits)


MOMENTS = [
    ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
    ("0987-05-01T00:00:00Z", datetime(987, 5, 1, tzinfo=UTC)),
    ("1969-12-31T23:59:59.5Z", datetime(1969, 12, 31, 23, 59, 59, 500_000, UTC)),
    ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
    ("1990-12-31T15:59:60-08:00", datetime(1991, 1, 1, tzinfo=UTC)),
    ("9999-12-31T23:59:59.999999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)),
]
"""Times as another publisher writes them, and what they are."""


async def test_a_time_of_any_year_travels_and_alters_no_duration(
    kafka_world: KafkaWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the year 1000, a leap second, the last of the calendar: to the handler, receipts and monitor."""
    world, seen = kafka_world, list[Event[Any]]()
    south = world.bus(world.country.south)

    @south.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def close(event: Event[Any]) -> None:
        seen.append(event)
        await event.publish(world.country.closed, case(), version="1.0", time=event.time)

    value, foreign = orjson.dumps(case()), list[tuple[bytes | None, Headers]]()
    async with world.bus(world.country.north) as north:
        for number, (text, moment) in enumerate(MOMENTS):
            odd = {name: text.encode() for name in ("ce_time", "ce_recordedtime", "ce_startedat")}
            headers = envelope_of(world, **odd, ce_id=b"foreign-%d" % number, ce_service=b"one-case")
            foreign.append((value, headers))
            await north.publish(
                world.country.opened, case(), version="1.0", time=moment, service="one-case",
                transaction=f"{world.country.north}-{number}",
            )  # fmt: skip
    await append_all(world, foreign)
    async with south:
        await until(lambda: len(seen) == 2 * len(MOMENTS))
    moments = [moment for _, moment in MOMENTS]
    assert sorted(event.time for event in seen if event.time) == sorted([*moments, *moments])
    rows = published(await receipts(world))
    wanted = sorted(moment_us(moment) for moment in moments)
    for agency, times in ((world.country.north, 1), (world.country.south, 2)):
        assert sorted({row.event_time_us for row in rows if row.agency == agency}) == wanted
        assert len([row for row in rows if row.agency == agency]) == times * len(MOMENTS)

    monkeypatch.setenv("GOVBUS_CATALOG", str(tmp_path / "catalog"))
    url = f"sqlite:///{tmp_path / 'monitor.db'}"
    with (
        monitor(world.settings(), url),
        Store(url, world.country.catalog.services) as store,
    ):
        for number in range(len(MOMENTS)):
            name = f"{world.country.north}-{number}"
            view = await until(partial(_ended, store, name))
            assert view.state == "completed"
            assert 0 <= view.duration_ms < SLACK_US / 1000


def _ended(store: Store, name: str) -> Any:
    view = store.transaction(name)
    return view if view is not None and view.ended is not None else None
