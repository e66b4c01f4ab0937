"""The demo's child processes: started in one process group, watched, and ended with the demo.

If the demo is killed, the group's guard ends them.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from connectors.demo import guard
from connectors.demo.options import DemoError

__all__ = ["GOVBUS", "DemoProcesses"]

GOVBUS = ("-c", "from bus.cli import main; main()")
"""Arguments of Python that run the command `govbus`."""

STOP_SECONDS = 5.0
READY_SECONDS = 30.0
LOOK_SECONDS = 0.05


class DemoProcesses:
    """The child processes of one run; a context manager that ends them.

    Args:
        folder: The demo's folder; each process logs to a file in its `logs`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._logs = folder / "logs"
        self._logs.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._guard = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", guard.__file__, str(folder), str(STOP_SECONDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )

    def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Start a Python program.

        Args:
            name: Its name in messages, in telemetry and of its log.
            arguments: The arguments of Python.
            environment: Variables added to those of the demo.
        """
        variables = {"OTEL_SERVICE_NAME": f"govbus-{name}", **os.environ, **(environment or {})}
        with (self._logs / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 - our own programs
                [sys.executable, "-P", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=variables,
                process_group=self._guard.pid,  # out of reach of Ctrl-C, which the demo handles
            )

    async def output(self, *arguments: str, environment: Mapping[str, str]) -> bytes | None:
        """Run a Python program to its end and return what it printed; None when it failed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, **environment},
            process_group=self._guard.pid,
        )
        try:
            printed, _ = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        return None if process.returncode else printed

    async def wait_for(self, file: Path) -> None:
        """Wait until a process has written a file.

        Raises:
            DemoError: A process ended, or the file was not written in time.
        """
        until = time.monotonic() + READY_SECONDS
        while not file.exists():  # noqa: ASYNC240 - a local file
            self.check()
            if time.monotonic() > until:
                raise DemoError(
                    f"the demo did not start within {READY_SECONDS:.0f} s - the machine is busy - try again"
                )
            await asyncio.sleep(LOOK_SECONDS)

    def check(self) -> None:
        """Check that all processes run.

        Raises:
            DemoError: One has ended; the message has its name, its last line and the folder of the logs.
        """
        for name, process in {**self._running, "guard": self._guard}.items():
            code = process.poll()
            if code is not None:
                (self._folder / guard.KEPT).touch()
                last = _last_line(self._logs / f"{name}.log")
                raise DemoError(f"{name} ended with {code} - {last} - see the logs in {self._logs}")

    def __enter__(self) -> DemoProcesses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._signal(signal.SIGTERM)
        until = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
        self._signal(signal.SIGKILL)
        for process in (*self._running.values(), self._guard):
            process.wait()
        if self._guard.stdin is not None:
            self._guard.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):  # the group has ended
            os.killpg(self._guard.pid, number)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
