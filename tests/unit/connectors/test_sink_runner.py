"""Events reach their target once by id, wait for it while it is away, and are set aside when it says no."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import BaseModel

from bus import RetryPolicy, TopicMissingError
from bus.testing import InMemoryCluster
from connectors import (
    Applied,
    BlockedError,
    ConfigurationError,
    NotConnectedError,
    RecordRejectedError,
    SinkRecord,
    TryAgainError,
)
from tests.ports import held_port
from tests.unit.connectors.country import (
    EVENT,
    TOPIC,
    configured,
    event_ids,
    header,
    http_sink,
    publish_businesses,
    runner_of,
    until,
)

PARENT = "00-ab42124a3c573678d4d8b21ba52df3bf-d21f7bc17caa5aba-01"


class NoOptions(BaseModel):
    """No options."""


class Office:
    """A legacy endpoint whose answers follow a script."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.traces: list[dict[str, str]] = []
        self.statuses: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        """Answer one request."""
        status = self.statuses.pop(0) if self.statuses else 201
        if status < 300:
            self.bodies.append(await request.json())
            self.traces.append({name: text for name, text in request.headers.items() if "trace" in name})
        return web.Response(status=status, headers={"Retry-After": "0"})

    def open(self, port: int = 0) -> TestServer:
        """Return the counter, open for the length of an `async with`."""
        application = web.Application()
        application.router.add_post("/", self.take)
        return TestServer(application, port=port)


async def test_events_reach_the_target_translated(tmp_path: Path, cluster: InMemoryCluster) -> None:
    """From the topic through the mapping to the legacy endpoint."""
    office = Office()
    async with office.open() as server:
        configs = configured(tmp_path, http_sink(str(server.make_url("/"))))
        async with runner_of(configs, cluster) as runner:
            await publish_businesses(cluster, 1, 2)
            await until(lambda: runner.health()[0].counts["written"] == 2)
    assert {body["name"] for body in office.bodies} == {"Bakery 1 Ltd", "Bakery 2 Ltd"}
    assert {body["message"] for body in office.bodies} == set(event_ids(cluster))


@pytest.mark.parametrize("parent", [PARENT, PARENT.replace("00-", "ff-")])
async def test_the_target_gets_the_trace_context_of_the_event(
    tmp_path: Path, cluster: InMemoryCluster, parent: str
) -> None:
    """Without a span of its own the sink passes on what came, if it is well-formed."""
    office = Office()
    await publish_businesses(cluster, 1)
    (record,) = cluster.records(TOPIC)
    headers = {**dict(record.headers), "ce_id": b"2", "traceparent": parent.encode(), "tracestate": b"a=1"}
    cluster.append(
        TOPIC, record.value, key=record.key, partition=record.partition, headers=[*headers.items()]
    )
    async with office.open() as server:
        configs = configured(tmp_path, http_sink(str(server.make_url("/"))))
        async with runner_of(configs, cluster):
            await until(lambda: len(office.bodies) == 2)
    assert office.traces == [{}, {"traceparent": PARENT, "tracestate": "a=1"} if parent == PARENT else {}]


async def test_a_refused_event_is_dead_lettered_and_the_next_goes_on(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """422 is for good, 500 is tried again."""
    office = Office()
    office.statuses = [422, 500, 201]
    async with office.open() as server:
        configs = configured(tmp_path, http_sink(str(server.make_url("/"))))
        async with runner_of(configs, cluster):
            await publish_businesses(cluster, 1)
            await until(lambda: len(cluster.records("municipality.dead-letters")) == 1)
            await publish_businesses(cluster, 2)
            await until(lambda: len(office.bodies) == 1)
    (letter,) = cluster.records("municipality.dead-letters")
    assert header(letter, "govbus-dead-letter-reason") == "target-rejected"


async def test_a_target_that_is_away_gets_its_events_when_it_comes_back(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """An outage is waited out; nothing is dead-lettered."""
    office = Office()
    with held_port() as port:
        configs = configured(tmp_path, http_sink(f"http://127.0.0.1:{port}/"))
        async with runner_of(configs, cluster) as runner:
            (health,) = runner.health()
            await publish_businesses(cluster, 1)
            await until(lambda: health.counts["retried"] >= 2 and health.state == "waiting")
            async with office.open(port):
                await until(lambda: len(office.bodies) == 1)
    assert cluster.records("municipality.dead-letters") == []


async def test_a_target_that_refuses_everybody_keeps_its_events(
    tmp_path: Path, cluster: InMemoryCluster, caplog: pytest.LogCaptureFixture
) -> None:
    """Its password has expired: the sink is `blocked` with one line, and goes on when somebody renewed it."""
    office = Office()
    office.statuses = [401, 401, 404, 201]
    async with office.open() as server:
        configs = configured(tmp_path, http_sink(str(server.make_url("/"))))
        async with runner_of(configs, cluster) as runner:
            (health,) = runner.health()
            await publish_businesses(cluster, 1, 2)
            await until(lambda: health.state == "blocked")
            assert (
                await runner.checks["connectors"]() == "needs a person: municipality/permit-office (blocked)"
            )
            await until(lambda: len(office.bodies) == 2)
            await until(lambda: health.state == "running")
    assert cluster.records("municipality.dead-letters") == []
    lines = [record.message for record in caplog.records if "permit-office blocked" in record.message]
    assert len(lines) == 1
    assert "got 401" in lines[0]
    assert "renew the credentials" in lines[0]


class ScriptedSink:
    """A plain (not asynchronous) sink whose writes follow a script."""

    Options = NoOptions
    guarantee = "none"
    script: ClassVar[list[Exception | None]] = []
    connected = 0
    written: ClassVar[list[str]] = []

    def __init__(self, _options: NoOptions) -> None:
        self.open = False

    def connect(self) -> None:
        """Count."""
        type(self).connected += 1

    def write(self, record: SinkRecord) -> Applied:
        """Follow the script."""
        error = self.script.pop(0) if self.script else None
        if error is not None:
            raise error
        self.written.append(record.id)
        return Applied()

    def check(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def steps() -> Iterator[None]:
    """Never run."""
    yield


class OddSink(ScriptedSink):
    """A sink whose `write` returns something else."""

    returned: ClassVar[Any] = None

    def write(self, record: SinkRecord) -> Any:
        """Return it."""
        return self.returned()


@pytest.mark.parametrize(
    "returned", [steps, lambda: Applied, lambda: True, lambda: RecordRejectedError("no"), Future]
)
async def test_what_is_not_said_to_be_written_is_not_acknowledged(
    tmp_path: Path, cluster: InMemoryCluster, returned: Any
) -> None:
    """The event waits for the sink to be corrected, and the health says what came back."""
    OddSink.returned = staticmethod(returned)
    sink = {**http_sink("http://x/"), "connector": f"{__name__}:OddSink", "sink": {}}
    async with runner_of(configured(tmp_path, sink), cluster) as runner:
        (health,) = runner.health()
        await publish_businesses(cluster, 1)
        await until(lambda: "returned a" in health.detail)
    assert sum(cluster.committed("municipality.permit-office").values()) == 0
    assert cluster.records("municipality.dead-letters") == []


@pytest.fixture
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not let a failed event wait for ten seconds."""
    monkeypatch.setattr("bus.bus.RetryPolicy", partial(RetryPolicy, (0.01,)))


@pytest.mark.usefixtures("_quick_retries")
@pytest.mark.parametrize(
    ("error", "connections", "letters"),
    [
        (NotConnectedError("gone", after_seconds=0.01), 2, 0),
        (TryAgainError("busy", after_seconds=0.01), 1, 0),
        (RecordRejectedError("no"), 1, 1),
        (BlockedError("no password"), 1, 0),
        (ConfigurationError("no path", "it is gone", "write another"), 1, 0),
        (OSError("a bug"), 1, 0),
    ],
)
async def test_each_error_of_a_sink_has_its_consequence(
    tmp_path: Path, cluster: InMemoryCluster, error: Exception, connections: int, letters: int
) -> None:
    """Reconnect, retry or dead letter, as the tree of errors says."""
    ScriptedSink.script, ScriptedSink.connected, ScriptedSink.written = [error], 0, []
    sink = {**http_sink("http://x/"), "connector": f"{__name__}:ScriptedSink", "sink": {}}
    async with runner_of(configured(tmp_path, sink), cluster):
        await publish_businesses(cluster, 1)
        await publish_businesses(cluster, 2)
        await until(lambda: len(ScriptedSink.written) == 2 - letters)
    assert ScriptedSink.connected == connections
    assert len(cluster.records("municipality.dead-letters")) == letters


async def test_an_event_that_does_not_translate_is_dead_lettered(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """A mapping that finds nothing rejects the event before the target sees it."""
    ScriptedSink.script, ScriptedSink.written = [], []
    sink = {**http_sink("http://x/"), "connector": f"{__name__}:ScriptedSink", "sink": {}}
    sink["write"] = {"mail": "$.data.contact_email"}
    async with runner_of(configured(tmp_path, sink), cluster):
        await publish_businesses(cluster, 1)
        await until(lambda: len(cluster.records("municipality.dead-letters")) == 1)
    (letter,) = cluster.records("municipality.dead-letters")
    assert header(letter, "govbus-dead-letter-reason") == "untranslatable"
    assert ScriptedSink.written == []


async def test_a_subscription_that_ends_by_itself_ends_the_run(
    tmp_path: Path, cluster: InMemoryCluster
) -> None:
    """What the bus cannot mend, such as a topic that is gone, is not waited out in silence."""
    runner = runner_of(configured(tmp_path, http_sink("http://127.0.0.1:9/")), cluster)
    serving = asyncio.create_task(runner.run())
    await until(lambda: any(health.state == "running" for health in runner.health()))
    await asyncio.sleep(0)
    cluster.delete_topic(f"{EVENT}.v1")
    with pytest.raises(TopicMissingError):
        await asyncio.wait_for(serving, 120)
