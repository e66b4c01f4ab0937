"""A process whose time of day is wrong, or is set while it runs, is on the broker's time all the same."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bus import Bus, DeliveryReceipt, Event, Retry, RetryPolicy
from bus.kafka import producer, transport
from bus.kafka.requests import alter_topic_config
from bus.parking.rows import STATE
from bus.reconcile import cli
from bus.times.clock import BrokerClock
from observability.clock import BrokerNow
from observability.database.store import Store
from observability.monitor import MonitorService
from tests.small_catalog import case
from tests.worlds import KafkaWorld, receipts, until

OFF_SECONDS = 300
WAIT_SECONDS = 1.0


class TimeOfDay:
    """The local time of day of every bus that is made meanwhile, off by `seconds`."""

    seconds = 0

    def __call__(self) -> int:
        return time.time_ns() + self.seconds * 1_000_000_000


@pytest.fixture
def time_of_day(monkeypatch: pytest.MonkeyPatch) -> TimeOfDay:
    """Return a time of day that can be set."""
    day = TimeOfDay()
    monkeypatch.setattr(transport, "BrokerClock", partial(BrokerClock, time_of_day=day))
    return day


async def attempts(world: KafkaWorld, time_of_day: TimeOfDay, step_seconds: int = 0) -> list[DeliveryReceipt]:
    """Let an event fail once and wait a second, set the time of day meanwhile, and return its receipts."""
    seen: list[int] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", retry=RetryPolicy((WAIT_SECONDS,), jitter=0)
    )
    async def handle(event: Event[Any]) -> Retry | None:
        seen.append(event.attempt)
        time_of_day.seconds += step_seconds if event.attempt == 1 else 0
        return Retry() if event.attempt == 1 else None

    async with world.bus(world.country.north) as north, bus:
        await north.publish(world.country.opened, case(1), key="k", version="1.0")
        await until(lambda: len(seen) == 2)
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    return sorted(rows, key=lambda row: row.attempt)


async def parked(world: KafkaWorld) -> dict[str, int]:
    """Return when the event was tried first and is due again, in the microseconds of the broker."""
    (row, *_) = await world.records(f"{world.country.south}.parked")
    state: dict[str, int] = orjson.loads(dict(row.headers)[STATE] or b"")
    assert abs(state["due"] - row.timestamp * 1000) < OFF_SECONDS * 1e6 / 3
    return state


@pytest.mark.parametrize("off", [OFF_SECONDS, -OFF_SECONDS])
async def test_the_first_wait_is_as_long_as_it_should_be(
    kafka_world: KafkaWorld, time_of_day: TimeOfDay, off: int
) -> None:
    """The broker's time is known before the first event, though nothing was published here."""
    time_of_day.seconds = off
    first, second = await attempts(kafka_world, time_of_day)
    assert round(first.skew_us / 1e6) == -off
    assert first.broker_time_us - 50_000 <= first.received_us
    state = await parked(kafka_world)
    assert state["due"] - state["first"] >= WAIT_SECONDS * 1e6
    assert second.received_us >= state["due"]


@pytest.mark.parametrize("step", [OFF_SECONDS, -OFF_SECONDS])
async def test_what_is_parked_is_due_when_it_was_though_the_clock_is_set(
    kafka_world: KafkaWorld, time_of_day: TimeOfDay, step: int
) -> None:
    """Neither before its time, nor by the length of the step later."""
    _, second = await attempts(kafka_world, time_of_day, step)
    assert 0 <= second.received_us - (await parked(kafka_world))["due"] < OFF_SECONDS * 1e6 / 3


@pytest.mark.parametrize("off", [OFF_SECONDS, -OFF_SECONDS])
async def test_a_monitor_is_on_the_brokers_time_before_it_has_read_anything(
    kafka_world: KafkaWorld, time_of_day: TimeOfDay, tmp_path: Path, off: int
) -> None:
    """Else each case would be overdue, or none, on a day without traffic."""
    time_of_day.seconds = off
    now = BrokerNow(time_of_day=time_of_day)
    assert abs(now() - datetime.now(UTC)) > timedelta(seconds=OFF_SECONDS / 2)
    make = partial(Store, f"sqlite:///{tmp_path / 'monitor.db'}")
    async with MonitorService(kafka_world.settings(), make, lambda _: None, now):
        assert abs(now() - datetime.now(UTC)) < timedelta(seconds=OFF_SECONDS / 3)


class OffByADay(datetime):
    """The time of day of a machine that is a day behind."""

    @classmethod
    def now(cls, tz: Any = None) -> "OffByADay":
        return cls.fromtimestamp(time.time() - 86_400, tz)


@pytest.mark.parametrize("agency", [False, True])
async def test_what_is_reconciled_is_settled_by_the_brokers_clock(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, agency: bool
) -> None:
    """On a machine whose clock is behind, what happened since then would count as on its way for ever."""
    world = kafka_world
    monkeypatch.setattr(cli, "datetime", OffByADay)
    monkeypatch.setenv("GOVBUS_CATALOG", str(tmp_path / "catalog"))
    monkeypatch.setenv("GOVBUS_BOOTSTRAP_SERVERS", world.bootstrap_servers)
    await world.append(world.country.topic, b"{}", key=b"k")
    only = ("--agency", world.country.north) if agency else ()
    line = [world.country.topic, "--day", f"{datetime.now(UTC):%Y-%m-%d}", "--settled", "0", *only]
    assert await asyncio.to_thread(cli.reconcile.main, line, standalone_mode=False) == cli.DIFFERS


@pytest.mark.parametrize("off", [1_800, -1_800])
async def test_a_topic_with_the_times_of_its_publishers_accuses_nobody(
    kafka_world: KafkaWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, off: int
) -> None:
    """Its record says when its publisher's machine took it for; the monitor shows that it cannot check it."""
    world, seen = kafka_world, list[str]()
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap_servers)
    await admin.start()
    change = alter_topic_config(world.country.topic, {"message.timestamp.type": "CreateTime"})
    await admin._send_request(change)
    await admin.close()
    monkeypatch.setattr(producer, "time_ns", lambda: time.time_ns() + off * 1_000_000_000)
    south = world.bus(world.country.south)

    @south.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def handle(event: Event[Any]) -> None:
        seen.append(event.id)

    async with world.bus(world.country.north) as north, south:
        await until(lambda: _publishes_at(world, north, off))
        await until(lambda: _all_seen(world, seen))
    url = f"sqlite:///{tmp_path / 'monitor.db'}"
    with Store(url) as store:
        async with MonitorService(world.settings(), partial(Store, url), lambda _: None, BrokerNow()):
            await until(lambda: _not_checked(store, world) == [("undated", len(seen))])
        assert world.country.north not in {view.agency for view in store.refusals()}


async def _publishes_at(world: KafkaWorld, north: Bus, off: int) -> bool:
    """Publish; return whether the topic has taken the publisher's time."""
    await north.publish(world.country.opened, case(1), version="1.0")
    times = [record.timestamp / 1000 for record in await world.records(world.country.topic)]
    return any(abs(at - time.time()) > abs(off) / 2 for at in times)


async def _all_seen(world: KafkaWorld, seen: list[str]) -> bool:
    return len(seen) == len(await world.records(world.country.topic))


def _not_checked(store: Store, world: KafkaWorld) -> list[tuple[str, int]]:
    """Return what is not checked of this country: a monitor reads what other tests have left, too."""
    return [(view.fault, view.receipts) for view in store.not_checked() if view.agency == world.country.north]
