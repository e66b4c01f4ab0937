"""A process that serves until it is told to stop."""

import asyncio
import signal
from types import TracebackType
from typing import Protocol, Self


class Serving(Protocol):
    """What starts, may end by itself, and stops."""

    async def __aenter__(self) -> Self:
        """Start."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""

    async def wait(self) -> None:
        """Return, or raise, when it has ended by itself."""


async def serve(bus: Serving) -> None:
    """Serve until SIGTERM or SIGINT, then stop gracefully; raise what ends it before."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        async with bus:
            ends = [asyncio.create_task(stopping.wait()), asyncio.create_task(bus.wait())]
            done, rest = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            for task in done:
                task.result()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
