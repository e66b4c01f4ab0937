"""A sink spares its target: one event at a time, so many a second, and none while it asks for a pause."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from bus.testing import InMemoryCluster
from connectors import load
from connectors.target import BUSY_SECONDS, LONGEST_PAUSE_SECONDS, WAIT_SECONDS, Target
from tests.unit.connectors.country import configured, http_sink, publish_businesses, runner_of, until


class Clock:
    """A clock that goes on by sleeping alone, and what slept."""

    def __init__(self) -> None:
        self.now = 100.0
        self.while_asleep: Callable[[], object] | None = None

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Go on by so long."""
        self.now += seconds
        if self.while_asleep is not None:
            self.while_asleep()
            self.while_asleep = None


def target(clock: Clock, *, max_in_flight: int = 1, rate: float | None = None) -> Target:
    """Return a target on a clock of its own."""
    return Target(max_in_flight, rate, clock, clock.sleep)


async def begins_at(target: Target, clock: Clock) -> float:
    """Return when a further event begins."""
    async with target.turn() as seconds:
        assert seconds is None
        return clock()


async def test_events_begin_at_the_rate() -> None:
    """The first at once, each later one when its time has come; time that passed by itself counts."""
    clock = Clock()
    slow = target(clock, rate=4)
    assert [await begins_at(slow, clock) for _ in range(3)] == [100.0, 100.25, 100.5]
    clock.now = 200.0
    assert [await begins_at(slow, clock) for _ in range(2)] == [200.0, 200.25]


async def test_without_a_rate_nothing_waits() -> None:
    """An event begins as soon as the one before it has ended."""
    clock = Clock()
    free = target(clock)
    assert {await begins_at(free, clock) for _ in range(5)} == {100.0}


async def test_nothing_begins_in_a_pause() -> None:
    """Whatever its key; a pause that is asked for while an event waits counts for it too."""
    clock = Clock()
    busy = target(clock)
    busy.pause(2.0)
    busy.pause(1.0)
    clock.while_asleep = lambda: busy.pause(5.0)
    assert await begins_at(busy, clock) == 107.0


@pytest.mark.parametrize(
    ("asked", "kept"),
    [(31.0, 31.0), (1e9, LONGEST_PAUSE_SECONDS), (inf, LONGEST_PAUSE_SECONDS)],
)
async def test_an_event_that_would_wait_for_long_is_given_back(asked: float, kept: float) -> None:
    """Its partition rests meanwhile, and no handler holds up a stop or a rebalance."""
    clock = Clock()
    busy = target(clock)
    busy.pause(asked)
    async with busy.turn() as seconds:
        assert (seconds, clock()) == (kept, 100.0)
    clock.now += kept
    assert await begins_at(busy, clock) == 100.0 + kept


@pytest.mark.parametrize("asked", [0.0, -5.0, nan])
async def test_a_pause_of_no_length_is_none(asked: float) -> None:
    """A target that names no time has asked for nothing."""
    clock = Clock()
    free = target(clock)
    free.pause(asked)
    assert await begins_at(free, clock) == 100.0


async def test_an_event_that_finds_no_turn_in_time_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others may take as long as they need; whoever waits for them asks again."""
    monkeypatch.setattr("connectors.target.WAIT_SECONDS", 0.01)
    clock = Clock()
    busy = target(clock)
    async with busy.turn() as first, busy.turn() as second:
        assert (first, second) == (None, BUSY_SECONDS)
    assert await begins_at(busy, clock) == 100.0


async def test_a_turn_ends_with_its_event_whatever_becomes_of_it() -> None:
    """An error, or an interruption while it waits, leaves the turn to the next one."""
    clock = Clock()
    busy = target(clock)
    with pytest.raises(ValueError, match="a bug"):
        async with busy.turn():
            raise ValueError("a bug")
    async with busy.turn():
        waiting = asyncio.create_task(begins_at(busy, clock))
        await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await begins_at(busy, clock) == 100.0


class Office:
    """A legacy endpoint that notes when it is asked, and how many ask at once."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []
        self.at_once = self.most_at_once = 0
        self.refusals: list[Callable[[], str]] = []
        """What it asks for as it refuses an event, in the words of `Retry-After`."""
        self.enough = 1

    async def take(self, request: web.Request) -> web.Response:
        """Answer one request, once enough have come at the same time."""
        self.asked_at.append(asyncio.get_running_loop().time())
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.refusals:
                return web.Response(status=503, headers={"Retry-After": self.refusals.pop()()})
            await until(lambda: self.most_at_once >= self.enough)
            await asyncio.sleep(0.01)
            return web.Response(status=201)
        finally:
            self.at_once -= 1

    def open(self) -> TestServer:
        """Return the counter, open for the length of an `async with`."""
        application = web.Application()
        application.router.add_post("/", self.take)
        return TestServer(application)


async def taken(office: Office, folder: Path, cluster: InMemoryCluster, **subscribe: Any) -> None:
    """Let a sink write events of twelve keys to an office."""
    async with office.open() as server:
        content = http_sink(str(server.make_url("/")))
        content["subscribe"] |= subscribe
        async with runner_of(configured(folder, content), cluster) as runner:
            await publish_businesses(cluster, *range(12))
            await until(lambda: runner.health()[0].counts["written"] == 12)


async def test_one_event_is_under_way_at_a_time(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """A legacy system gets no more than that unless its file says so, whatever the number of partitions."""
    office = Office()
    await taken(office, tmp_path, cluster)
    assert (len(office.asked_at), office.most_at_once) == (12, 1)


async def test_as_many_are_under_way_as_the_file_says(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """And no more."""
    office = Office()
    office.enough = 3
    await taken(office, tmp_path, cluster, max_in_flight=3)
    assert (len(office.asked_at), office.most_at_once) == (12, 3)


def in_seconds() -> str:
    """Return a pause of a second."""
    return "1"


def as_date() -> str:
    """Return a pause of one to two seconds, as a date, which has whole seconds."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize("form", [in_seconds, as_date])
async def test_retry_after_pauses_the_target(
    tmp_path: Path, cluster: InMemoryCluster, form: Callable[[], str]
) -> None:
    """Events of other keys and partitions wait too, and none is lost or set aside."""
    office = Office()
    office.refusals = [form]
    await taken(office, tmp_path, cluster, max_in_flight=1)
    first, second, *_ = office.asked_at
    assert second - first >= 0.9
    assert len(office.asked_at) == 13
    assert cluster.records("municipality.dead-letters") == []


async def test_a_long_pause_is_kept_without_asking(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """No event is written before its end; those that come meanwhile rest in their partitions."""
    office = Office()
    office.refusals = [lambda: str(int(WAIT_SECONDS) * 4)]
    async with office.open() as server:
        configs = configured(tmp_path, http_sink(str(server.make_url("/"))))
        async with runner_of(configs, cluster):
            await publish_businesses(cluster, *range(12))
            await until(lambda: len(retries(cluster)) >= 3)
    assert len(office.asked_at) == 1
    assert set(retries(cluster)) == {"target-unavailable"}


def retries(cluster: InMemoryCluster) -> list[str | None]:
    """Return why events wait, by their receipts."""
    return [receipt.reason for receipt in cluster.receipts() if receipt.outcome == "retry"]


@pytest.mark.parametrize(
    "subscribe",
    [{"max_in_flight": 0}, {"max_in_flight": 1.5}, {"rate": 0}, {"rate": -1}, {"rate": inf}, {"rate": nan}],
)
def test_limits_that_let_nothing_through_are_refused(tmp_path: Path, subscribe: dict[str, Any]) -> None:
    """`govbus connect check` names the field."""
    content = http_sink("http://127.0.0.1/")
    content["subscribe"] |= subscribe
    file = tmp_path / "sink.yaml"
    file.write_text(yaml.safe_dump(content))
    configs, (finding,) = load([file])
    assert (configs, f"`subscribe.{next(iter(subscribe))}` does not fit" in str(finding)) == ([], True)
