"""Whether a process lives, and whether it can do its work now: `/livez`, `/healthz` and `/readyz` over HTTP.

Law of this file: alive means that the event loop turns. Ready means that what the work needs answers now;
the body names what does not. A process that has nothing to do is ready. What goes away while a process serves
is logged once, and once when it is back. Bodies and lines hold no data, no address of a client, no secret.

| Address               | 200                | 503                              |
|-----------------------|--------------------|----------------------------------|
| `/livez`              | the loop turns     | never: no answer comes in time   |
| `/healthz`, `/readyz` | every check passes | a check fails, or takes too long |
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

from bus.errors import UsageError
from bus.process.outage import Outage
from bus.settings import Settings

LOOK_SECONDS = 5.0
"""How often a process that serves looks by itself."""
CHECK_SECONDS = 3.0
"""How long one check may take; whoever asks for the health waits a little longer."""
FRESH_SECONDS = 1.0
"""How old a report may be that is given to another who asks."""
READY = ("/healthz", "/readyz")
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

Check = Callable[[], Awaitable[str | None]]
"""Returns what is wrong, in one sentence without data; None if nothing is."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What a process found of what it needs.

    Attributes:
        faults: what is wrong, by the name of the check; None where nothing is.
    """

    faults: Mapping[str, str | None]

    @property
    def ready(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.faults.values())

    @property
    def status(self) -> int:
        """The status of the HTTP answer."""
        return 200 if self.ready else 503

    def as_json(self) -> dict[str, Any]:
        """Return the body of the HTTP answer."""
        return {
            "status": "ready" if self.ready else "not-ready",
            "checks": {name: fault or "ok" for name, fault in self.faults.items()},
        }


class HealthWatch:
    """Looks at what a process needs, again and again, and says when it goes and when it comes back.

    Args:
        checks: by the name of what they look at; one that takes longer than `check_seconds` has failed.
        check_seconds: how long a check may take.

    Attributes:
        report: what the last look found; empty before the first.
    """

    def __init__(self, checks: Mapping[str, Check], *, check_seconds: float = CHECK_SECONDS) -> None:
        self._checks = dict(checks)
        self._check_seconds = check_seconds
        self.report = HealthReport({})
        self._looked_at: float | None = None
        self._turn = asyncio.Lock()

    async def look(self) -> HealthReport:
        """Run all checks at once and return what they found; who asks at the same time gets the same."""
        async with self._turn:
            if self._looked_at is None or monotonic() - self._looked_at > FRESH_SECONDS:
                found = await asyncio.gather(*(self._examine(name) for name in self._checks))
                self.report = HealthReport(dict(zip(self._checks, found, strict=True)))
                self._looked_at = monotonic()
            return self.report

    async def run(self) -> None:
        """Look every `LOOK_SECONDS` and log what changes, until cancelled."""
        outages = {name: Outage(name) for name in self._checks}
        while True:
            for name, fault in (await self.look()).faults.items():
                if fault is None:
                    outages[name].ends()
                else:
                    outages[name].begins(fault)
            await asyncio.sleep(LOOK_SECONDS)

    async def _examine(self, name: str) -> str | None:
        try:
            async with asyncio.timeout(self._check_seconds):
                return await self._checks[name]()
        except TimeoutError:
            return f"no answer within {self._check_seconds:g} s"
        except Exception as error:  # noqa: BLE001 - whatever it raises, somebody has asked how things are
            # Of an error that nobody foresaw only the class: its text may quote somebody's data.
            return str(error).partition("\n")[0] if hasattr(error, "retriable") else type(error).__name__


@asynccontextmanager
async def health_served(settings: Settings, watch: HealthWatch) -> AsyncIterator[int | None]:
    """Answer for the health of this process during the block, if `health_port` is set; yield the port.

    Raises:
        UsageError: nothing can listen at `health_host` and `health_port`.
    """
    if settings.health_port is None:
        yield None
        return
    from aiohttp import web  # noqa: PLC0415 - few processes are asked

    async def alive(_request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"}, headers=HEADERS)

    async def ready(_request: web.Request) -> web.Response:
        report = await watch.look()
        return web.json_response(report.as_json(), status=report.status, headers=HEADERS)

    application = web.Application()
    application.router.add_get("/livez", alive)
    for path in READY:
        application.router.add_get(path, ready)
    runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=0.5)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.health_host, settings.health_port).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
            raise UsageError(
                f"Expected an address where to answer for the health, got {settings.health_host} port "
                f"{settings.health_port} ({why}) - at GOVBUS_HEALTH_HOST, GOVBUS_HEALTH_PORT. Choose another"
            ) from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
