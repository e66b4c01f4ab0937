"""A run in which the partitions of the published event grow, and the operator who does it is killed midway.

`python -m tests.crash.growth_trial FOLDER` is that operator; its settings come from the environment.
"""

import asyncio
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

from bus import Bus, Settings
from bus.cluster.rollout import Author, Rollout
from bus.crash.agencies import drafts
from bus.crash.processes import Processes
from bus.crash.trial import publish_until_acknowledged
from bus.crash.verdict import Accepted
from bus.kafka.cluster import Cluster
from bus.topics import REGISTRY_TOPIC
from tests.crash.subscriber_trial import SubscriberTrial
from tests.granted import make_keys

KEYS = 24
GROWTH = "growth"
BEFORE, AFTER = 3, 7
TODAY = date(2026, 11, 30)
OPERATOR_SECONDS = 240
LEAST_SECONDS, MOST_SECONDS = 1.5, 8.0
"""After its start an operator is killed: in a pause, before it, or when it has done its work."""
LAST_EVENTS = 120


@dataclass(slots=True)
class GrowthTrial(SubscriberTrial):
    """A run whose publisher and subscriber follow a registry."""

    keys: dict[str, Path] = field(default_factory=dict)

    async def prepare(self) -> None:
        """Apply the catalogue, with a registry of its own: that of an earlier run held another repo."""
        self.keys = make_keys(self.folder)
        self.settings = self.settings.model_copy(update=dict(self.keys))
        async with Cluster.open(self.settings) as cluster:
            await cluster.delete_topic(REGISTRY_TOPIC)
        applied = await Rollout(self.agencies.folder, settings=self.settings).apply(TODAY, Author("a trial"))
        assert not applied.refusals, applied.refusals

    def environment(self) -> dict[str, str]:
        """Name the catalogue and the keys."""
        keys = {f"GOVBUS_{name.upper()}": str(path) for name, path in self.keys.items()}
        return {**SubscriberTrial.environment(self), **keys}

    def write_partitions(self, count: int) -> None:
        """Write over how many partitions cases are to be spread."""
        place = self.agencies.folder / "agencies" / self.agencies.north / "case-opened" / "contract.yaml"
        place.write_text(yaml.safe_dump({**yaml.safe_load(place.read_text()), "partitions": count}))

    def operator(self) -> "subprocess.Popen[bytes]":
        """Start to grow them."""
        variables = {"GOVBUS_BOOTSTRAP_SERVERS": self.settings.bootstrap_servers, **self.environment()}
        with (self.folder / "operator.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.crash.growth_trial", str(self.agencies.folder)],
                env={**os.environ, **variables},
                stdout=log,
                stderr=log,
            )

    async def publish(self) -> None:
        """Publish steadily until the partitions have grown, and a burst after that."""
        agencies = self.agencies
        async with Bus(agencies.north, settings=self.settings, catalog=agencies.catalog) as bus:
            async for numbers in self._steadily():
                batch = drafts(numbers, KEYS)
                receipts = await publish_until_acknowledged(bus, agencies.opened, batch, "1.0")
                self.accepted += [
                    Accepted((receipt.partition, receipt.offset), draft.key or "", draft.data["number"])
                    for receipt, draft in zip(receipts, batch, strict=True)
                ]
        self.events = len(self.accepted)
        self.struck = self.struck and any(one.position[0] == AFTER - 1 for one in self.accepted)

    async def _steadily(self) -> AsyncIterator[range]:
        for start in itertools.count(0, KEYS):
            if self.over.is_set():
                yield range(start, start + LAST_EVENTS)
                return
            yield range(start, start + KEYS)
            await asyncio.sleep(0.1)


async def growth(trial: Processes) -> None:
    """Grow the partitions, kill the operator at a random moment, and let the next one finish."""
    assert isinstance(trial, GrowthTrial)
    trial.start("one")
    await trial.has_handled(1 / 12)
    trial.write_partitions(AFTER)
    first = trial.operator()
    await asyncio.sleep(trial.chance.uniform(LEAST_SECONDS, MOST_SECONDS))
    first.kill()
    await asyncio.to_thread(first.wait)
    second = trial.operator()
    try:
        trial.struck = await asyncio.to_thread(second.wait, OPERATOR_SECONDS) == 0
    except subprocess.TimeoutExpired:
        second.kill()
        trial.struck = False


if __name__ == "__main__":
    operator = Rollout(Path(sys.argv[1]), settings=Settings(), grow=True, tell=print)
    sys.exit(bool(asyncio.run(operator.apply(TODAY, Author("an operator"), print)).refusals))
