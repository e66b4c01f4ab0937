"""Connectors over a real Kafka: checkpoints survive restarts and SIGKILL; nothing lost, nothing new twice."""

import asyncio
import os
import random
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bus import Bus, Event, Settings, apply_topics
from bus.crash.trial import differences_of
from bus.kafka.transport import KafkaTransport
from connectors import Runner
from contracts import Catalog
from tests.ports import held_port
from tests.unit.connectors.country import (
    EVENT,
    TOPIC,
    business,
    configured,
    folder_source,
    header,
    http_sink,
    make_register,
    register_businesses,
    register_source,
)

KILLED = """
import os, signal, threading
from bus.cli import main
from connectors.checkpoint import Checkpoints

save, left = Checkpoints.save, {saves}

def save_and_die(*arguments):
    global left
    left -= 1
    if left == 0:
        threading.Timer({seconds}, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return save(*arguments)

Checkpoints.save = save_and_die
main()
"""
COLUMNS_LINE = "reference,business_name,legal_form,activity_code,street,town,owner_name,registered_on"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The reference catalogue."""
    return Catalog.open()


@pytest.fixture
async def settings(kafka: str, catalog: Catalog) -> Settings:
    """A cluster with every topic."""
    settings = Settings(bootstrap_servers=kafka)
    await apply_topics(settings, catalog)
    return settings


async def published(settings: Settings, system: str) -> Counter[str]:
    """How often each event id of a system stands in the topic."""
    transport = KafkaTransport(settings)
    try:
        await transport.start()
        records = await transport.read_all(TOPIC)
    finally:
        await transport.stop()
    source = f"urn:govbus:tax:{system}"
    return Counter(header(record, "ce_id") for record in records if header(record, "ce_source") == source)


async def until_published(
    settings: Settings, system: str, count: int, seconds: float = 120.0
) -> Counter[str]:
    """The events of a system, once there are that many different ones."""
    async with asyncio.timeout(seconds):
        while len(found := await published(settings, system)) < count:  # noqa: ASYNC110 - Kafka tells nobody
            await asyncio.sleep(0.1)
    return found


def named(content: dict[str, Any], system: str) -> dict[str, Any]:
    """A configuration under names of its own, since all tests share one cluster."""
    return {**content, "name": f"{content['name']}-{system}", "system": system}


@pytest.fixture
def system() -> str:
    """The name of a system that no other test uses."""
    return f"register-{uuid.uuid4().hex[:8]}"


async def test_a_restart_goes_on_behind_the_checkpoint(
    tmp_path: Path, settings: Settings, catalog: Catalog, system: str
) -> None:
    """Three runs, each over more rows and files: each record is published exactly once."""
    (tmp_path / "inbox").mkdir()
    make_register(tmp_path / "register.db")
    register = register_source(tmp_path / "register.db", batch_size=7, settle_seconds=1)
    configs = configured(tmp_path, named(register, system), named(folder_source(tmp_path), system))
    for round_ in range(3):
        register_businesses(tmp_path / "register.db", *range(round_ * 50, round_ * 50 + 50))
        lines = [",".join(business(number)) for number in range(round_ * 50 + 500, round_ * 50 + 520)]
        (tmp_path / "inbox" / f"{round_}.csv").write_text("\n".join([COLUMNS_LINE, *lines]))
        async with Runner(configs, settings=settings, catalog=catalog):
            await until_published(settings, system, (round_ + 1) * 70)
    found = await published(settings, system)
    assert len(found) == 210
    assert set(found.values()) == {1}
    assert list((tmp_path / "inbox").iterdir()) == []


@asynccontextmanager
async def running(
    file: Path,
    settings: Settings,
    stderr: int | IO[bytes] = asyncio.subprocess.DEVNULL,
    program: str = "from bus.cli import main; main()",
    **variables: str,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`govbus connect run` in a process of its own, gone at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        "connect",
        "run",
        str(file),
        env={**os.environ, "GOVBUS_BOOTSTRAP_SERVERS": settings.bootstrap_servers, **variables},
        stderr=stderr,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("kills", [2, pytest.param(4, marks=pytest.mark.crash)])
async def test_killed_again_and_again_it_loses_nothing_and_subscribers_handle_each_once(
    tmp_path: Path, settings: Settings, catalog: Catalog, system: str, kills: int
) -> None:
    """SIGKILL at random moments, rows and files coming in: all arrive, and no id is handled twice."""
    (tmp_path / "inbox").mkdir()
    make_register(tmp_path / "register.db")
    register = register_source(tmp_path / "register.db", batch_size=5, settle_seconds=1)
    configured(tmp_path, named(register, system), named(folder_source(tmp_path), system))
    progress = await kill(kills, tmp_path, settings, system)
    count = 200 * len(progress)
    assert 0 < progress[0] < progress[-1] < count, "expected kills on the way"
    async with running(tmp_path / "connectors.yaml", settings, GOVBUS_INSTANCE=system) as process:
        found = await until_published(settings, system, count)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    assert len(found) == count
    assert set(found.values()) == {1}
    handled = await handled_by_a_subscriber(settings, catalog, system, count)
    assert set(handled) == set(found)
    assert set(handled.values()) == {1}
    assert [one for one in await differences_of(settings, catalog, [EVENT]) if system in one] == []


async def kill(rounds: int, folder: Path, settings: Settings, system: str) -> list[int]:
    """Bring 200 records in each round, and kill the process in it; returns how far it was each time."""
    dice = random.Random(7)
    progress = [0]
    for round_ in range(rounds):
        program = KILLED.format(saves=dice.randint(3, 8), seconds=dice.random() / 100)
        first = round_ * 100
        # Under a name of its own a restarted process is at once what the killed one was.
        process_of = running(folder / "connectors.yaml", settings, program=program, GOVBUS_INSTANCE=system)
        async with process_of as process:
            register_businesses(folder / "register.db", *range(first, first + 20))
            await until_published(settings, system, progress[-1] + 1)
            # The process is at work now, and kills itself with most of what follows still to do.
            register_businesses(folder / "register.db", *range(first + 20, first + 100))
            rows = [",".join(business(1_000 + first + number)) for number in range(100)]
            (folder / "inbox" / f"{round_}.csv").write_text("\n".join([COLUMNS_LINE, *rows]))
            assert await asyncio.wait_for(process.wait(), 120) == -signal.SIGKILL
        progress.append(len(await published(settings, system)))
    return progress[1:]


async def test_a_process_that_ends_leaves_its_sources_to_another(
    tmp_path: Path, settings: Settings, catalog: Catalog, system: str
) -> None:
    """Of two processes one runs the source and one stands by, until the first has ended."""
    make_register(tmp_path / "register.db")
    register_businesses(tmp_path / "register.db", *range(10))
    configs = configured(tmp_path, named(register_source(tmp_path / "register.db"), system))
    async with AsyncExitStack() as both:
        runners = [
            await both.enter_async_context(Runner(configs, settings=settings, catalog=catalog))
            for _ in range(2)
        ]
        await until_published(settings, system, 10)
        await until_they_are(runners, ["running", "standby"])
        (owner,) = (runner for runner in runners if runner.health()[0].state == "running")
        await owner.stop()
        await until_they_are(runners, ["running", "stopped"])
        register_businesses(tmp_path / "register.db", *range(10, 20))
        found = await until_published(settings, system, 20)
    assert set(found.values()) == {1}


async def until_they_are(runners: list[Runner], states: list[str]) -> None:
    """Wait for the states of two processes' sources."""
    async with asyncio.timeout(60):
        while sorted(runner.health()[0].state for runner in runners) != states:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)


@pytest.mark.sampled(0)  # Kafka gives up a member that says nothing only after 10 s
async def test_a_process_that_was_suspended_publishes_nothing_more(
    tmp_path: Path, settings: Settings, system: str
) -> None:
    """Each of two processes is suspended in turn: the other takes over, and each row is published once."""
    make_register(tmp_path / "register.db")
    configured(tmp_path, named(register_source(tmp_path / "register.db", batch_size=3), system))
    file, rows = tmp_path / "connectors.yaml", 0

    async def more() -> None:
        nonlocal rows
        register_businesses(tmp_path / "register.db", *range(rows, rows + 10))
        rows += 10
        await until_published(settings, system, rows)

    async with running(file, settings) as first, running(file, settings) as second:
        await more()
        for process in (first, second):
            process.send_signal(signal.SIGSTOP)
            await more()
            process.send_signal(signal.SIGCONT)
            await more()
    found = await published(settings, system)
    assert set(found.values()) == {1}


async def handled_by_a_subscriber(
    settings: Settings, catalog: Catalog, system: str, events: int
) -> Counter[str]:
    """How often a subscriber's handler sees each of the events."""
    handled: Counter[str] = Counter()
    bus = Bus("municipality", system="permits", settings=settings, catalog=catalog)

    @bus.subscribe(EVENT, version=1, purpose="issue-business-permit", name=system)
    async def count(event: Event[Any]) -> None:
        if event.source.endswith(system):
            handled[event.id] += 1

    async with bus, asyncio.timeout(120):
        while len(handled) < events:  # noqa: ASYNC110 - the handler above counts
            await asyncio.sleep(0.05)
    return handled


async def test_a_process_exports_what_the_environment_asks_for(
    tmp_path: Path, settings: Settings, system: str
) -> None:
    """Spans and metrics of `govbus connect run` leave it, the last ones when it is told to stop."""
    make_register(tmp_path / "register.db")
    register_businesses(tmp_path / "register.db", 1, 2, 3)
    configured(tmp_path, named(register_source(tmp_path / "register.db"), system))
    asked = {"OTEL_TRACES_EXPORTER": "console", "OTEL_METRICS_EXPORTER": "console"}
    with (tmp_path / "exported").open("wb") as exported:
        async with running(tmp_path / "connectors.yaml", settings, exported, **asked) as process:
            await until_published(settings, system, 3)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    text = (tmp_path / "exported").read_text()
    assert text.count(f'"name": "send {TOPIC}"') == 3
    assert '"messaging.client.sent.messages"' in text
    assert '"service.name": "govbus-connect"' in text


async def test_events_reach_a_target_that_was_away(
    tmp_path: Path, settings: Settings, catalog: Catalog, system: str
) -> None:
    """From a row through Kafka to an endpoint that opens late; a restarted sink writes nothing again."""
    bodies: list[Any] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        return web.Response(status=201)

    make_register(tmp_path / "register.db")
    register_businesses(tmp_path / "register.db", 1, 2, 3)
    application = web.Application()
    application.router.add_post("/", take)
    source = named(register_source(tmp_path / "register.db"), system)
    with held_port() as port:
        sink = named(http_sink(f"http://127.0.0.1:{port}/"), system)
        configs = configured(tmp_path, source, sink)
        async with AsyncExitStack() as opened:
            async with Runner(configs, settings=settings, catalog=catalog):
                ids = set(await until_published(settings, system, 3))
                await opened.enter_async_context(TestServer(application, port=port))
                await _until_holds(bodies, ids)
            async with Runner(configs, settings=settings, catalog=catalog):
                await asyncio.sleep(1.0)
    assert sorted(body["message"] for body in bodies if body["message"] in ids) == sorted(ids)


async def _until_holds(bodies: list[Any], ids: set[str]) -> None:
    async with asyncio.timeout(120):
        while not ids <= {body["message"] for body in bodies}:  # noqa: ASYNC110 - the endpoint fills it
            await asyncio.sleep(0.1)
