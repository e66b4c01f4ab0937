"""SIGTERM at a serving process: what is in hand is finished or abandoned, what is done is committed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus import DeliveryReceipt
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, receipts, until

CHILD = """
import asyncio, sys, time
from bus import Bus, Event

agency, subject, kind = sys.argv[1:]
bus = Bus(agency)

async def slow(event: Event) -> None:
    (subscriber,) = bus._subscribers
    print("begun", event.offset, flush=True)
    await subscriber._stopping.wait()
    print("done", event.offset, flush=True)

async def endless(event: Event) -> None:
    print("begun", event.offset, flush=True)
    if event.data["number"] == 2:
        await asyncio.sleep(3600)
    print("done", event.offset, flush=True)

async def stubborn(event: Event) -> None:
    print("begun", event.offset, flush=True)
    if event.data["number"] == 2:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(3600)
    print("done", event.offset, flush=True)

def blocking(event: Event) -> None:
    print("begun", event.offset, flush=True)
    if event.data["number"] == 2:
        time.sleep(3600)
    print("done", event.offset, flush=True)

bus.subscribe(subject, version=1, purpose="close-cases", name="signals")(globals()[kind])
asyncio.run(bus.run())
"""


@asynccontextmanager
async def serving(
    world: KafkaWorld, folder: Path, kind: str, stop_timeout_seconds: float = 1.0
) -> AsyncIterator[subprocess.Popen[str]]:
    """Publish two cases of one key and run a child that handles them; it is gone at the end."""
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(world.country.opened, [case(1), case(2)], version="1.0")
    arguments = [world.country.south, world.country.opened, kind]
    environment = {
        **os.environ,
        "GOVBUS_BOOTSTRAP_SERVERS": world.bootstrap_servers,
        "GOVBUS_CATALOG": str(folder),
        "GOVBUS_STOP_TIMEOUT_SECONDS": str(stop_timeout_seconds),
    }
    child = subprocess.Popen(  # noqa: ASYNC220 - a short fork is all that blocks
        [sys.executable, "-c", CHILD, *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


async def said(child: subprocess.Popen[str], line: str) -> None:
    """Wait until the child has written a line."""
    assert child.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await asyncio.to_thread(child.stdout.readline)).strip() != line:
            assert found, "the child ended"


async def ended(child: subprocess.Popen[str]) -> tuple[str, str]:
    """Return what the child still said, after an exit with 0, long before an endless handler's end."""
    output, errors = await asyncio.to_thread(child.communicate, None, PATIENCE_SECONDS)
    assert child.returncode == 0, errors
    return output, errors


async def committed(world: KafkaWorld) -> int:
    """Return how many cases are committed."""
    return await world.committed(f"{world.country.south}.signals", world.country.topic)


async def has_committed_one(world: KafkaWorld) -> bool:
    """Return whether the first case is committed."""
    return await committed(world) == 1


async def outcomes(world: KafkaWorld) -> list[tuple[int, str, str | None]]:
    """Return offset, outcome and reason of every delivery."""
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    return sorted((row.offset, row.outcome, row.reason) for row in rows)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_told_process_finishes_what_is_in_hand(
    kafka_world: KafkaWorld, tmp_path: Path, number: signal.Signals
) -> None:
    """The handler ends, its event is committed and has its receipt, the next is left; exit 0, no noise."""
    async with serving(kafka_world, tmp_path / "catalog", "slow", PATIENCE_SECONDS) as child:
        await said(child, "begun 0")
        child.send_signal(number)
        output, errors = await ended(child)
    assert output.split("\n") == ["done 0", ""]
    assert errors == ""
    assert await committed(kafka_world) == 1
    assert await outcomes(kafka_world) == [(0, "ack", None)]


@pytest.mark.parametrize("kind", ["endless", "stubborn"])
async def test_a_handler_without_end_is_abandoned(kafka_world: KafkaWorld, tmp_path: Path, kind: str) -> None:
    """After `stop_timeout_seconds` the process goes; what was done stays committed, the rest comes again."""
    async with serving(kafka_world, tmp_path / "catalog", kind) as child:
        await said(child, "begun 1")
        await until(lambda: has_committed_one(kafka_world))  # the stop has little time for it
        child.send_signal(signal.SIGTERM)
        await ended(child)
    assert await committed(kafka_world) == 1
    found = await outcomes(kafka_world)
    assert [row for row in found if row[1] == "ack"] == [(0, "ack", None)]
    assert [row for row in found if row[1] == "dead-letter"] == []


async def test_a_blocking_handler_does_not_keep_the_process(kafka_world: KafkaWorld, tmp_path: Path) -> None:
    """A plain function that never returns holds its thread, but not the exit."""
    async with serving(kafka_world, tmp_path / "catalog", "blocking") as child:
        await said(child, "begun 1")
        await until(lambda: has_committed_one(kafka_world))  # the stop has little time for it
        child.send_signal(signal.SIGTERM)
        await ended(child)
    assert await committed(kafka_world) == 1


async def test_a_second_signal_changes_nothing(kafka_world: KafkaWorld, tmp_path: Path) -> None:
    """Told twice, the process still finishes what is in hand and exits with 0."""
    async with serving(kafka_world, tmp_path / "catalog", "slow", PATIENCE_SECONDS) as child:
        await said(child, "begun 0")
        child.send_signal(signal.SIGTERM)
        child.send_signal(signal.SIGTERM)
        await ended(child)


async def test_a_subscription_that_ends_ends_the_process(kafka_world: KafkaWorld) -> None:
    """`run()` raises what ended a subscription instead of serving without it."""
    from bus import AccessDeniedError

    bus = kafka_world.bus(kafka_world.country.south)

    @bus.subscribe(kafka_world.country.opened, version=1, purpose="close-cases")
    async def never(event: object) -> None:
        raise AssertionError("never called")

    serving_task = asyncio.create_task(bus.run())
    await until(lambda: bus._subscribers and bus._subscribers[0]._tasks)

    async def revoked(*arguments: object) -> None:
        raise AccessDeniedError("the cluster grants no access to this topic")

    bus._subscribers[0]._consumer.poll = revoked  # type: ignore[assignment]
    with pytest.raises(AccessDeniedError):
        await asyncio.wait_for(serving_task, PATIENCE_SECONDS)
