"""One run: events are published, a fault strikes, everybody comes back, and the books are compared."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bus.bus import Bus
from bus.crash.country import Country
from bus.crash.verdict import Accepted, Handled, Verdict, judge
from bus.crash_points import VARIABLE
from bus.errors import BusError
from bus.kafka.admin import apply_topics
from bus.kafka.consumer import open_consumer
from bus.publisher import Draft
from bus.settings import Settings

EVENTS, KEYS, BURST = 1_200, 24, 100
MAX_UNCOMMITTED = 300
PATIENCE_SECONDS = 90.0
CHILD = ("-m", "bus.crash.child")
"""The subscriber that is killed, as Python's arguments."""
LOOK_SECONDS = 0.05
QUIET_POLLS = 4


@dataclass(slots=True)
class Trial:
    """What a fault works with.

    Args:
        settings: the cluster.
        guarantee: `at-least-once` or `exactly-once`.
        fault: what strikes.
        seed: makes the run the same again.
        servers: where the children find the cluster, if elsewhere.
    """

    settings: Settings
    guarantee: str
    fault: str
    seed: int
    servers: str | None = None
    chance: random.Random = field(init=False)
    folder: Path = field(init=False)
    country: Country = field(init=False)
    children: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    accepted: list[Accepted] = field(default_factory=list)
    restarted_at: float | None = None
    struck: bool = True
    """Whether the fault came; a run without it proves nothing."""

    @property
    def journal(self) -> Path:
        """Where the children write down what they have handled."""
        return self.folder / "journal"

    def start(self, instance: str, crash: str = "") -> "subprocess.Popen[bytes]":
        """Start a child under a name; it kills itself as `crash` says."""
        environment = {
            **os.environ,
            **_variables(self.settings),
            "GOVBUS_BOOTSTRAP_SERVERS": self.servers or self.settings.bootstrap_servers,
            "GOVBUS_CATALOG": str(self.country.folder),
            "GOVBUS_INSTANCE": instance,
            "GOVBUS_MAX_UNCOMMITTED": str(MAX_UNCOMMITTED),
            "GOVBUS_MAX_POLL_RECORDS": "50",
            "GOVBUS_MAX_TRANSACTION_RECORDS": "50",
            VARIABLE: crash,
        }
        country = self.country
        arguments = [country.south, country.opened, country.closed, str(self.journal)]
        with (self.folder / f"{instance}.log").open("ab") as log:
            self.children[instance] = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *CHILD, *arguments, self.guarantee, self.fault],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        return self.children[instance]

    async def dead(self, instance: str) -> None:
        """Wait until a child has killed itself; without that nothing was struck."""
        try:
            await asyncio.to_thread(self.children[instance].wait, PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.struck = False
            self.children[instance].kill()

    async def has_handled(self, events: int) -> None:
        """Wait until that many events were handled."""
        await self.until(lambda: len(self.handled()) >= events)

    async def until(self, check: Callable[[], Any]) -> None:
        """Wait until something holds; give up after `PATIENCE_SECONDS`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not check() and time.monotonic() < deadline:  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(LOOK_SECONDS)

    def handled(self) -> list[Handled]:
        """Return what the children have written down."""
        if not self.journal.exists():
            return []
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        return [
            Handled(float(at), (int(partition), int(offset)), key, int(number))
            for at, partition, offset, key, number in (line for line in lines if len(line) == 5)
        ]


Fault = Callable[[Trial], Awaitable[None]]


async def run(trial: Trial, strike: Fault) -> Verdict:
    """Publish while a fault strikes, let everybody finish, and judge."""
    trial.chance = random.Random(f"{trial.fault} {trial.seed}")  # noqa: S311 - repeatable, not secret
    with tempfile.TemporaryDirectory(prefix="govbus-crash-") as folder:
        trial.folder = Path(folder)
        trial.country = Country(trial.folder / "catalog")
        await apply_topics(trial.settings, trial.country.catalog)
        publishing = asyncio.create_task(_publish(trial))
        try:
            await strike(trial)
            await publishing
            wanted = {one.place for one in trial.accepted}
            await trial.until(lambda: wanted <= {one.place for one in trial.handled()})
            published = await _published(trial) if trial.guarantee == "exactly-once" else None
        finally:
            publishing.cancel()
            for child in trial.children.values():
                child.send_signal(signal.SIGKILL)
                await asyncio.to_thread(child.wait, 10)
        return judge(
            trial.accepted,
            trial.handled(),
            published=published,
            restarted_at=trial.restarted_at,
            struck=trial.struck,
        )


async def _publish(trial: Trial) -> None:
    """Publish in bursts; what is not acknowledged is published again under its id."""
    country = trial.country
    async with Bus(country.north, settings=trial.settings, catalog=country.catalog) as bus:
        for start in range(0, EVENTS, BURST):
            drafts = [
                Draft({"reference": f"key-{n % KEYS}", "number": n}, key=f"key-{n % KEYS}", id=f"case-{n}")
                for n in range(start, start + BURST)
            ]
            while True:
                try:
                    receipts = await bus.publish_many(country.opened, drafts)
                    break
                except BusError:
                    await asyncio.sleep(0.5)
            trial.accepted += [
                Accepted((receipt.partition, receipt.offset), draft.key or "", draft.data["number"])
                for receipt, draft in zip(receipts, drafts, strict=True)
            ]
            await asyncio.sleep(0.15)


async def _published(trial: Trial) -> list[int]:
    """Return the numbers that a reader of committed records sees, once no more come."""
    found: list[int] = []
    topic, group = f"{trial.country.closed}.v1", f"{trial.country.south}.count"
    async with open_consumer(trial.settings, group=group, topics=[topic]) as consumer:
        quiet, deadline = 0, time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline and (len(set(found)) < len(trial.accepted) or quiet < QUIET_POLLS):
            batches = await consumer.poll(0.25, 10_000)
            quiet = 0 if batches else quiet + 1
            found += [
                orjson.loads(record.value or b"{}")["number"]
                for records in batches.values()
                for record in records
            ]
    return found


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
