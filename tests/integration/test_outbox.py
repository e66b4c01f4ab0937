"""An outbox with several writers, killed, and its relay, killed: what was committed arrives once, in order.

The database itself tells in which order transactions committed: PostgreSQL by the time stamps of the commits,
SQLite by its single writer's numbers. No writer locks a row, so nothing but the outbox keeps the order.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from bus import Bus, Event, HandledEvents, Outbox, Record
from bus.crash.trial import differences_of
from tests.postgresql import new_database, private_server
from tests.small_catalog import SmallCountry
from tests.worlds import KafkaWorld, until

WRITERS, TRANSACTIONS, KEYS, BACKLOG, BATCH = 4, 300, 6, 100, 20
MOMENT, CHECKPOINT, DELETE = "any moment", "before the checkpoint", "before the rows are deleted"
KILLS = (CHECKPOINT, MOMENT, DELETE)
MORE_KILLS = (*KILLS, MOMENT, MOMENT, MOMENT, MOMENT)
RELAY = """
import os, signal, sys
from bus.cli import main
from connectors.checkpoint import Checkpoints
from connectors.outbox import OutboxSource

file, point, after = sys.argv[1:]
owner, name = {
    "before the checkpoint": (Checkpoints, "save"), "before the rows are deleted": (OutboxSource, "_delete")
}.get(point, (Checkpoints, "load"))
called, left = getattr(owner, name), int(after)

def count(*arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return called(*arguments)

setattr(owner, name, count)
sys.argv = ["govbus", "connect", "run", file]
main()
"""
WRITER = """
import random, sys, time
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from bus import Outbox

agency, subject, url, *numbers = sys.argv[1:]
seed, transactions, most_keys = map(int, numbers)
dice = random.Random(seed)
outbox = Outbox(agency)
engine = create_engine(url)
for number in range(transactions):
    keys = sorted(dice.sample(range(most_keys), dice.choice((1, 1, 2, 3))))
    if dice.random() < 0.05:
        keys.reverse()  # two writers may now wait for each other; the database fails one of them
    try:
        with engine.connect() as connection:
            for key in keys:
                data = {"reference": f"case-{key:04d}", "number": number}
                event_id = outbox.add(connection, subject, data, version="1.0")
                if dice.random() < 0.5:
                    time.sleep(dice.random() / 100)
                connection.execute(
                    text("INSERT INTO journal (event_id, place) VALUES (:event_id, :place)"),
                    {"event_id": event_id, "place": data["reference"]},
                )
            if dice.random() < 0.9:
                connection.commit()
    except OperationalError:
        continue
"""


@dataclass(frozen=True)
class Register:
    """A database with an outbox, a journal of what was committed, and a sink's own table."""

    url: str
    engine: Engine

    def committed(self) -> list[tuple[str, str]]:
        """Key and id of every committed event, in the order of commits."""
        order = "pg_xact_commit_timestamp(xmin), n" if self.engine.dialect.name == "postgresql" else "n"
        return self._pairs(f"SELECT place, event_id FROM journal ORDER BY {order}")

    def seen(self) -> list[tuple[str, str]]:
        """Key and id of every event the sink has applied, in its order."""
        return self._pairs("SELECT place, event_id FROM seen ORDER BY n")

    def count(self, table: str) -> int:
        """How many rows a table has: of `govbus_outbox`, how many events are not relayed yet."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    def _pairs(self, query: str) -> list[tuple[str, str]]:
        with self.engine.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(text(query))]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A PostgreSQL that notes when each transaction committed."""
    with private_server("track_commit_timestamp=on", "deadlock_timeout=20ms") as url:
        yield url


@pytest.fixture(params=["postgresql", "sqlite"])
def register(request: pytest.FixtureRequest, tmp_path: Path, country: SmallCountry) -> Iterator[Register]:
    """A register on each engine."""
    if request.param == "sqlite":
        url, number = f"sqlite:///{tmp_path / 'register.db'}", "INTEGER PRIMARY KEY"
    else:
        url, number = new_database(request.getfixturevalue("server")), "SERIAL PRIMARY KEY"
    engine = create_engine(url)
    Outbox(country.north, catalog=country.catalog).table.create(engine)
    HandledEvents("count").table.create(engine)
    with engine.begin() as connection:
        for table in ("journal", "seen"):
            connection.execute(text(f"CREATE TABLE {table} (n {number}, event_id TEXT, place TEXT)"))
    yield Register(url, engine)
    engine.dispose()


@contextmanager
def process(world: KafkaWorld, folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child, which is gone at the end of the block."""
    environment = {
        **os.environ,
        "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(folder / "catalog"),
    }
    child = subprocess.Popen([sys.executable, *command], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.kill()
        child.wait(10)


def relay(world: KafkaWorld, folder: Path, register: Register, point: str = MOMENT, after: int = 0) -> Any:
    """`govbus connect run` over the register's outbox; it kills itself at that many calls of a point."""
    file = folder / "relay.yaml"
    document = {
        "connector": "outbox", "name": "relay", "agency": world.country.north, "system": "register",
        "source": {"url": register.url, "batch_size": BATCH, "poll_seconds": 0.01},
    }  # fmt: skip
    file.write_text(yaml.safe_dump(document))
    return process(world, folder, "-c", RELAY, str(file), point, str(after))


def writer(world: KafkaWorld, folder: Path, register: Register, seed: int) -> Any:
    """A program that writes to the outbox."""
    said = (world.country.north, world.country.opened, register.url, seed, TRANSACTIONS, KEYS)
    return process(world, folder, "-c", WRITER, *map(str, said))


def sink(world: KafkaWorld, register: Register) -> Bus:
    """A subscriber that writes down what it applies; a new one knows nothing but the ledger."""
    bus = world.bus(world.country.south)
    ledger = HandledEvents("count")

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases")
    def apply(event: Event[Any]) -> None:
        with register.engine.begin() as connection:
            if ledger.once(connection, event):
                values = {"event_id": event.id, "place": event.data["reference"]}
                connection.execute(
                    text("INSERT INTO seen (event_id, place) VALUES (:event_id, :place)"), values
                )

    return bus


async def write_and_kill(world: KafkaWorld, folder: Path, register: Register, kills: tuple[str, ...]) -> None:
    """Let writers write; kill the relay meanwhile, and each writer once."""
    dice = random.Random(11)
    with ExitStack() as writers:
        running = [writers.enter_context(writer(world, folder, register, seed)) for seed in range(WRITERS)]
        for number, point in enumerate(kills):
            await until(partial(_has_backlog, register, running))
            async with sink(world, register):
                before = register.count("seen")
                with relay(world, folder, register, point, 0 if point == MOMENT else 3) as child:
                    if point == MOMENT:
                        await until(partial(_has_more, register, before))
                        await asyncio.sleep(dice.random() / 8)
                        child.send_signal(signal.SIGKILL)
                    assert await asyncio.to_thread(child.wait, 60) == -signal.SIGKILL
            if number < WRITERS:
                running[number].send_signal(signal.SIGKILL)
                running.append(writers.enter_context(writer(world, folder, register, 100 + number)))
        for child in running:
            assert await asyncio.to_thread(child.wait, 120) in (0, -signal.SIGKILL)


def _has_backlog(register: Register, writers: list[subprocess.Popen[bytes]]) -> bool:
    return register.count("govbus_outbox") > BACKLOG or all(child.poll() is not None for child in writers)


def _has_more(register: Register, before: int) -> bool:
    return register.count("seen") > before


@pytest.mark.sampled(1)
@pytest.mark.parametrize("kills", [KILLS, pytest.param(MORE_KILLS, marks=pytest.mark.crash)], ids=len)
async def test_killed_again_and_again_it_relays_each_committed_event_in_order(
    kafka_world: KafkaWorld, tmp_path: Path, register: Register, kills: tuple[str, ...]
) -> None:
    """0 lost, 0 of a rolled back transaction, 0 applied twice, and each key in the order of its commits."""
    await write_and_kill(kafka_world, tmp_path, register, kills)
    with relay(kafka_world, tmp_path, register):
        await until(lambda: register.count("govbus_outbox") == 0)
    committed = register.committed()
    async with sink(kafka_world, register):
        await until(lambda: register.count("seen") >= len(committed))
    seen = register.seen()
    assert len(seen) == len(set(seen))
    assert by_key(seen) == by_key(committed)
    records = await kafka_world.records(kafka_world.country.topic)
    published = [(_key(record), _id(record)) for record in records]
    assert by_key(list(dict.fromkeys(published))) == by_key(committed)
    assert await differences_of(kafka_world.settings(), kafka_world.country.catalog) == ()
    assert len(committed) < len(published) <= len(committed) + len(kills) * BATCH


@pytest.mark.sampled(1)
async def test_two_relays_at_once_keep_the_order(
    kafka_world: KafkaWorld, tmp_path: Path, register: Register
) -> None:
    """A relay stopped in the middle, its successor, and the zombie that wakes up: none overtakes."""
    with ExitStack() as children:
        running = [children.enter_context(writer(kafka_world, tmp_path, register, seed)) for seed in (1, 2)]
        await until(partial(_has_backlog, register, running))
        zombie = children.enter_context(relay(kafka_world, tmp_path, register))
        await until(partial(_has_records, kafka_world))
        before = register.count("journal")
        zombie.send_signal(signal.SIGSTOP)
        children.enter_context(relay(kafka_world, tmp_path, register))
        with suppress(TimeoutError, OperationalError):  # stopped within SQLite's lock it stops everyone
            async with asyncio.timeout(3):
                await until(lambda: register.count("journal") > before + BACKLOG)
        zombie.send_signal(signal.SIGCONT)
        for child in running:
            assert await asyncio.to_thread(child.wait, 60) == 0
        await until(lambda: register.count("govbus_outbox") == 0)
    records = await kafka_world.records(kafka_world.country.topic)
    published = dict.fromkeys((_key(record), _id(record)) for record in records)
    assert by_key(list(published)) == by_key(register.committed())


async def _has_records(world: KafkaWorld) -> bool:
    return bool(await world.records(world.country.topic))


def by_key(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """The ids of each key, in order."""
    found: dict[str, list[str]] = {}
    for key, event_id in pairs:
        found.setdefault(key, []).append(event_id)
    return found


def _key(record: Record) -> str:
    return (record.key or b"").decode()


def _id(record: Record) -> str:
    return next((value or b"").decode() for name, value in record.headers if name == "ce_id")
