"""The demo's child processes: started with a lifeline, logging to files, stopped together."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from connectors.demo import lifeline

__all__ = ["ChildDiedError", "Children"]

STOP_SECONDS = 5.0


class ChildDiedError(Exception):
    """A child process ended although the demo goes on."""

    retriable = False
    reason = "child-died"


class Children:
    """A family of processes that ends with its parent, also when the parent is killed.

    Args:
        logs: The folder their output goes to, one file per child.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._reading, self._writing = os.pipe()

    def start(self, name: str, arguments: Sequence[str]) -> None:
        """Start a program under a name.

        Args:
            name: What messages and the log file call it.
            arguments: What `connectors/demo/lifeline.py` is to be, and its arguments.
        """
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - our own modules
                [sys.executable, "-P", lifeline.__file__, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, lifeline.VARIABLE: str(self._reading)},
                pass_fds=[self._reading],
                start_new_session=True,  # Ctrl-C reaches the parent only, which stops them in order
            )

    def check(self) -> None:
        """Do nothing while all of them run.

        Raises:
            ChildDiedError: One ended by itself; the message names it, its last words and its log.
        """
        for name, process in self._processes.items():
            code = process.poll()
            if code is not None:
                log = self._logs / f"{name}.log"
                raise ChildDiedError(
                    f"{name} ended with {code} - {_last_line(log)} - see the logs in {self._keep()}"
                )

    def _keep(self) -> Path:
        (self._logs.parent / "keep").touch()
        return self._logs

    def stop(self) -> None:
        """Ask all of them to stop, wait a little, and end those that don't."""
        for process in self._processes.values():
            process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        os.close(self._reading)
        os.close(self._writing)


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
