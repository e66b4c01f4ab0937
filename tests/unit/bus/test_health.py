"""The health of a process follows its work."""

import asyncio
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bus import AccessDeniedError, Bus, BusUnavailableError, Event, Settings, UsageError
from bus.memory.transactional import MemoryTransactional
from bus.process.health import Check, HealthWatch, health_served
from bus.process.serving import serve
from bus.testing import InMemoryBus, InMemoryCluster, _Member
from tests.deliveries import never
from tests.ports import held_port
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld, until


async def well() -> None:
    """Find nothing."""


async def endless() -> None:
    """Find nothing either, but never."""
    await asyncio.Event().wait()


def failing(error: Exception) -> Check:
    """Return a check that raises."""

    async def check() -> None:
        raise error

    return check


async def asked(port: int, path: str = "/healthz") -> tuple[int, Any]:
    """Return status and body of an answer."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize(
    ("check", "fault"),
    [
        (well, None),
        (endless, "no answer within 0.05 s"),
        (failing(BusUnavailableError("no broker answers\nand more")), "no broker answers"),
        (failing(AccessDeniedError("no such user")), "no such user"),
        (failing(ValueError("Maria Svensson")), "ValueError"),
    ],
)
async def test_a_check_says_in_one_sentence_what_is_wrong(check: Check, fault: str | None) -> None:
    """Also one that hangs; the text of an error that nobody foresaw may be somebody's data."""
    report = await HealthWatch({"kafka": check, "other": well}, check_seconds=0.05).look()
    assert report.faults == {"kafka": fault, "other": None}
    assert (report.ready, report.status) == (fault is None, 200 if fault is None else 503)


async def test_those_who_ask_at_once_are_answered_by_one_look() -> None:
    """Asking for the health is no load on what is asked about."""
    looks: list[int] = []

    async def check() -> None:
        looks.append(1)
        await asyncio.sleep(0.01)

    watch = HealthWatch({"kafka": check})
    reports = await asyncio.gather(*(watch.look() for _ in range(20)))
    assert len(looks) == 1
    assert all(report is reports[0] for report in reports)


async def test_nothing_listens_unless_a_port_is_set() -> None:
    """A process answers for its health where an operator asked for it, on loopback."""
    async with health_served(Settings(), HealthWatch({})) as port:
        assert port is None
    assert Settings().health_host == "127.0.0.1"


async def test_health_is_answered_over_http() -> None:
    """Alive is 200 in any case; health and readiness are 503 with the name of what is away."""
    away = failing(BusUnavailableError("no broker answers"))
    async with health_served(Settings(health_port=0), HealthWatch({"kafka": away, "database": well})) as port:
        assert port is not None
        expected = {"status": "not-ready", "checks": {"kafka": "no broker answers", "database": "ok"}}
        assert await asked(port, "/livez") == (200, {"status": "alive"})
        assert await asked(port, "/readyz") == await asked(port, "/healthz") == (503, expected)


async def test_a_taken_port_is_named_by_its_variable() -> None:
    """The operator is told which setting to change."""
    with held_port() as taken:
        async with health_served(Settings(health_port=0), HealthWatch({})) as port:
            assert port != taken
            with pytest.raises(UsageError, match="GOVBUS_HEALTH_PORT"):
                async with health_served(Settings(health_port=port), HealthWatch({})):
                    pass


async def test_a_start_without_a_broker_waits_and_says_so_over_http() -> None:
    """Not ready until the broker is there; then ready, and again not when it goes; nothing ends by itself."""
    cluster = InMemoryCluster()
    cluster.available = False
    bus = InMemoryBus("health", cluster=cluster)

    @bus.subscribe("civil-registry.birth-registered", version=1, purpose="open-health-record")
    async def handle(_data: dict[str, Any]) -> None:
        """Do nothing."""

    async def has(status: int) -> bool:
        try:
            return (await asked(port))[0] == status
        except aiohttp.ClientError:
            return False

    with held_port() as port:
        serving = asyncio.create_task(serve(bus, Settings(health_port=port)))
        for available, status in ((False, 503), (True, 200), (False, 503), (True, 200)):
            cluster.available = available
            await until(partial(has, status))
            assert not serving.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(serving, 60)


async def test_a_process_that_waits_at_its_start_can_be_stopped() -> None:
    """SIGTERM ends the wait."""
    cluster = InMemoryCluster()
    cluster.available = False
    serving = asyncio.create_task(serve(InMemoryBus("health", cluster=cluster), Settings()))
    await asyncio.sleep(0.05)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(serving, 60)


@pytest.mark.parametrize("exactly_once", [False, True])
async def test_a_subscriber_whose_commits_fail_is_ill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, exactly_once: bool
) -> None:
    """Also where Kafka answers all questions; the check says whose and why, until one succeeds."""
    world, seen = MemoryWorld(SmallCountry(tmp_path)), list[int]()
    bus, refused = world.bus(world.country.south), True
    whole = memory_class(exactly_once).commit

    async def commit(self: Any, *arguments: Any) -> None:
        if refused:
            raise BusUnavailableError("the record is larger than the topic takes")
        await whole(self, *arguments)

    monkeypatch.setattr(memory_class(exactly_once), "commit", commit)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name="edge", exactly_once=exactly_once
    )
    async def note(event: Event[Any]) -> None:
        seen.append(event.data["number"])

    async def fault() -> str | None:
        return await bus.checks["kafka"]()

    async with bus:
        async with world.bus(world.country.north) as publisher:
            await publisher.publish(world.country.opened, case(1), version="1.0")
        await until(lambda: seen)
        assert await fault() is None
        monkeypatch.setattr("bus.process.overdue.LATE_SECONDS", 0.0)
        await until(lambda: _names(bus, "the record is larger than the topic takes"))
        said = await fault()
        assert said is not None
        assert said.startswith(f"{world.country.south}.edge: the commits")
        monkeypatch.setattr("bus.process.overdue.LATE_SECONDS", 60.0)
        refused = False
        await until(lambda: world.committed(f"{world.country.south}.edge", world.country.topic))
        monkeypatch.setattr("bus.process.overdue.LATE_SECONDS", 0.0)
        await until(lambda: _is_well(bus))


async def test_a_dead_letter_that_cannot_be_written_is_an_illness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its partition waits, though nothing else fails."""
    monkeypatch.setattr("bus.process.overdue.LATE_SECONDS", 0.0)
    monkeypatch.setattr("bus.deliver.delivery.WITHOUT_BROKER_SECONDS", 0.01)
    world = MemoryWorld(SmallCountry(tmp_path))
    bus = world.bus(world.country.south)
    bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="edge")(never)
    letters = f"{world.country.south}.dead-letters"
    async with bus:
        world.cluster.delete_topic(letters)
        await world.append(world.country.topic, b"no event")
        await until(lambda: _names(bus, "the dead letters"))
        world.cluster.create_topic(letters)
        await until(lambda: _is_well(bus))


def memory_class(exactly_once: bool) -> type[Any]:
    """Return what commits."""
    return MemoryTransactional if exactly_once else _Member


async def _names(bus: Bus, what: str) -> bool:
    return what in (await bus.checks["kafka"]() or "")


async def _is_well(bus: Bus) -> bool:
    return await bus.checks["kafka"]() is None
