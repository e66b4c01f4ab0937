"""A process that serves until a signal stops it."""

import asyncio
import signal
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self

from bus.errors import InstanceTakenError, NotGrantedError
from bus.process.health import Check, HealthWatch, health_served
from bus.process.outage import Outage, waited_out
from bus.settings import Settings
from contracts import visible_logger

logger = visible_logger("govbus.serving")

LEFT_ALONE = 78
"""Exit code of a process that must not be restarted as it is, EX_CONFIG of `sysexits.h`: a newer one has
taken its `GOVBUS_INSTANCE`, and would be put out by it in turn, or the catalogue does not grant what it
reads."""


class Serving(Protocol):
    """Something that starts, may end by itself, and stops."""

    @property
    def checks(self) -> Mapping[str, Check]:
        """What must be well for it to do its work; before and after the start too."""

    async def __aenter__(self) -> Self:
        """Start."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""

    async def wait(self) -> None:
        """Return, or raise, when it has ended by itself."""


async def serve(service: Serving, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then stop gracefully; raise what ends it before.

    A start that fails with something retriable, such as no broker that answers, is tried again without limit:
    after a loss of power both may start at once. Health is answered for meanwhile, if `health_port` is set.

    Args:
        service: what serves.
        settings: say where its health is answered for.

    Raises:
        SystemExit: with `LEFT_ALONE`, where a newer process runs under the name of this one, or the
            catalogue does not grant what it reads, or no longer.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    watch = HealthWatch(service.checks)
    stop = asyncio.create_task(stopping.wait())
    try:
        async with health_served(settings, watch):
            if await _has_started(service, stop):
                await _serve(service, watch, stop)
    except (InstanceTakenError, NotGrantedError) as error:
        logger.critical("%s", error)
        raise SystemExit(LEFT_ALONE) from error
    finally:
        await _end(stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _has_started(service: Serving, stop: asyncio.Task[Any]) -> bool:
    """Start it, however long that takes; return whether it has started before somebody stopped it."""
    starting = asyncio.create_task(waited_out(service.__aenter__, Outage("the start")))
    try:
        await asyncio.wait([starting, stop], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
        return starting.done()
    finally:
        await _end(starting)


async def _serve(service: Serving, watch: HealthWatch, stop: asyncio.Task[Any]) -> None:
    ended, looking = asyncio.create_task(service.wait()), asyncio.create_task(watch.run())
    try:
        await asyncio.wait([ended, stop], return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            ended.result()
    finally:
        await _end(ended, looking)
        await service.__aexit__(None, None, None)


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
