"""`govbus run`: a program needs only its folder; its workers share the partitions, and stop together."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from contracts.processes import OBJECTS_BETWEEN_COLLECTIONS
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld

PROGRAM = """
import gc

from bus import Bus, Event

bus = Bus("{agency}")


@bus.subscribe("{subject}", version=1, purpose="close-cases", name="run")
async def handle(event: Event) -> None:
    print("handled", event.data["number"], gc.get_threshold()[0], flush=True)
"""


@pytest.mark.parametrize("world", ["kafka"], indirect=True)
async def test_workers_handle_each_event_once_and_stop_gracefully(world: KafkaWorld, tmp_path: Path) -> None:
    """What they did is committed; the first line of each says what it reads. They rarely collect garbage."""
    country = world.country
    (tmp_path / "govbus.toml").write_text('catalog = "catalog"')
    (tmp_path / "program.py").write_text(PROGRAM.format(agency=country.south, subject=country.opened))
    environment = {**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers, "GOVBUS_CATALOG": ""}
    command = [sys.executable, "-m", "bus", "run", "program:bus", "--workers", "2"]
    with subprocess.Popen(  # noqa: ASYNC220 - a short fork is all that blocks
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        try:
            async with world.bus(country.north) as north:
                await north.publish_many(country.opened, [case(n) for n in range(20)], version="1.0")
            assert program.stdout is not None
            async with asyncio.timeout(PATIENCE_SECONDS):
                handled = [await asyncio.to_thread(program.stdout.readline) for _ in range(20)]
            program.send_signal(signal.SIGTERM)
            _, log = await asyncio.to_thread(program.communicate, None, PATIENCE_SECONDS)
        finally:
            program.kill()
    assert program.returncode == 0, log
    assert {f"handled {n} {OBJECTS_BETWEEN_COLLECTIONS}\n" for n in range(20)} == set(handled)
    assert await world.committed(f"{country.south}.run", country.topic) == 20
    started = [line for line in log.splitlines() if f"{country.south} has started" in line]
    assert started, log
    for line in started:
        reads = f"reads {country.topic} for `close-cases` as {country.south}.run"
        assert f"{reads} - catalogue catalog, at {world.bootstrap_servers}" in line
