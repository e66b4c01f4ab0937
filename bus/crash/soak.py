"""A long run: a steady stream of events, fault after fault, and two subscriptions that must miss nothing.

The faults happen to one subscription; the other one, and the publisher, are left alone, and their memory must
not grow.
"""

import asyncio
import itertools
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from bus.cluster.topics import apply_topics
from bus.crash.agencies import TwoAgencies
from bus.crash.faults import behind_a_link, faults_of, guarantees_of, local
from bus.crash.journals import JournalVerdict, PublishLatency, compare, publish_latency
from bus.crash.processes import Processes, ProcessFault
from bus.crash.trial import differences_of
from bus.embedded.kafka import EmbeddedKafka
from bus.settings import Settings

EVERY_SECONDS = 20.0
DOWN_SECONDS = 5.0
NEAR_SECONDS = 10.0
"""So long after a fault, publishing counts as near it."""
SAMPLE_SECONDS = 10.0
WARM_SECONDS = 300.0
"""From then on memory must not grow."""
SETTLE_SECONDS = 5.0
SETTLE_TRIES = 36
"""How often to check whether the rest is handled, once publishing has ended."""
RECONCILED_SECONDS = 60.0
"""Of what was published last, offsets and receipts are compared too; of all it would not fit into memory."""
LEFT_OUT = frozenset({"disk full"})
"""Its disk is too small for a long run."""


@dataclass(frozen=True, slots=True)
class SoakVerdict:
    """The findings of a long run."""

    under_faults: JournalVerdict
    left_alone: JournalVerdict
    near: PublishLatency
    far: PublishLatency
    faults: dict[str, int]
    growth: dict[str, float | None]
    """By process: its memory at the end over that after `WARM_SECONDS`; None if the run was too short."""
    differences: tuple[str, ...]
    """What does not add up of the last `RECONCILED_SECONDS`, as `govbus reconcile` tells it."""
    ended: str
    """The last lines of a process that ended by itself."""

    @property
    def broken(self) -> bool:
        """Whether a promise was broken, or no fault happened."""
        both = (self.under_faults, self.left_alone)
        found = self.ended or self.differences or not self.faults
        return bool(found or any(one.lost or one.out_of_order for one in both))

    def lines(self) -> list[str]:
        """Return what to print."""
        lines = [
            f"faults: {', '.join(f'{name} {count}' for name, count in sorted(self.faults.items()))}",
            *(
                f"subscription {name}: accepted {one.accepted}, lost {one.lost}, "
                f"out of order {one.out_of_order}, again {one.again}"
                for name, one in (("under faults", self.under_faults), ("left alone", self.left_alone))
            ),
            *(
                f"publishing {when}: {one.events} events, from due to acknowledged p50 {one.p50:.3f} s, "
                f"p99 {one.p99:.3f} s, at most {one.most:.3f} s"
                for when, one in (
                    (f"within {NEAR_SECONDS:.0f} s of a fault", self.near),
                    ("at other times", self.far),
                )
            ),
            *(
                f"memory of the {name}: {'too short to tell' if times is None else f'{times:.3f} times'}"
                for name, times in self.growth.items()
            ),
            f"offsets and receipts of the last {RECONCILED_SECONDS:.0f} s: "
            + (f"{len(self.differences)} differences" if self.differences else "they add up"),
            *(f"difference: {one}" for one in self.differences),
        ]
        return [*lines, self.ended] if self.ended else lines


@dataclass(slots=True)
class _Program(Processes):
    """One program of a long run: the publisher or a subscription."""

    agencies: TwoAgencies = field(kw_only=True)
    journal: Path = field(kw_only=True)
    arguments: list[str] = field(kw_only=True)
    memory: list[tuple[float, int]] = field(default_factory=list)
    """Times, and KiB in use."""

    def command(self) -> list[str]:
        """Run the program."""
        return self.arguments

    def environment(self) -> dict[str, str]:
        """Name the catalogue."""
        return {"GOVBUS_CATALOG": str(self.agencies.folder)}

    async def has_handled(self, share: float) -> None:  # noqa: ARG002 - of a run without an end
        """Wait until the process that was just started works, and a moment more."""
        before = self._size()
        await self.until(lambda: self._size() > before)
        await asyncio.sleep(self.chance.random() * 2)

    def _size(self) -> int:
        return self.journal.stat().st_size if self.journal.exists() else 0

    def start(self, name: str, crash: str = "", instance: str = "") -> "subprocess.Popen[bytes]":
        """Start a process; one that runs under this name is killed first."""
        self.look(name)
        self.stop(name, signal.SIGKILL)
        return Processes.start(self, name, crash, instance)

    def stop(self, name: str, how: signal.Signals) -> None:
        """End a process if it runs; kill it where it takes longer."""
        process = self.running.get(name)
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class _SoakRun:
    """The programs of one long run."""

    def __init__(self, settings: Settings, folder: Path, rate: int, seed: int, guarantee: str) -> None:
        self.settings, self.agencies = settings, TwoAgencies(folder / "catalog")
        accepted, handled, seen = (folder / name for name in ("accepted", "handled", "seen"))
        agencies = self.agencies
        self.publisher, self.under_faults, self.left_alone = self.programs = [
            _Program(settings, "soak", seed, agencies=agencies, journal=journal, arguments=arguments)
            for journal, arguments in (
                (accepted, agencies.publish(accepted, rate)),
                (handled, agencies.handle(handled, guarantee, "under-faults")),
                (seen, agencies.handle(seen, "at-least-once", "left-alone")),
            )
        ]
        for program in self.programs:
            program.folder = folder
        self._bystanders = {"publisher": self.publisher, "subscription left alone": self.left_alone}
        self._faults: list[tuple[float, str]] = []

    async def start(self) -> None:
        """Make the topics, and start every program."""
        await apply_topics(self.settings, self.agencies.catalog)
        self.under_faults.start("one")
        self.left_alone.start("left-alone")
        self.publisher.start("publisher")

    async def inject(self, name: str, fault: ProcessFault) -> None:
        """Make a fault happen, and leave one process of the subscription."""
        program = self.under_faults
        begun = time.time()
        await fault(program)
        self._faults.append((begun, name if program.struck else f"{name} (did not happen)"))
        program.struck = True
        for extra in set(program.running) - {"one"}:
            program.look(extra)
            await asyncio.to_thread(program.stop, extra, signal.SIGTERM)
            del program.running[extra]

    async def sample(self) -> None:
        """Note again and again how much memory the programs use that are left alone."""
        while True:
            for program in self._bystanders.values():
                (process,) = program.running.values()
                program.memory.append((time.monotonic(), _resident_kib(process.pid)))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def finish(self) -> SoakVerdict:
        """Stop publishing, wait until everything is handled, and compare the journals."""
        publisher = self.publisher
        earliest = datetime.now(UTC) - timedelta(seconds=RECONCILED_SECONDS)
        publisher.look("publisher")
        publisher.running["publisher"].terminate()
        await asyncio.to_thread(publisher.running["publisher"].wait, SETTLE_SECONDS * SETTLE_TRIES)
        under_faults = await self._settled(self.under_faults.journal)
        left_alone = await self._settled(self.left_alone.journal)
        for program in (self.under_faults, self.left_alone):
            await program.end()
        return SoakVerdict(
            under_faults,
            left_alone,
            *publish_latency(publisher.journal, [at for at, _ in self._faults], NEAR_SECONDS),
            dict(Counter(name for _, name in self._faults)),
            {name: _growth(program.memory) for name, program in self._bystanders.items()},
            await differences_of(self.settings, self.agencies.catalog, earliest=earliest),
            "".join(program.ended for program in self.programs),
        )

    async def _settled(self, handled: Path) -> JournalVerdict:
        found = await asyncio.to_thread(compare, self.publisher.journal, handled)
        for _ in range(SETTLE_TRIES):
            if not found.lost:
                break
            await asyncio.sleep(SETTLE_SECONDS)
            found = await asyncio.to_thread(compare, self.publisher.journal, handled)
        return found


def _resident_kib(pid: int) -> int:
    run = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
    return int(run.stdout or 0)


def _growth(samples: Sequence[tuple[float, int]]) -> float | None:
    if not samples:
        return None
    begun, ended = samples[0][0] + WARM_SECONDS, samples[-1][0]
    span = min(WARM_SECONDS / 2, (ended - begun) / 2)
    early = [size for at, size in samples if begun <= at <= begun + span]
    late = [size for at, size in samples if at >= ended - span]
    return median(late) / median(early) if early and late and span > 0 else None


def failover_of(cluster: EmbeddedKafka, nodes: int, chance: random.Random) -> ProcessFault:
    """Return a fault that kills a node of a cluster at random, and starts it again."""

    async def kill(_: object) -> None:
        number = chance.randint(1, nodes)
        await asyncio.to_thread(cluster.kill, number)
        await asyncio.sleep(DOWN_SECONDS)
        await asyncio.to_thread(cluster.restart, number)

    return kill


async def soak(
    *, minutes: float, rate: int, nodes: int, seed: int, guarantee: str, on_fault: Callable[[str], None]
) -> SoakVerdict:
    """Publish a steady stream, make a fault happen every 20 s, and compare the journals.

    Args:
        minutes: how long events are published.
        rate: events per second.
        nodes: 1 broker and every fault in turn; or a cluster of 3, one of which is killed at a time.
        seed: the same seed makes the same random choices.
        guarantee: of the subscription under faults.
        on_fault: called with a line before each fault.
    """
    with tempfile.TemporaryDirectory(prefix="govbus-soak-") as folder:
        async with _cluster(nodes, guarantee, seed) as (settings, faults):
            run = _SoakRun(settings, Path(folder), rate, seed, guarantee)
            try:
                await run.start()
                await asyncio.sleep(EVERY_SECONDS / 2)
                sampling = asyncio.create_task(run.sample())
                await _inject_in_turn(run, faults, minutes, on_fault)
                sampling.cancel()
                return await run.finish()
            finally:
                for program in run.programs:
                    await program.end()


async def _inject_in_turn(
    run: _SoakRun, faults: dict[str, ProcessFault], minutes: float, on_fault: Callable[[str], None]
) -> None:
    end = time.monotonic() + minutes * 60
    for name in itertools.cycle(run.under_faults.chance.sample(sorted(faults), len(faults))):
        begun = time.monotonic()
        if begun + EVERY_SECONDS > end:
            break
        on_fault(f"{(end - begun) / 60:.1f} min left: {name}")
        await run.inject(name, faults[name])
        await asyncio.sleep(max(0.0, begun + EVERY_SECONDS - time.monotonic()))
    await asyncio.sleep(max(0.0, end - time.monotonic()))


@asynccontextmanager
async def _cluster(
    nodes: int, guarantee: str, seed: int
) -> AsyncIterator[tuple[Settings, dict[str, ProcessFault]]]:
    if nodes > 1:
        cluster = EmbeddedKafka(nodes=nodes)
        await asyncio.to_thread(cluster.start)
        try:
            settings = local(cluster.bootstrap_servers)
            chance = random.Random(f"nodes {seed}")  # noqa: S311 - repeatable, not secret
            yield settings, {"node killed": failover_of(cluster, nodes, chance)}
        finally:
            await asyncio.to_thread(cluster.stop)
        return
    async with behind_a_link() as broker:
        faults = {
            name: fault
            for name, fault in faults_of(broker).items()
            if name not in LEFT_OUT and guarantee in guarantees_of(name)
        }
        yield broker.settings, faults
