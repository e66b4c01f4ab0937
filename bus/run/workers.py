"""The processes of `govbus run --workers N`: started, watched, and stopped gracefully, all of one program.

Law of this file: a worker that is killed by a signal is started again; one that ends by itself ends all, with
its code, since the others would meet the same. A worker whose parent is gone stops too: its stdin ends.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from watchfiles import Change, DefaultFilter, awatch

from bus.settings import Settings
from contracts import visible_logger

logger = visible_logger("govbus.workers")

PAUSE_SECONDS = 1.0
"""Before a worker that was killed is started again."""
SPARE_SECONDS = 10.0
"""What a worker may take for its end beyond its own limits, before it is killed."""
WATCHED = (".py", ".yaml", ".yml", ".json", ".toml", ".env")


class Workers:
    """Runs processes of one program until a signal stops them.

    Args:
        command: the program and its arguments.
        count: how many processes.
        settings: the instance, the port of health and the limits of a stop.
    """

    def __init__(self, command: Sequence[str], count: int, settings: Settings) -> None:
        self._command = command
        self._count = count
        self._settings = settings
        self._stopping = asyncio.Event()
        self._grace = settings.stop_timeout_seconds + settings.publish_timeout_seconds + SPARE_SECONDS

    async def run(self, *, reload: bool = False) -> int:
        """Run until SIGTERM or SIGINT, or until a worker ends by itself.

        Args:
            reload: whether to start anew whenever a file of the working directory changes; a program that
                fails is then waited for until it has changed.

        Returns:
            The exit code: 0 after a signal, else that of the worker.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        try:
            return await (self._reloaded() if reload else self._once(asyncio.Event()))
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def _reloaded(self) -> int:
        async with aclosing(
            awatch(Path.cwd(), watch_filter=_is_watched, stop_event=self._stopping)
        ) as changes:
            while not self._stopping.is_set():
                changed = asyncio.Event()
                looking = asyncio.create_task(_next(changes, changed))
                code = await self._once(changed)
                if code and not changed.is_set():
                    logger.error("the program ended with %d; it is started again when a file changes", code)
                await looking
        return 0

    async def _once(self, changed: asyncio.Event) -> int:
        """Run until a signal, a change or the first worker that ends by itself; stop the others."""
        ends = [asyncio.create_task(event.wait()) for event in (self._stopping, changed)]
        workers = [asyncio.create_task(self._worker(number)) for number in range(self._count)]
        try:
            await asyncio.wait([*ends, *workers], return_when=asyncio.FIRST_COMPLETED)
            return next((worker.result() for worker in workers if worker.done()), 0)
        finally:
            for task in (*ends, *workers):
                task.cancel()
            await asyncio.gather(*ends, *workers, return_exceptions=True)

    async def _worker(self, number: int) -> int:
        """Run one worker until it ends by itself; return its code. A cancellation stops it gracefully."""
        while True:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, env=self._environment(number)
            )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                await self._stop(process)
                raise
            if code >= 0:
                return code
            logger.warning("worker %d was killed by signal %d, and is started again", number + 1, -code)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(self._grace):
                await process.wait()
        except TimeoutError:
            logger.error("a worker did not stop within %.0f s, and is killed", self._grace)
            process.kill()
            await process.wait()

    def _environment(self, number: int) -> Mapping[str, str]:
        """Return the variables of a worker: each has its own name, and its own port for its health."""
        found = dict(os.environ)
        if self._count > 1 and self._settings.instance:
            found["GOVBUS_INSTANCE"] = f"{self._settings.instance}-{number + 1}"
        if self._settings.health_port:
            found["GOVBUS_HEALTH_PORT"] = str(self._settings.health_port + number)
        return found


def command_of(app: str, options: Sequence[str] = ()) -> list[str]:
    """Return the command of a worker, which ends when its parent does.

    Args:
        app: the program, `MODULE:BUS`.
        options: options of `govbus` for it.
    """
    return [sys.executable, "-m", "bus", *options, "run", app, "--is-worker"]


async def _next(changes: AsyncIterator[set[tuple[Change, str]]], changed: asyncio.Event) -> None:
    async for found in changes:
        logger.info("changed: %s", ", ".join(sorted({Path(name).name for _, name in found})))
        break
    changed.set()


class _Watched(DefaultFilter):
    def __call__(self, change: Change, path: str) -> bool:
        return path.endswith(WATCHED) and super().__call__(change, path)


_is_watched = _Watched()
