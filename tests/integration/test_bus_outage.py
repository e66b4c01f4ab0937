"""The broker away and back: nothing acknowledged is lost, all resume by themselves, waits are bounded."""

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection

from bus import (
    BufferFullError,
    Bus,
    BusError,
    BusUnavailableError,
    DeliveryReceipt,
    EmbeddedKafka,
    Event,
    Reason,
    Receipt,
    Settings,
    apply_topics,
)
from bus.kafka import transactional
from bus.table import deliver
from contracts import Catalog
from tests.grants import with_grant
from tests.ports import held_port
from tests.postgresql import new_database, private_server, turn
from tests.small_catalog import SmallCountry, case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, receipts, running, until


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Yield a node that keeps its port and events over a restart; a test that stops it starts it again."""
    with EmbeddedKafka(tmp_path_factory.mktemp("outage") / "node") as kafka:
        yield kafka


@pytest.fixture
async def world(country: SmallCountry, node: EmbeddedKafka) -> KafkaWorld:
    """The small country on that node."""
    found = KafkaWorld(country, node.bootstrap_servers)
    await apply_topics(found.settings(), country.catalog)
    return found


async def restart(node: EmbeddedKafka, world: KafkaWorld) -> None:
    """Start the stopped node at the address it had."""
    await asyncio.to_thread(node.start)
    assert node.bootstrap_servers == world.bootstrap_servers


async def test_an_outage_loses_nothing_and_everybody_resumes(world: KafkaWorld, node: EmbeddedKafka) -> None:
    """While the node is away `publish` fails as retriable; afterwards every acknowledged event is handled."""
    seen: list[int] = []
    subscriber = world.bus(world.country.south)

    @subscriber.subscribe(world.country.opened, version=1, purpose="close-cases", name="outage")
    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    publisher = world.bus(world.country.north, publish_timeout_seconds=1.0)
    acknowledged: dict[int, Receipt] = {}
    failures: list[BusError] = []
    stack = await running(publisher, subscriber)
    source = asyncio.create_task(_publish_for_ever(publisher, world.country.opened, acknowledged, failures))
    await until(lambda: len(acknowledged) > 50 and len(seen) > 50)
    await asyncio.to_thread(node.stop)
    await until(lambda: failures)
    await restart(node, world)
    before = len(acknowledged)
    await until(lambda: len(acknowledged) > before + 50)
    source.cancel()
    await asyncio.wait([source])
    await until(lambda: set(acknowledged) <= set(seen))
    await until(lambda: _all_committed(world))
    await stack.aclose()
    assert {(type(error), error.retriable) for error in failures} == {(BusUnavailableError, True)}
    places = {(record.partition, record.offset) for record in await world.records(world.country.topic)}
    assert {(receipt.partition, receipt.offset) for receipt in acknowledged.values()} <= places
    await _require_whole_account(world)


async def _publish_for_ever(
    bus: Bus, subject: str, acknowledged: dict[int, Receipt], failures: list[BusError]
) -> None:
    number = 0
    while True:
        number += 1
        try:
            acknowledged[number] = await bus.publish(
                subject, case(number, f"case-{number % 9:04}"), version="1.0"
            )
        except BusError as error:
            failures.append(error)
        await asyncio.sleep(0.002)


async def _all_committed(world: KafkaWorld) -> bool:
    committed = await world.committed(f"{world.country.south}.outage", world.country.topic)
    return committed == len(await world.records(world.country.topic))


async def _require_whole_account(world: KafkaWorld) -> None:
    """Every record has its final delivery receipt, the outage notwithstanding."""
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    accounted = {(row.partition, row.offset) for row in rows if row.outcome == "ack"}
    records = await world.records(world.country.topic)
    assert accounted == {(record.partition, record.offset) for record in records}


async def published(bus: Bus, subject: str, number: int) -> Receipt | None:
    """Publish a case, or return None where a busy broker needs longer than the bus waits."""
    with suppress(BusUnavailableError):
        return await bus.publish(subject, case(number), version="1.0")
    return None


async def test_stopping_without_a_broker_is_bounded(world: KafkaWorld, node: EmbeddedKafka) -> None:
    """The process can go while the node is away, and whoever waits for an acknowledgement is told."""
    seen: list[int] = []
    country = world.country
    country.catalog = with_grant(country.catalog, country.north, country.opened, "close-cases")
    bus = world.bus(world.country.north, publish_timeout_seconds=1.0, stop_timeout_seconds=1.0)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="outage")
    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    stack = await running(bus)
    await until(lambda: published(bus, world.country.opened, 1))
    await until(lambda: seen)
    await asyncio.to_thread(node.stop)
    try:
        futures = [bus.submit(world.country.opened, case(number), version="1.0") for number in range(20)]
        stopping = asyncio.create_task(stack.aclose())
        done, _ = await asyncio.wait([stopping], timeout=PATIENCE_SECONDS)
        ended_in_time = bool(done)
        told = [future.done() for future in futures]
    finally:
        await restart(node, world)
    await asyncio.wait([stopping], timeout=PATIENCE_SECONDS)
    await bus._transport.stop()
    errors = [future.exception() for future in futures if future.done()]
    assert ended_in_time
    assert all(told)
    assert {type(error) for error in errors} == {BusUnavailableError}


async def test_a_bus_serves_again_after_a_stop_in_an_outage(world: KafkaWorld, node: EmbeddedKafka) -> None:
    """Stopped while the node was away, the same bus publishes to the same partition once started again."""
    bus = world.bus(world.country.north, publish_timeout_seconds=1.0, stop_timeout_seconds=1.0)
    stack = await running(bus)
    await until(lambda: published(bus, world.country.opened, 1))
    await asyncio.to_thread(node.stop)
    try:
        futures = [bus.submit(world.country.opened, case(number), version="1.0") for number in range(2000)]
        stopping = asyncio.create_task(stack.aclose())
        await asyncio.wait([stopping], timeout=PATIENCE_SECONDS)
    finally:
        await restart(node, world)
    await asyncio.wait([stopping], timeout=PATIENCE_SECONDS)
    assert stopping.done()
    stopping.result()
    [future.exception() for future in futures if future.done()]
    again = await running(bus)
    receipt = await until(lambda: published(bus, world.country.opened, 2))
    await again.aclose()
    assert receipt.offset > 0


async def test_a_publish_waits_out_an_outage(world: KafkaWorld, node: EmbeddedKafka) -> None:
    """Begun while the node is away, within `publish_timeout_seconds`; also the first one to its topic."""
    north, south = (
        world.bus(agency, publish_timeout_seconds=60.0)
        for agency in (world.country.north, world.country.south)
    )
    async with north, south:
        await north.publish(world.country.opened, case(1), version="1.0")
        await asyncio.to_thread(node.stop)
        first = asyncio.create_task(south.publish(world.country.closed, case(3), version="1.0"))
        waiting = asyncio.create_task(north.publish(world.country.opened, case(2), version="1.0"))
        await restart(node, world)
        receipt = await waiting
        await first
    values = {record.offset: record.value for record in await world.records(world.country.topic)}
    assert values[receipt.offset] == b'{"reference":"case-0001","number":2}'


ATTEMPTS = 10
LEAST_SECONDS = 0.7
"""How long so many attempts take at least: half of each wait, of which a busy machine may begin one anew."""


async def test_a_client_waits_between_looks_for_a_partition_that_has_no_broker(
    country: SmallCountry, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a topic that was deleted: the broker answers, and nothing of what it says helps."""
    looks: list[float] = []
    look = AIOKafkaClient._metadata_update

    async def counted(self: Any, *arguments: Any) -> bool:
        looks.append(monotonic())
        found: bool = await look(self, *arguments)
        return found

    world = KafkaWorld(country, kafka)
    await apply_topics(world.settings(), country.catalog)
    bus = world.bus(country.north, publish_timeout_seconds=1.0)
    stack = await running(bus)
    await until(lambda: published(bus, country.opened, 1))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    try:
        await admin.start()
        await admin.delete_topics([country.topic])
    finally:
        await admin.close()
    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", counted)
    future = bus.submit(country.opened, case(2), version="1.0")
    await until(lambda: len(looks) >= ATTEMPTS)
    with pytest.raises(BusUnavailableError):
        await future
    await stack.aclose()
    assert looks[ATTEMPTS - 1] - looks[0] >= LEAST_SECONDS


async def test_what_is_sent_in_an_outage_ends_within_its_limits(
    world: KafkaWorld,
    node: EmbeddedKafka,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`submit` too; more than the limit is refused at once. The log says once that it is away, and back.

    Meanwhile it tries to connect after longer and longer waits.
    """
    attempts: list[float] = []
    connect = AIOKafkaConnection.connect

    async def counted(self: Any) -> Any:
        attempts.append(monotonic())
        return await connect(self)

    bus = world.bus(world.country.north, publish_timeout_seconds=1.0, max_unacknowledged=1000)
    stack = await running(bus)
    await until(lambda: published(bus, world.country.opened, 1))
    await asyncio.to_thread(node.stop)
    caplog.clear()
    try:
        monkeypatch.setattr(AIOKafkaConnection, "connect", counted)
        futures = [bus.submit(world.country.opened, case(n), version="1.0") for n in range(1000)]
        with pytest.raises(BufferFullError):
            bus.submit(world.country.opened, case(1000), version="1.0")
        await asyncio.wait(futures)
        errors = {type(future.exception()) for future in futures[:500]}
        del futures  # nobody looks at the others
        gc.collect()
        await until(lambda: "away" in caplog.text)
        await until(lambda: len(attempts) >= ATTEMPTS)
    finally:
        await restart(node, world)
    await until(lambda: "back after" in caplog.text)
    await until(lambda: not bus._transport.unacknowledged)
    said = [record.name for record in caplog.records if record.levelno >= logging.WARNING]
    await stack.aclose()
    assert errors == {BusUnavailableError}
    assert said == ["govbus.outage"] * 2
    assert attempts[ATTEMPTS - 1] - attempts[0] >= LEAST_SECONDS


async def test_whoever_waits_for_a_frozen_broker_is_told_within_the_limit(
    world: KafkaWorld, node: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    """It closes no connection, and aiokafka waits for its answers for 40 s. A name goes on afterwards."""
    bus = world.bus(world.country.north, publish_timeout_seconds=1.0)
    checkpoints = bus.table(f"{world.country.north}.checkpoints")

    async def together(name: str | None) -> None:
        async with bus.transaction(name) as transaction:
            await transaction.put(checkpoints, "x", b"1")
            await transaction.publish(world.country.opened, case(1), version="1.0")

    async def repeated() -> bool:
        with suppress(BusUnavailableError):
            await together("one")
            return True
        return False

    stack = await running(bus)
    await until(lambda: published(bus, world.country.opened, 1))
    await until(repeated)
    caplog.clear()
    node.pause()
    try:
        waiting = [
            asyncio.ensure_future(one)
            for one in (
                bus.publish(world.country.opened, case(2), version="1.0"),
                bus.dead_letter(b"", reason=Reason.MALFORMED_RECORD, stage="read"),
                checkpoints.put("y", b"1"),
                together("one"),
                together("another"),
                together(None),
            )
        ]
        _, late = await asyncio.wait(waiting, timeout=6.0)
        await until(lambda: "away, waiting for it: no acknowledgement within 1 s" in caplog.text)
    finally:
        node.resume()
    await until(lambda: "back after" in caplog.text)
    await until(repeated)
    assert await checkpoints.get("x") == b"1"
    await stack.aclose()
    assert not late
    assert {type(one.exception()) for one in waiting} == {BusUnavailableError}


async def test_a_bus_that_could_not_start_may_try_again(
    country: SmallCountry, node: EmbeddedKafka, world: KafkaWorld
) -> None:
    """A failed start leaves the bus as it was: not started, open to subscriptions, able to start."""
    bus = world.bus(country.south)
    await asyncio.to_thread(node.stop)
    try:
        with pytest.raises(BusUnavailableError):
            await bus.start()
    finally:
        await restart(node, world)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def never(event: Event[Any]) -> None:
        raise AssertionError("never called")

    async with bus:
        assert not bus._subscribers[0].task.done()


async def test_a_process_that_starts_before_its_broker_waits_for_it(
    world: KafkaWorld, node: EmbeddedKafka, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, and serves once the broker is there."""
    seen: list[int] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="early")
    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    await asyncio.to_thread(node.stop)
    running = asyncio.create_task(bus.run())
    try:
        await until(lambda: "waiting for it" in caplog.text)
    finally:
        await restart(node, world)
    async with world.bus(world.country.north) as north:
        await north.publish(world.country.opened, case(1), version="1.0")
    await until(lambda: seen)
    os.kill(os.getpid(), signal.SIGTERM)
    await running


async def test_an_abort_that_nobody_answers_is_given_up(
    world: KafkaWorld, node: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever begins the transaction anew ends the old one; a subscriber must not end with it."""
    monkeypatch.setattr(transactional, "ABORT_SECONDS", 0.5)
    transport = world.bus(world.country.south)._transport
    await transport.start()
    one = transport.transactional("abandoned")
    try:
        await one.start()
        await one.begin()
        await deliver(one, f"{world.country.south}.parked", b"key", b"value", partition=0)
        node.pause()
        await one.abort()
    finally:
        node.resume()
        await one.stop()
        await transport.stop()


@pytest.mark.parametrize("end", ["cancelled", "failed"])
async def test_a_client_whose_own_tasks_have_ended_is_replaced(world: KafkaWorld, end: str) -> None:
    """As aiokafka's do after an answer that it does not expect; every event is handled, none in vain."""
    seen: list[int] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name=f"replaced-{end}")
    async def keep(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    async with world.bus(world.country.north) as north, bus:
        await north.publish(world.country.opened, case(1), version="1.0")
        await until(lambda: seen)
        coordinator = bus._subscribers[0]._consumer._kafka._coordinator  # type: ignore[attr-defined]
        if end == "cancelled":
            coordinator._coordination_task.cancel()
        else:
            wake, coordinator._rejoin_needed_fut = coordinator._rejoin_needed_fut, None
            wake.set_result(None)
        await until(coordinator._coordination_task.done)
        coordinator._rejoin_needed_fut = asyncio.get_running_loop().create_future()
        await north.publish(world.country.opened, case(2), version="1.0")
        await until(lambda: 2 in seen)
        assert bus.serving


SINK = """
connector: http
name: permit-office
agency: municipality
sink: {url: "http://127.0.0.1:9/businesses"}
subscribe: {event: tax.business-registered, version: 1, purpose: issue-business-permit}
"""


@asynccontextmanager
async def commands(
    environment: dict[str, str], **lines: Sequence[str]
) -> AsyncIterator[dict[str, tuple[subprocess.Popen[bytes], int]]]:
    """Run commands that answer for their health; each must still run at the end of the block."""
    with ExitStack() as stack:
        found = {}
        for name, arguments in lines.items():
            port = stack.enter_context(held_port())
            process = subprocess.Popen(  # noqa: ASYNC220 - a short fork is all that blocks
                [sys.executable, "-c", "from bus.cli import main; main()", *arguments],
                env={**os.environ, **environment, "GOVBUS_HEALTH_PORT": str(port)},
            )
            stack.callback(process.wait, PATIENCE_SECONDS)
            stack.callback(process.kill)
            found[name] = process, port
        yield found
        assert {name: process.poll() for name, (process, _) in found.items()} == dict.fromkeys(found)


async def health(port: int) -> tuple[int, list[str]]:
    """Return the status, and the names of what is wrong."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/healthz") as answer,
        ):
            checks = (await answer.json())["checks"]
            return answer.status, [name for name, fault in checks.items() if fault != "ok"]
    except aiohttp.ClientError:
        return 0, []


async def test_health_names_what_is_away_and_no_command_ends(node: EmbeddedKafka, tmp_path: Path) -> None:
    """Monitor and connectors start before Kafka is there, and outlive a frozen Kafka and a lost database."""
    (tmp_path / "sink.yaml").write_text(SINK)
    with private_server() as server:
        servers = node.bootstrap_servers
        environment = {"GOVBUS_BOOTSTRAP_SERVERS": servers, "GOVBUS_DATABASE": new_database(server)}
        await apply_topics(Settings(bootstrap_servers=servers), Catalog.open())
        await asyncio.to_thread(node.stop)
        async with commands(
            environment, monitor=["monitor"], connect=["connect", "run", str(tmp_path / "sink.yaml")]
        ) as running:
            ports = [port for _, port in running.values()]

            async def are(*wanted: tuple[int, list[str]]) -> bool:
                return [await health(port) for port in ports] == list(wanted)

            well: tuple[int, list[str]] = (200, [])
            no_kafka = (503, ["kafka"])
            await until(lambda: are((503, ["kafka", "receipts"]), no_kafka))
            await asyncio.to_thread(node.start)
            await until(lambda: are(well, well))
            node.pause()
            await until(lambda: are(no_kafka, no_kafka))
            node.resume()
            await until(lambda: are(well, well))
            await asyncio.to_thread(turn, server, "stop")
            await until(lambda: are((503, ["database"]), well))
            await asyncio.to_thread(turn, server, "start")
            await until(lambda: are(well, well))
