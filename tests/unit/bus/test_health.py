"""The health of a process follows its work."""

import asyncio
import os
import signal
from functools import partial
from typing import Any

import aiohttp
import pytest

from bus import AccessDeniedError, BusUnavailableError, Settings, UsageError
from bus.process.health import Check, HealthWatch, health_served
from bus.process.serving import serve
from bus.testing import InMemoryBus, InMemoryCluster
from tests.ports import held_port
from tests.worlds import until


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
