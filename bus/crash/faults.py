"""The faults: a kill at each crash point, a paused process, a broker killed, paused, cut off or full."""

import asyncio
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType

from bus.crash.network import Link
from bus.crash.processes import Processes, ProcessFault
from bus.crash_points import POINTS
from bus.embedded.kafka import EmbeddedKafka
from bus.settings import Settings

GUARANTEES = ("at-least-once", "exactly-once")
ONLY = MappingProxyType(
    {
        "kill after-publish": ("at-least-once",),
        "kill after-receipts": ("at-least-once",),
        "kill inside-transaction": ("exactly-once",),
        "kill after-sends": ("exactly-once",),
        "kill after-offset-record": ("exactly-once",),
    }
)
"""Faults that happen under one guarantee only."""
NOT_ANYWHERE = ("after-publish", "during-rebalance")
"""Points that a program reaches if its handlers publish at least once, or if a second process joins."""
ASLEEP_SECONDS = 13.0
"""Longer than the session timeout of a group, 10 s."""
CUT_SECONDS = 4.0
DISK = "48m"


def _call(processes: Processes, point: str) -> int:
    """Return at which call of a crash point to kill, somewhere in the middle of the run."""
    if point == "after-handler":
        return processes.chance.randint(processes.events // 12, processes.events * 3 // 4)
    return processes.chance.randint(2, 8)


def kill_at(point: str) -> ProcessFault:
    """Return a fault that kills a subscriber at a crash point, and starts it again under its name."""

    async def kill(processes: Processes) -> None:
        processes.start("one", f"{point}:{_call(processes, point)}:SIGKILL")
        await processes.killed("one")
        processes.restarted_at = time.time()
        processes.start("one")

    return kill


async def kill_in_rebalance(processes: Processes) -> None:
    """Start a second subscriber, and kill the first while it hands over partitions."""
    processes.start("one", "during-rebalance:1:SIGKILL")
    await processes.has_handled(1 / 12)
    processes.start("two")
    await processes.killed("one")
    processes.restarted_at = time.time()
    processes.start("one")


async def zombie(processes: Processes) -> None:
    """Pause a subscriber until the group has given its partitions away, then resume it."""
    first = processes.start("one")
    await processes.has_handled(processes.chance.uniform(1 / 24, 1 / 4))
    processes.start("two")
    await asyncio.sleep(processes.chance.random() * 3)
    first.send_signal(signal.SIGSTOP)
    await asyncio.sleep(ASLEEP_SECONDS)
    first.send_signal(signal.SIGCONT)


def local(servers: str) -> Settings:
    """Return how to reach a broker of this machine, whichever cluster the environment names."""
    return Settings(bootstrap_servers=servers, security_protocol="PLAINTEXT", instance=None)


class Broker:
    """A broker that belongs to one run, and may be killed."""

    def __init__(self, node: EmbeddedKafka, link: Link | None = None, disk: Path | None = None) -> None:
        self._node = node
        self._link = link
        self._disk = disk
        self.settings = local(node.bootstrap_servers)

    async def killed(self, processes: Processes) -> None:
        """Kill it while the subscriber works, and start it again."""
        processes.start("one")
        await processes.has_handled(processes.chance.uniform(1 / 24, 5 / 12))
        await asyncio.to_thread(self._node.kill)
        await asyncio.sleep(processes.chance.random())
        processes.restarted_at = time.time()
        await asyncio.to_thread(self._node.restart)

    async def paused(self, processes: Processes) -> None:
        """Pause it for a while."""
        processes.start("one")
        await processes.has_handled(processes.chance.uniform(1 / 24, 5 / 12))
        await asyncio.to_thread(self._node.pause)
        await asyncio.sleep(CUT_SECONDS)
        processes.restarted_at = time.time()
        await asyncio.to_thread(self._node.resume)

    async def cut_off(self, processes: Processes) -> None:
        """Cut it off from its clients, with resets or silently."""
        assert self._link is not None  # noqa: S101 - given where it is needed
        processes.start("one")
        await processes.has_handled(processes.chance.uniform(1 / 24, 5 / 12))
        self._link.cut(silently=processes.chance.random() < 0.5)
        await asyncio.sleep(CUT_SECONDS)
        processes.restarted_at = time.time()
        self._link.restore()

    async def full(self, processes: Processes) -> None:
        """Fill its disk until it fails, then make room and start it again."""
        assert self._disk is not None  # noqa: S101 - given where it is needed
        processes.start("one")
        await processes.has_handled(1 / 12)
        ballast = self._disk / "ballast"
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(CUT_SECONDS)
        await asyncio.to_thread(ballast.unlink)
        if self._node.is_running:
            await asyncio.to_thread(self._node.kill)
        processes.restarted_at = time.time()
        await asyncio.to_thread(self._node.restart)


def _fill(ballast: Path) -> None:
    block = bytes(1 << 16)
    try:
        with ballast.open("wb", buffering=0) as file:
            while True:
                file.write(block)
    except OSError:
        return


PROCESS_FAULTS: Mapping[str, ProcessFault] = MappingProxyType(
    {
        **{f"kill {point}": kill_at(point) for point in POINTS if point not in NOT_ANYWHERE},
        "kill during-rebalance": kill_in_rebalance,
        "zombie": zombie,
    }
)
"""Faults that leave the broker alone, so that runs can share one."""

BROKER_FAULTS: Mapping[str, Callable[[Broker, Processes], Awaitable[None]]] = MappingProxyType(
    {
        "broker killed": Broker.killed,
        "broker paused": Broker.paused,
        "network cut": Broker.cut_off,
        "disk full": Broker.full,
    }
)
"""Faults of a broker that belongs to one run."""

FAULTS = (*PROCESS_FAULTS, *BROKER_FAULTS)


def faults_of(broker: Broker) -> dict[str, ProcessFault]:
    """Return every fault, with one broker for those that need it."""
    return {**PROCESS_FAULTS, **{name: partial(fault, broker) for name, fault in BROKER_FAULTS.items()}}


def guarantees_of(name: str) -> tuple[str, ...]:
    """Return under which guarantees a fault can happen."""
    return ONLY.get(name, GUARANTEES)


def missing(name: str) -> str:
    """Return why a fault cannot happen on this machine; empty if it can."""
    if name == "disk full" and os.geteuid() != 0:
        return "needs root, to mount a small disk"
    return ""


@asynccontextmanager
async def fault_on_own_broker(name: str) -> AsyncIterator[tuple[Settings, ProcessFault]]:
    """Start a broker for one run; yield how to reach it, and the fault."""
    with tempfile.TemporaryDirectory(prefix="govbus-disk-") as folder:
        async with _broker(name, Path(folder)) as broker:
            yield broker.settings, faults_of(broker)[name]


@asynccontextmanager
async def behind_a_link() -> AsyncIterator[Broker]:
    """Start a broker that its clients reach over a network that can be cut."""
    async with Link() as link:
        node = EmbeddedKafka(advertised=(link.address,))
        await asyncio.to_thread(node.start)
        link.target = node.addresses[0]
        try:
            broker = Broker(node, link)
            broker.settings = local(link.address)
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
