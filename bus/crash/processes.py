"""The processes of one program under a fault: started, killed, watched and ended.

Law of this file: a process ends by the fault or by the kit; one that ends by itself is a finding, and the
last lines of its log are kept.
"""

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bus.crash_points import VARIABLE
from bus.settings import Settings

MAX_UNCOMMITTED = 300
PATIENCE_SECONDS = 90.0
LOOK_SECONDS = 0.05
LAST_LINES = 12
"""Lines kept from the log of a process that ended by itself."""


@dataclass(slots=True)
class Processes(ABC):
    """The processes of one program, each under a name.

    Args:
        settings: the cluster.
        fault: the name of the fault.
        seed: the same seed makes the same random choices.
        events: how many events are published.
    """

    settings: Settings
    fault: str
    seed: int
    events: int = 1_200
    chance: random.Random = field(init=False)
    folder: Path = field(init=False)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    restarted_at: float | None = None
    """When a process or the broker was started again, in seconds since the epoch."""
    struck: bool = True
    """Whether the fault happened; a run without it proves nothing."""
    ended: str = ""
    """The last lines of a process that ended by itself."""

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.fault} {self.seed}")  # noqa: S311 - repeatable, not secret

    @abstractmethod
    def command(self) -> list[str]:
        """Return the program, as arguments of Python."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return the variables of the program, without those of the cluster."""

    @abstractmethod
    async def has_handled(self, share: float) -> None:
        """Wait until that share of the events is handled."""

    def start(self, name: str, crash: str = "", instance: str = "") -> "subprocess.Popen[bytes]":
        """Start a process.

        Args:
            name: how the kit calls it.
            crash: where it kills itself, see `bus.crash_points`.
            instance: its `GOVBUS_INSTANCE`; its name if empty.
        """
        environment = {
            **os.environ,
            **_cluster(self.settings),
            "GOVBUS_INSTANCE": instance or name,
            "GOVBUS_MAX_UNCOMMITTED": str(MAX_UNCOMMITTED),
            "GOVBUS_MAX_POLL_RECORDS": "50",
            **self.environment(),
            VARIABLE: crash,
        }
        with self._log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *self.command()], env=environment, stdout=log, stderr=log
            )
        return self.running[name]

    async def killed(self, name: str) -> None:
        """Wait until a process has killed itself; otherwise the fault did not happen."""
        await self.ends(name, -signal.SIGKILL)

    async def ends(self, name: str, expected: int) -> None:
        """Wait until a process ends with a code; otherwise the fault did not happen."""
        process = self.running.pop(name)
        try:
            code = await asyncio.to_thread(process.wait, PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.struck = False
            process.kill()
            return
        if code != expected:
            self.struck = False
            self._note_end(name, code)

    async def until(self, check: Callable[[], Any]) -> None:
        """Wait until something holds; give up after `PATIENCE_SECONDS`, or when no process is left."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not check() and time.monotonic() < deadline:
            if self.running and all(process.poll() is not None for process in self.running.values()):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def end(self) -> None:
        """Kill every process, and note which one had ended before."""
        for name, process in self.running.items():
            if (code := process.poll()) is not None and self.struck and not self.ended:
                self._note_end(name, code)
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait, 10)

    def look(self, name: str) -> None:
        """Note the end of a process that has ended by itself."""
        process = self.running.get(name)
        if process is not None and (code := process.poll()) not in (None, -signal.SIGKILL) and not self.ended:
            self._note_end(name, code)

    def _note_end(self, name: str, code: int) -> None:
        lines = self._log(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
        self.ended = "\n".join([f"process `{name}` ended by itself with {code}", *lines])

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def keep_logs(self) -> str:
        """Copy the logs out of the folder of the run, and return where they are."""
        kept = tempfile.mkdtemp(prefix="govbus-crash-logs-")
        for log in self.folder.glob("*.log"):
            shutil.copy(log, kept)
        return kept


ProcessFault = Callable[[Processes], Awaitable[None]]
"""Starts the processes, and makes a fault happen to them."""


def _cluster(settings: Settings) -> dict[str, str]:
    """Return what a process needs to reach the cluster; secrets go by the environment alone."""
    variables = {
        "GOVBUS_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "GOVBUS_SECURITY_PROTOCOL": settings.security_protocol,
        "GOVBUS_SASL_MECHANISM": settings.sasl_mechanism,
    }
    if settings.sasl_username and settings.sasl_password is not None:
        variables["GOVBUS_SASL_USERNAME"] = settings.sasl_username
        variables["GOVBUS_SASL_PASSWORD"] = settings.sasl_password.get_secret_value()
    return variables
