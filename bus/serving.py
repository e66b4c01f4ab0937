"""A process that serves until a signal stops it."""

import asyncio
import signal
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from bus.errors import BusUnavailableError
from contracts import visible_logger

logger = visible_logger("govbus.serving")

START_SECONDS = 60.0
"""How long a process that starts waits for a broker, as both may after a loss of power."""
AGAIN_SECONDS = 1.0


class Serving(Protocol):
    """Something that starts, may end by itself, and stops."""

    async def __aenter__(self) -> Self:
        """Start."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""

    async def wait(self) -> None:
        """Return, or raise, when it has ended by itself."""


async def serve(bus: Serving) -> None:
    """Serve until SIGTERM or SIGINT, then stop gracefully; raise what ends it before.

    Raises:
        BusUnavailableError: no broker has answered for `START_SECONDS`.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        if await _has_started(bus, stopping):
            await _serve(bus, stopping)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _has_started(bus: Serving, stopping: asyncio.Event) -> bool:
    latest = monotonic() + START_SECONDS
    while not stopping.is_set():
        try:
            await bus.__aenter__()
        except BusUnavailableError as error:
            if monotonic() >= latest:
                raise
            logger.warning("it is tried again for %.0f s: %s", latest - monotonic(), error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), AGAIN_SECONDS)
        else:
            return True
    return False


async def _serve(bus: Serving, stopping: asyncio.Event) -> None:
    ends = [asyncio.create_task(stopping.wait()), asyncio.create_task(bus.wait())]
    try:
        done, rest = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        for task in done:
            task.result()
    finally:
        await bus.__aexit__(None, None, None)
