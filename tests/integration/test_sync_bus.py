"""A program without asyncio over a real broker: its end, its forks, its threads, a broker that is away."""

import json
import os
import subprocess
import sys
import threading

import pytest

from bus import BusUnavailableError, Draft, Settings, SyncBus
from bus.embedded.folder import free_ports
from tests.small_catalog import case
from tests.worlds import KafkaWorld

SCRIPT = """
import json, sys
from bus import SyncBus

bus = SyncBus(sys.argv[1])
print(json.dumps(bus.publish(sys.argv[2], json.loads(sys.argv[3]), version="1.0").id))
"""

FORKING = """
import asyncio, json, os, sys, threading
from multiprocessing import get_context
from bus import Bus, SyncBus

agency, subject, data = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
bus = SyncBus(agency)
ended = threading.Event()

def publish(name):
    return bus.publish(subject, data, version="1.0", id=name).id

def busy():
    number = 0
    while not ended.is_set():
        publish(f"thread-{number}")
        number += 1

def child(name):
    publish(f"{name}-first")
    grandchild = get_context("fork").Process(target=publish, args=(f"{name}-grandchild",))
    grandchild.start()
    grandchild.join()
    assert grandchild.exitcode == 0
    publish(f"{name}-second")

def foreign(started):
    try:
        asyncio.run(started.publish(subject, data, version="1.0"))
    except Exception as error:
        print(json.dumps(str(error)), flush=True)

async def parent():
    async with Bus(agency) as started:
        process = get_context("fork").Process(target=foreign, args=(started,))
        process.start()
        await asyncio.to_thread(process.join)

publish("before")
thread = threading.Thread(target=busy)
thread.start()
children = [get_context("fork").Process(target=child, args=(f"child-{number}",)) for number in range(3)]
for one in children:
    one.start()
for one in children:
    one.join()
ended.set()
thread.join()
publish("after")
asyncio.run(parent())
sys.exit(any(one.exitcode for one in children))
"""


def run(program: str, world: KafkaWorld) -> list[str]:
    """Return the lines, each JSON, of a program over the world's broker."""
    named = {
        "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(world.country.folder),
    }
    arguments = [world.country.north, world.country.opened, json.dumps(case(1))]
    done = subprocess.run(
        [sys.executable, "-W", "ignore:.*fork.*:DeprecationWarning", "-c", program, *arguments],
        env={**os.environ, **named}, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


async def ids(world: KafkaWorld) -> list[str]:
    """The ids of the events on the topic."""
    records = await world.records(world.country.topic)
    return [(value or b"").decode() for one in records for name, value in one.headers if name == "ce_id"]


async def test_a_script_ends_by_itself(kafka_world: KafkaWorld) -> None:
    """Without `with` or `stop`, and without a word on stderr."""
    assert run(SCRIPT, kafka_world) == await ids(kafka_world)


async def test_each_forked_process_publishes_and_none_harms_another(kafka_world: KafkaWorld) -> None:
    """A parent whose threads go on, its children and theirs; a `Bus` of asyncio is refused there."""
    (refusal,) = run(FORKING, kafka_world)
    found = await ids(kafka_world)
    children = [f"child-{number}-{when}" for number in range(3) for when in ("first", "grandchild", "second")]
    assert {one for one in found if not one.startswith("thread-")} == {"before", "after", *children}
    assert len(found) == len(set(found))
    assert "in another loop, thread or forked process" in refusal
    assert "SyncBus" in refusal


def test_a_broker_that_is_away_is_told_and_then_found(kafka_world: KafkaWorld) -> None:
    """A start that fails is an error of its call; the next call tries again."""
    away = Settings(bootstrap_servers=f"127.0.0.1:{free_ports(1)[0]}", publish_timeout_seconds=1.0)
    country = kafka_world.country
    bus = SyncBus(country.north, settings=away, catalog=country.catalog)
    for _ in range(2):
        with pytest.raises(BusUnavailableError):
            bus.publish(country.opened, case(1), version="1.0")
    assert not [one for one in threading.enumerate() if one.name == f"govbus-{country.north}"]


def test_a_stop_loses_nothing_of_other_threads(kafka_world: KafkaWorld) -> None:
    """A call that is under way gets its receipt; one that comes later connects again."""
    country = kafka_world.country
    bus = SyncBus(country.north, settings=kafka_world.settings(), catalog=country.catalog)
    published: set[str] = set()

    def publish(thread: int) -> None:
        for number in range(20):
            name = f"{thread}-{number}"
            published.add(bus.publish(country.opened, case(number), version="1.0", id=name).id)

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        bus.stop()
    for thread in threads:
        thread.join()
    with bus:
        bus.publish_many(country.opened, (Draft(case(n), id=f"many-{n}") for n in range(10)), version="1.0")
    assert len(published) == 80
