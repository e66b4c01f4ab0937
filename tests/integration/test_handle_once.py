"""Handled once, on a real PostgreSQL and on SQLite: whatever dies, and whoever else is at it."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from bus import Draft, Event, HandledEvents, IdReusedError
from bus.database import handled_events as handled
from tests.crash.test_kills import evict
from tests.postgresql import new_database
from tests.small_catalog import case
from tests.unit.bus.events import delivered
from tests.unit.bus.handle_once_promises import DATA, HandleOncePromises
from tests.worlds import KafkaWorld, receipts, until

CHILD = """
import sys
from sqlalchemy import create_engine, text
from bus import HandledEvents
from tests.unit.bus.events import delivered

url, who = sys.argv[1:]
engine = create_engine(url)
handled = HandledEvents("race")
def wait(word):
    print(word, flush=True)
    assert sys.stdin.readline()
wait("ready")
with engine.begin() as connection:
    new = handled.once(connection, delivered("e1", {"reference": "BRT-2026-7K3Q9X"}))
    if new:
        connection.execute(text("INSERT INTO effect VALUES (:who)"), {"who": who})
    wait("new" if new else "repeated")
print("committed", flush=True)
"""
SUBSCRIBER = """
import asyncio, os, random, signal, sys, threading
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from bus import Bus, Event, HandledEvents

agency, subject, url, point, kill_after = sys.argv[1:]
left = int(kill_after)
engine = create_engine(url)
handled = HandledEvents("close-cases")
bus = Bus(agency)

def maybe_die(here):
    global left
    if here == point:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

@bus.subscribe(subject, version=1, purpose="close-cases", name="once")
def close_case(event: Event) -> None:
    with Session(engine) as session, session.begin():
        if handled.once(session, event):
            session.execute(text("INSERT INTO effect VALUES (:number)"), {"number": event.data["number"]})
            maybe_die("before commit")
    maybe_die("after commit")

asyncio.run(bus.run())
"""
EVENTS = 300
KILLS, MORE_KILLS = (1, 20), (1, 7, 20, 45, 70)
"""After how many calls of the handler it is killed."""


class Process:
    """A child that handles one event, and waits where it is told to."""

    def __init__(self, url: str, who: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-c", CHILD, url, who],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def said(self) -> str:
        """The next word it says."""
        assert self.child.stdout is not None
        return self.child.stdout.readline().strip()

    def go_on(self) -> None:
        """Let it go on."""
        assert self.child.stdin is not None
        self.child.stdin.write("\n")
        self.child.stdin.flush()

    def kill(self) -> None:
        """SIGKILL."""
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(10)


@contextmanager
def two_processes(url: str) -> Iterator[tuple[Process, Process]]:
    """A zombie and its successor, both ready to handle the same event."""
    both = Process(url, "zombie"), Process(url, "successor")
    try:
        assert [process.said() for process in both] == ["ready", "ready"]
        yield both
    finally:
        for process in both:
            process.kill()
            assert process.child.stdin is not None
            assert process.child.stdout is not None
            process.child.stdin.close()
            process.child.stdout.close()


@pytest.fixture(params=["postgresql", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sink.db'}"
    return new_database(request.getfixturevalue("postgresql"))


@pytest.fixture
def effects(url: str) -> Iterator[Any]:
    """A ledger beside a table of effects; calling it returns the effects that are committed."""
    engine = create_engine(url)
    HandledEvents("race").table.create(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE effect (number VARCHAR(20))"))

    def read() -> list[str]:
        with engine.connect() as connection:
            return sorted(connection.scalars(text("SELECT number FROM effect")))

    yield read
    engine.dispose()


class TestPostgresql(HandleOncePromises):
    """Every promise, on PostgreSQL."""

    @pytest.fixture
    def url(self, postgresql: str) -> str:
        """A database of its own."""
        return new_database(postgresql)


class TestPostgresqlBySavepoint(TestPostgresql):
    """Every promise, by savepoint and primary key."""

    @pytest.fixture(autouse=True)
    def _nothing_special(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(handled, "_PASSING_OVER", {})


def test_a_second_process_waits_and_sees_what_the_first_committed(url: str, effects: Any) -> None:
    """Zombie and successor meet on the event: one effect, the first one's."""
    with two_processes(url) as (zombie, successor):
        zombie.go_on()
        assert zombie.said() == "new"
        successor.go_on()  # it waits now for the zombie's transaction
        zombie.go_on()
        assert zombie.said() == "committed"
        assert successor.said() == "repeated"
        successor.go_on()
        assert successor.said() == "committed"
    assert effects() == ["zombie"]


def test_a_second_process_takes_over_from_one_killed_before_its_commit(url: str, effects: Any) -> None:
    """SIGKILL between effect and commit: the effect is the successor's, and there is one."""
    with two_processes(url) as (zombie, successor):
        zombie.go_on()
        assert zombie.said() == "new"
        successor.go_on()
        zombie.kill()
        assert successor.said() == "new"
        successor.go_on()
        assert successor.said() == "committed"
    assert effects() == ["successor"]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kills", [KILLS, pytest.param(MORE_KILLS, marks=pytest.mark.crash)], ids=len)
@pytest.mark.parametrize("point", ["before commit", "after commit"])
async def test_a_subscriber_killed_again_and_again_applies_each_event_once(
    *, kafka_world: KafkaWorld, tmp_path: Path, url: str, effects: Any, point: str, kills: tuple[int, ...]
) -> None:
    """SIGKILL between effect and commit, and between commit and acknowledgement."""
    async with kafka_world.bus(kafka_world.country.north) as bus:
        drafts = [Draft(case(number), key=f"key-{number % 7}") for number in range(EVENTS)]
        await bus.publish_many(kafka_world.country.opened, drafts, version="1.0")
    for kill_after in (*kills, 0):
        child = _subscriber(kafka_world, tmp_path / "catalog", url, point, kill_after)
        try:
            if kill_after:
                assert await asyncio.to_thread(child.wait, 60) == -signal.SIGKILL
                await evict(kafka_world, f"{kafka_world.country.south}.once")
            else:
                await until(lambda: len(effects()) >= EVENTS)
        finally:
            child.kill()
            child.wait(10)
    assert effects() == sorted(str(number) for number in range(EVENTS))


def _subscriber(
    world: KafkaWorld, catalog: Path, url: str, point: str, kill_after: int
) -> subprocess.Popen[bytes]:
    arguments = [world.country.south, world.country.opened, url, point, str(kill_after)]
    environment = {
        **os.environ,
        "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(catalog),
    }
    return subprocess.Popen([sys.executable, "-c", SUBSCRIBER, *arguments], env=environment)


async def test_an_id_that_comes_again_with_other_data_is_a_dead_letter(
    kafka_world: KafkaWorld, url: str, effects: Any
) -> None:
    """It is not retried, and the receipt says why."""
    engine = create_engine(url)
    ledger = HandledEvents("close-cases")
    bus = kafka_world.bus(kafka_world.country.south)

    @bus.subscribe(kafka_world.country.opened, version=1, purpose="close-cases")
    def close_case(event: Event[Any]) -> None:
        with engine.begin() as connection:
            ledger.once(connection, event)

    async with kafka_world.bus(kafka_world.country.north) as north:
        await north.publish(kafka_world.country.opened, case(1), id="reused", key="a", version="1.0")
    async with bus:
        await until(lambda: _has(kafka_world, "ack"))
    # Other processes on both sides, since each remembers the ids it has seen.
    async with kafka_world.bus(kafka_world.country.north) as north:
        await north.publish(kafka_world.country.opened, case(2), id="reused", key="a", version="1.0")
    again = kafka_world.bus(kafka_world.country.south)
    again.subscribe(kafka_world.country.opened, version=1, purpose="close-cases")(close_case)
    async with again:
        row = await until(lambda: _has(kafka_world, "dead-letter"))
    engine.dispose()
    assert (row.reason, row.attempt) == ("id-reused", 1)


async def _has(world: KafkaWorld, outcome: str) -> Any:
    return next((row for row in await receipts(world) if row.outcome == outcome), None)


async def test_a_coroutine_asks_through_its_async_session(postgresql: str) -> None:
    """`run_sync` of an AsyncSession and of an AsyncConnection share their transactions."""
    url = new_database(postgresql)
    engine = create_async_engine(url)
    ledger = HandledEvents("open-records")
    event = delivered("e1", DATA)
    async with engine.begin() as connection:
        await connection.run_sync(ledger.table.create)
    async with AsyncSession(engine) as session:
        assert await session.run_sync(ledger.once, event)
        await session.rollback()
        assert await session.run_sync(ledger.once, event)
        await session.commit()
    async with engine.begin() as connection:
        assert not await connection.run_sync(ledger.once, event)
        with pytest.raises(IdReusedError):
            await connection.run_sync(ledger.once, delivered("e1", {}))
    await engine.dispose()


def test_at_a_higher_isolation_level_the_second_fails_and_may_be_tried_again(postgresql: str) -> None:
    """Repeatable read cannot see the row it meets; the error is the database's, and is retriable."""
    engine = create_engine(new_database(postgresql), isolation_level="REPEATABLE READ")
    ledger = HandledEvents("open-records")
    ledger.table.create(engine)
    event = delivered("e1", DATA)
    with engine.connect() as late:
        late.execute(text("SELECT 1 FROM govbus_handled"))  # its snapshot begins here
        with engine.begin() as first:
            assert ledger.once(first, event)
        with pytest.raises(OperationalError) as caught:
            ledger.once(late, event)
        assert getattr(caught.value, "retriable", True)
        late.rollback()
        assert not ledger.once(late, event)
    engine.dispose()
