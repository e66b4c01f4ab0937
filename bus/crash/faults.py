"""What strikes: a kill at each named point, a sleeper who wakes, a broker killed, cut off or full."""

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType

from bus.crash.network import Link
from bus.crash.trial import Fault, Trial
from bus.crash_points import POINTS
from bus.embedded.kafka import EmbeddedKafka
from bus.settings import Settings

BOTH = ("at-least-once", "exactly-once")
ONLY_EXACT = frozenset({"inside-transaction", "after-sends", "after-offset-record"})
ONLY_LEAST = frozenset({"after-receipts"})
ONLY_COUNTRY = frozenset({"slow-handler"})
"""Faults of the kit's own handler."""
ASLEEP_SECONDS = 13.0
"""Longer than a group waits for a member, 10 s."""
CUT_SECONDS = 4.0
DISK = "48m"


def _passings(trial: Trial, point: str) -> int:
    """Return at which passing of a point to strike, so that it is somewhere in the middle of the run."""
    if point == "after-handler":
        return trial.chance.randint(trial.events // 12, trial.events * 3 // 4)
    return trial.chance.randint(2, 8)


def kill_at(point: str) -> Fault:
    """Return a fault that kills a subscriber at a point, and starts it again under its name."""

    async def strike(trial: Trial) -> None:
        trial.start("one", f"{point}:{_passings(trial, point)}:SIGKILL")
        await trial.dead("one")
        trial.restarted_at = time.time()
        trial.start("one")

    return strike


async def kill_in_rebalance(trial: Trial) -> None:
    """Let a second subscriber come, and kill the first while it hands over."""
    trial.start("one", "during-rebalance:1:SIGKILL")
    await trial.has_handled(1 / 12)
    trial.start("two")
    await trial.dead("one")
    trial.restarted_at = time.time()
    trial.start("one")


async def zombie(trial: Trial) -> None:
    """Let a subscriber sleep until the group has given its partitions away, then wake it."""
    first = trial.start("one")
    await trial.has_handled(trial.chance.uniform(1 / 24, 1 / 4))
    trial.start("two")
    await asyncio.sleep(trial.chance.random() * 3)
    first.send_signal(signal.SIGSTOP)
    await asyncio.sleep(ASLEEP_SECONDS)
    first.send_signal(signal.SIGCONT)


async def slow_handler(trial: Trial) -> None:
    """Let one handler take three times as long as it may."""
    trial.start("one")
    await trial.has_handled(1 / 3)


def near(servers: str) -> Settings:
    """Return how to reach a broker of this machine, whichever cluster the environment tells of."""
    return Settings(bootstrap_servers=servers, security_protocol="PLAINTEXT", instance=None)


class Broker:
    """A broker of one's own, which may be killed."""

    def __init__(self, node: EmbeddedKafka, link: Link | None = None, disk: Path | None = None) -> None:
        self._node = node
        self._link = link
        self._disk = disk
        self.settings = near(node.bootstrap_servers)

    async def killed(self, trial: Trial) -> None:
        """Kill it while everybody works, and start it again."""
        trial.start("one")
        await trial.has_handled(trial.chance.uniform(1 / 24, 5 / 12))
        await asyncio.to_thread(self._node.kill)
        await asyncio.sleep(trial.chance.random())
        trial.restarted_at = time.time()
        await asyncio.to_thread(self._node.restart)

    async def paused(self, trial: Trial) -> None:
        """Let it stand still for a while."""
        trial.start("one")
        await trial.has_handled(trial.chance.uniform(1 / 24, 5 / 12))
        await asyncio.to_thread(self._node.pause)
        await asyncio.sleep(CUT_SECONDS)
        trial.restarted_at = time.time()
        await asyncio.to_thread(self._node.resume)

    async def cut_off(self, trial: Trial) -> None:
        """Cut everybody off from it, with or without a word."""
        assert self._link is not None  # noqa: S101 - given where it is needed
        trial.start("one")
        await trial.has_handled(trial.chance.uniform(1 / 24, 5 / 12))
        self._link.cut(silently=trial.chance.random() < 0.5)
        await asyncio.sleep(CUT_SECONDS)
        trial.restarted_at = time.time()
        self._link.restore()

    async def full(self, trial: Trial) -> None:
        """Fill its disk until it gives up, then make room and start it again."""
        assert self._disk is not None  # noqa: S101 - given where it is needed
        trial.start("one")
        await trial.has_handled(1 / 12)
        ballast = self._disk / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(CUT_SECONDS)
        await asyncio.to_thread(ballast.unlink)
        if self._node.is_running:
            await asyncio.to_thread(self._node.kill)
        trial.restarted_at = time.time()
        await asyncio.to_thread(self._node.restart)


def _fill(ballast: Path) -> None:
    block = bytes(1 << 16)
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(block)
    except OSError:
        return


SHARED: Mapping[str, Fault] = MappingProxyType(
    {
        **{f"kill {point}": kill_at(point) for point in POINTS if point != "during-rebalance"},
        "kill during-rebalance": kill_in_rebalance,
        "zombie": zombie,
        "slow-handler": slow_handler,
    }
)
"""Faults that leave the broker alone."""

OWN: Mapping[str, Callable[[Broker], Fault]] = MappingProxyType(
    {
        "broker killed": lambda broker: broker.killed,
        "broker paused": lambda broker: broker.paused,
        "network cut": lambda broker: broker.cut_off,
        "disk full": lambda broker: broker.full,
    }
)
"""Faults of a broker; each run has one of its own."""

NAMES = (*SHARED, *OWN)


def guarantees_of(name: str) -> tuple[str, ...]:
    """Return under which guarantees a fault can strike."""
    point = name.removeprefix("kill ")
    if point in ONLY_EXACT:
        return ("exactly-once",)
    return ("at-least-once",) if point in ONLY_LEAST else BOTH


def missing(name: str) -> str:
    """Return why a fault cannot strike on this machine; nothing where it can."""
    if name == "disk full" and os.geteuid() != 0:
        return "needs root, to mount a small disk"
    return ""


@asynccontextmanager
async def fault_for(name: str) -> AsyncIterator[tuple[Settings, Fault]]:
    """Start a broker for one run of any fault, and return how to reach it and what strikes."""
    with tempfile.TemporaryDirectory(prefix="govbus-disk-") as folder:
        async with _broker(name, Path(folder)) as broker:
            yield broker.settings, OWN[name](broker) if name in OWN else SHARED[name]


@asynccontextmanager
async def behind_a_link() -> AsyncIterator[Broker]:
    """Start a broker that everybody reaches over a network that can be cut."""
    async with Link() as link:
        node = EmbeddedKafka(advertised=(link.address,))
        await asyncio.to_thread(node.start)
        link.target = node.addresses[0]
        try:
            broker = Broker(node, link)
            broker.settings = near(link.address)
            yield broker
        finally:
            await asyncio.to_thread(node.stop)


@asynccontextmanager
async def _broker(name: str, folder: Path) -> AsyncIterator[Broker]:
    if name == "network cut":
        async with behind_a_link() as broker:
            yield broker
        return
    disk = folder if name == "disk full" else None
    if disk is not None:
        await _mount("mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk))
    node = EmbeddedKafka(disk / "kafka" if disk is not None else None)
    try:
        await asyncio.to_thread(node.start)
        yield Broker(node, disk=disk)
    finally:
        await asyncio.to_thread(node.stop)
        if disk is not None:
            await _mount("umount", "--lazy", str(disk))


async def _mount(*command: str) -> None:
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
