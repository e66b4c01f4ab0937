"""A long run: a steady stream, every fault in turn, and two subscriptions that must miss nothing of it.

One subscription, the victim, is struck; the other, the witness, is left alone, as is the writer: what these
two keep in memory must not grow.
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
from pathlib import Path
from statistics import median

from bus.crash.books import Compared, Waits, compare, waits
from bus.crash.country import Country
from bus.crash.country_trial import CountryTrial
from bus.crash.faults import OWN, SHARED, Broker, behind_a_link, guarantees_of, near
from bus.crash.trial import Fault
from bus.embedded.kafka import EmbeddedKafka
from bus.kafka.admin import apply_topics
from bus.settings import Settings

EVERY_SECONDS = 20.0
DOWN_SECONDS = 5.0
NEAR_SECONDS = 10.0
"""How long after a strike publishing counts as struck."""
SAMPLE_SECONDS = 10.0
WARM_SECONDS = 300.0
"""From when on memory must not grow."""
SETTLE_SECONDS = 5.0
SETTLE_TRIES = 36
"""How often to look whether the rest is handled, once writing has ended."""
LEFT_OUT = frozenset({"slow-handler", "disk full"})
"""A handler of its own, and a disk too small for a long run."""

Told = Callable[[str], None]
Sample = tuple[float, int]


@dataclass(frozen=True, slots=True)
class Soaked:
    """What a long run has come to."""

    victim: Compared
    witness: Compared
    struck: Waits
    calm: Waits
    strikes: dict[str, int]
    growth: dict[str, float | None]
    """By process: its memory in the end over that after `WARM_SECONDS`; None where the run was too short."""
    ended: str
    """The last words of a process that ended by itself."""

    @property
    def broken(self) -> bool:
        """Whether a promise was broken."""
        both = (self.victim, self.witness)
        return bool(self.ended or not self.strikes or any(one.lost or one.out_of_order for one in both))

    def lines(self) -> list[str]:
        """Return what to tell."""
        told = [
            f"struck: {', '.join(f'{name} {count}' for name, count in sorted(self.strikes.items()))}",
            *(
                f"{name}: accepted {one.accepted}, lost {one.lost}, out of order {one.out_of_order}, "
                f"again {one.again}"
                for name, one in (("the struck subscription", self.victim), ("its neighbour", self.witness))
            ),
            *(
                f"publishing {when}: {one.events} events, from due to acknowledged p50 {one.p50:.3f} s, "
                f"p99 {one.p99:.3f} s, at most {one.most:.3f} s"
                for when, one in (
                    (f"within {NEAR_SECONDS:.0f} s of a strike", self.struck),
                    ("at other times", self.calm),
                )
            ),
            *(
                f"memory of the {name}: {'too short to tell' if times is None else f'{times:.3f} times'}"
                for name, times in self.growth.items()
            ),
        ]
        return [*told, self.ended] if self.ended else told


@dataclass(slots=True)
class _Victim(CountryTrial):
    """The subscription that is struck, by the faults of short runs."""

    async def has_handled(self, share: float) -> None:  # noqa: ARG002 - of a run without an end
        """Wait until whoever was just started is at work, and a moment more."""
        before = self._size()
        await self.until(lambda: self._size() > before)
        await asyncio.sleep(self.chance.random() * 2)

    def _size(self) -> int:
        return self.journal.stat().st_size if self.journal.exists() else 0

    def start(self, instance: str, crash: str = "") -> "subprocess.Popen[bytes]":
        """Start it; one that runs under this name is killed first."""
        self.look(instance)
        self.stop(instance, signal.SIGKILL)
        return CountryTrial.start(self, instance, crash)

    def stop(self, instance: str, how: signal.Signals) -> None:
        """End a process, if it runs."""
        child = self.children.get(instance)
        if child is None or child.poll() is not None:
            return
        child.send_signal(how)
        try:
            child.wait(30)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@dataclass(slots=True)
class _Bystander(CountryTrial):
    """A process that is left alone: the subscription that is not struck, or the writer."""

    name: str = field(kw_only=True)
    program: Sequence[str] = field(kw_only=True)
    samples: list[Sample] = field(default_factory=list)

    @property
    def child(self) -> "subprocess.Popen[bytes]":
        """The process."""
        return self.children[self.name]

    def command(self) -> list[str]:
        """Run its own program."""
        return [*self.program]


class _Run:
    """Everybody in one long run."""

    def __init__(self, settings: Settings, folder: Path, rate: int, seed: int, guarantee: str) -> None:
        country = Country(folder / "catalog")
        self.settings, self.country = settings, country
        self._accepted, self._seen = folder / "accepted", folder / "seen"
        self.victim = _Victim(settings, "soak", seed, guarantee=guarantee)
        reads = [country.south, country.opened, country.closed, str(self._seen), "at-least-once", "soak"]
        writes = [country.north, country.opened, str(self._accepted), str(rate)]
        self.witness, self.writer = (
            _Bystander(settings, "soak", seed, guarantee="at-least-once", name=name, program=["-m", *program])
            for name, program in (
                ("witness", ["bus.crash.child", *reads, "witness"]),
                ("writer", ["bus.crash.writer", *writes]),
            )
        )
        self.everybody = (self.victim, self.witness, self.writer)
        for one in self.everybody:
            one.country, one.folder = country, folder
        self._strikes: list[tuple[float, str]] = []

    async def start(self) -> None:
        """Make the topics, and let everybody begin."""
        await apply_topics(self.settings, self.country.catalog)
        self.victim.start("one")
        for one in (self.witness, self.writer):
            one.start(one.name)

    async def strike(self, name: str, fault: Fault) -> None:
        """Let a fault strike, and everybody be as before."""
        victim = self.victim
        self._strikes.append((time.time(), name))
        await fault(victim)
        if not victim.struck:
            self._strikes[-1] = (self._strikes[-1][0], f"{name} (did not strike)")
            victim.struck = True
        for instance in set(victim.children) - {"one"}:
            victim.look(instance)
            await asyncio.to_thread(victim.stop, instance, signal.SIGTERM)
            del victim.children[instance]

    async def sample(self) -> None:
        """Note for ever how much memory the bystanders keep."""
        while True:
            for one in (self.witness, self.writer):
                one.samples.append((time.monotonic(), _resident_kib(one.child.pid)))
            await asyncio.sleep(SAMPLE_SECONDS)

    async def finish(self) -> Soaked:
        """Stop writing, let everything be handled, and compare the books."""
        writer = self.writer
        writer.look(writer.name)
        await asyncio.to_thread(writer.child.terminate)
        await asyncio.to_thread(writer.child.wait, SETTLE_SECONDS * SETTLE_TRIES)
        victim, witness = await self._settled(self.victim.journal), await self._settled(self._seen)
        for one in (self.victim, self.witness):
            await one.end()
        return Soaked(
            victim,
            witness,
            *waits(self._accepted, [at for at, _ in self._strikes], NEAR_SECONDS),
            dict(Counter(name for _, name in self._strikes)),
            {one.name: _growth(one.samples) for one in (self.witness, writer)},
            "".join(one.ended for one in self.everybody),
        )

    async def _settled(self, journal: Path) -> Compared:
        found = await asyncio.to_thread(compare, self._accepted, journal)
        for _ in range(SETTLE_TRIES):
            if not found.lost:
                break
            await asyncio.sleep(SETTLE_SECONDS)
            found = await asyncio.to_thread(compare, self._accepted, journal)
        return found


def _resident_kib(pid: int) -> int:
    told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603, S607
    return int(told.stdout or 0)


def _growth(samples: Sequence[Sample]) -> float | None:
    if not samples:
        return None
    begun, ended = samples[0][0] + WARM_SECONDS, samples[-1][0]
    span = min(WARM_SECONDS / 2, (ended - begun) / 2)
    early = [size for at, size in samples if begun <= at <= begun + span]
    late = [size for at, size in samples if at >= ended - span]
    return median(late) / median(early) if early and late and span > 0 else None


def faults_of(broker: Broker, guarantee: str) -> dict[str, Fault]:
    """Return what may strike in a long run with one broker."""
    own = {name: fault_of(broker) for name, fault_of in OWN.items()}
    return {
        name: fault
        for name, fault in {**SHARED, **own}.items()
        if name not in LEFT_OUT and guarantee in guarantees_of(name)
    }


def failover_of(cluster: EmbeddedKafka, nodes: int, chance: random.Random) -> Fault:
    """Return a fault that kills a node of a cluster at random, and starts it again."""

    async def strike(_: object) -> None:
        number = chance.randint(1, nodes)
        await asyncio.to_thread(cluster.kill, number)
        await asyncio.sleep(DOWN_SECONDS)
        await asyncio.to_thread(cluster.restart, number)

    return strike


async def soak(*, minutes: float, rate: int, nodes: int, seed: int, guarantee: str, told: Told) -> Soaked:
    """Let a stream run, strike every 20 s, and compare the books.

    Args:
        minutes: how long events are published.
        rate: events per second.
        nodes: 1 broker, struck by every fault in turn; or a cluster of 3, one of which is killed at a time.
        seed: of the order and the moments of faults.
        guarantee: of the subscription that is struck.
        told: is told of each strike.
    """
    with tempfile.TemporaryDirectory(prefix="govbus-soak-") as folder:
        async with _cluster(nodes, guarantee, seed) as (settings, faults):
            run = _Run(settings, Path(folder), rate, seed, guarantee)
            try:
                await run.start()
                await asyncio.sleep(EVERY_SECONDS / 2)
                sampling = asyncio.create_task(run.sample())
                await _strike_in_turn(run, faults, minutes, told)
                sampling.cancel()
                return await run.finish()
            finally:
                for one in run.everybody:
                    await one.end()


async def _strike_in_turn(run: _Run, faults: dict[str, Fault], minutes: float, told: Told) -> None:
    end = time.monotonic() + minutes * 60
    for name in itertools.cycle(run.victim.chance.sample(sorted(faults), len(faults))):
        begun = time.monotonic()
        if begun + EVERY_SECONDS > end:
            break
        told(f"{(end - begun) / 60:.1f} min left: {name}")
        await run.strike(name, faults[name])
        await asyncio.sleep(max(0.0, begun + EVERY_SECONDS - time.monotonic()))
    await asyncio.sleep(max(0.0, end - time.monotonic()))


@asynccontextmanager
async def _cluster(nodes: int, guarantee: str, seed: int) -> AsyncIterator[tuple[Settings, dict[str, Fault]]]:
    if nodes > 1:
        cluster = EmbeddedKafka(nodes=nodes)
        await asyncio.to_thread(cluster.start)
        try:
            settings = near(cluster.bootstrap_servers).model_copy(
                update={"replication_factor": nodes, "min_insync_replicas": nodes - 1}
            )
            chance = random.Random(f"nodes {seed}")  # noqa: S311 - repeatable, not secret
            yield settings, {"node killed": failover_of(cluster, nodes, chance)}
        finally:
            await asyncio.to_thread(cluster.stop)
        return
    async with behind_a_link() as broker:
        yield broker.settings, faults_of(broker, guarantee)
