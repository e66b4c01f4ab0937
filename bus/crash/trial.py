"""Where a fault strikes: child processes, what they are fed, and what is known of them afterwards.

Law of this file: a child dies by the fault or is ended by the kit; one that ends by itself is a finding, and
what it said is kept.
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
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bus.crash_points import VARIABLE
from bus.draft import Draft, Receipt
from bus.errors import BusError, RefusedError
from bus.publish.surface import Publishing
from bus.settings import Settings

MAX_UNCOMMITTED = 300
PATIENCE_SECONDS = 90.0
LOOK_SECONDS = 0.05
BURSTS = 12
BURST_SECONDS = 0.15
TRICKLE = 16
"""The part of what is left that is published at once while a fault strikes."""
LAST_WORDS = 12
"""Lines of the log of a child that ended by itself."""


@dataclass(slots=True)
class Trial(ABC):
    """What a fault works with.

    Args:
        settings: the cluster.
        fault: what strikes.
        seed: makes the run the same again.
        events: how many are published.
        servers: where the children find the cluster, if elsewhere.
    """

    settings: Settings
    fault: str
    seed: int
    events: int = 1_200
    servers: str | None = None
    chance: random.Random = field(init=False)
    folder: Path = field(init=False)
    children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether the fault has struck, and everybody was started again."""
    restarted_at: float | None = None
    struck: bool = True
    """Whether the fault came; a run without it proves nothing."""
    ended: str = ""
    """The last words of a child that ended by itself."""

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.fault} {self.seed}")  # noqa: S311 - repeatable, not secret

    @abstractmethod
    def command(self) -> list[str]:
        """Return the subscriber's program, as Python's arguments."""

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Return what the subscriber's program finds in its environment, beside the cluster."""

    @abstractmethod
    async def publish(self) -> None:
        """Publish, and note what the bus acknowledges."""

    @abstractmethod
    def count_handled(self) -> int:
        """Return how many events were handled so far."""

    @abstractmethod
    def has_settled(self) -> bool:
        """Whether everything that was published is done with."""

    def start(self, instance: str, crash: str = "") -> "subprocess.Popen[bytes]":
        """Start a child under a name; it kills itself as `crash` says."""
        environment = {
            **os.environ,
            **_variables(self.settings),
            "GOVBUS_BOOTSTRAP_SERVERS": self.servers or self.settings.bootstrap_servers,
            "GOVBUS_INSTANCE": instance,
            "GOVBUS_MAX_UNCOMMITTED": str(MAX_UNCOMMITTED),
            "GOVBUS_MAX_POLL_RECORDS": "50",
            "GOVBUS_MAX_TRANSACTION_RECORDS": "50",
            **self.environment(),
            VARIABLE: crash,
        }
        with self._log(instance).open("ab") as log:
            self.children[instance] = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *self.command()], env=environment, stdout=log, stderr=log
            )
        return self.children[instance]

    async def bursts(self, count: int) -> AsyncIterator[range]:
        """Yield which of `count` events to publish next, so that there are some before, during and after.

        Once somebody is at work half come in bursts, then fewer and fewer as long as the fault takes, and the
        last once it is over.
        """
        burst, start = max(1, count // BURSTS), 0
        while start < count:
            size, left = burst, count - start
            if start >= count // 2 and not self.over.is_set():
                if left <= burst:
                    await self.over.wait()
                size = min(burst, max(1, (left - burst) // TRICKLE))
            yield range(start, min(start + size, count))
            start += size
            await self.until(self.count_handled)
            await asyncio.sleep(BURST_SECONDS)

    async def dead(self, instance: str) -> None:
        """Wait until a child has killed itself; without that nothing was struck."""
        child = self.children[instance]
        try:
            code = await asyncio.to_thread(child.wait, PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.struck = False
            child.kill()
            return
        if code != -signal.SIGKILL:
            self.struck = False
            self._note_end(instance, code)

    async def has_handled(self, share: float) -> None:
        """Wait until that share of the events was handled."""
        await self.until(lambda: self.count_handled() >= share * self.events)

    async def until(self, check: Callable[[], Any]) -> None:
        """Wait until something holds; give up after `PATIENCE_SECONDS`, or when no child is left."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not check() and time.monotonic() < deadline:
            if self.children and all(child.poll() is not None for child in self.children.values()):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def end(self) -> None:
        """End every child, and note which ended before."""
        for instance, child in self.children.items():
            if (code := child.poll()) is not None and self.struck and not self.ended:
                self._note_end(instance, code)
            child.send_signal(signal.SIGKILL)
            await asyncio.to_thread(child.wait, 10)

    def look(self, instance: str) -> None:
        """Note the end of a child that has ended by itself."""
        child = self.children.get(instance)
        if child is not None and (code := child.poll()) not in (None, -signal.SIGKILL) and not self.ended:
            self._note_end(instance, code)

    def _note_end(self, instance: str, code: int) -> None:
        said = self._log(instance).read_text(errors="replace").splitlines()[-LAST_WORDS:]
        self.ended = "\n".join([f"process `{instance}` ended by itself with {code}", *said])

    def _log(self, instance: str) -> Path:
        return self.folder / f"{instance}.log"

    def keep(self) -> str:
        """Keep the logs of a run that is a finding; return where."""
        kept = tempfile.mkdtemp(prefix="govbus-crash-logs-")
        for log in self.folder.glob("*.log"):
            shutil.copy(log, kept)
        return kept


Fault = Callable[[Trial], Awaitable[None]]


async def strike_while_publishing(trial: Trial, strike: Fault) -> None:
    """Publish while a fault strikes, and let everybody finish.

    Raises:
        BusError: what was to be published is refused.
    """
    tasks = [asyncio.create_task(_strike(trial, strike)), asyncio.create_task(trial.publish())]
    try:
        await asyncio.gather(*tasks)
        await trial.until(trial.has_settled)
    finally:
        for task in tasks:
            task.cancel()


async def _strike(trial: Trial, strike: Fault) -> None:
    await strike(trial)
    trial.over.set()


async def publish_surely(
    bus: Publishing, subject: str, drafts: list[Draft], version: str | None = None
) -> list[Receipt]:
    """Publish; what is not acknowledged is published again under its id.

    Raises:
        RefusedError: an event is wrong; no repeating will mend it.
    """
    while True:
        try:
            return await bus.publish_many(subject, drafts, version=version)
        except RefusedError:
            raise
        except BusError:
            await asyncio.sleep(0.5)


def _variables(settings: Settings) -> dict[str, str]:
    """Return what a child needs to reach the cluster, secrets included, by its environment alone."""
    said = {
        "GOVBUS_SECURITY_PROTOCOL": settings.security_protocol,
        "GOVBUS_SASL_MECHANISM": settings.sasl_mechanism,
    }
    if settings.sasl_username and settings.sasl_password is not None:
        said["GOVBUS_SASL_USERNAME"] = settings.sasl_username
        said["GOVBUS_SASL_PASSWORD"] = settings.sasl_password.get_secret_value()
    return said
