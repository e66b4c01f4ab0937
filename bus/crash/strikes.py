"""Every run that was asked for, of the kit's own subscriber or of an agency's program."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from bus.crash import app_trial
from bus.crash.app import subscriptions_of
from bus.crash.app_trial import AppTrial
from bus.crash.country_trial import CountryTrial, run
from bus.crash.faults import NAMES, ONLY_COUNTRY, SHARED, fault_for, guarantees_of, missing, near
from bus.crash.report import Run
from bus.crash.samples import Samples, read_events, samples_for
from bus.embedded.kafka import EmbeddedKafka
from bus.replay.cli import load_bus
from bus.settings import Settings

Told = Callable[[str, str], None]
"""Takes the name of a fault that is left out, and why."""


def strike(points: Sequence[str], guarantee: str | None, seeds: Sequence[int], told: Told) -> Iterator[Run]:
    """Yield every run of the kit's own subscriber as it ends.

    Args:
        points: names of faults.
        guarantee: only this one; both if None.
        seeds: one run for each.
        told: is told of a fault that this machine cannot make.
    """
    with ExitStack() as stack:
        shared: Settings | None = None
        for name in points:
            if why := missing(name):
                told(name, why)
                continue
            if name in SHARED and shared is None:
                shared = near(stack.enter_context(EmbeddedKafka()).bootstrap_servers)
            for promised in guarantees_of(name):
                for number in seeds if guarantee in (None, promised) else ():
                    yield asyncio.run(_once(name, promised, number, shared))


async def _once(name: str, guarantee: str, seed: int, shared: Settings | None) -> Run:
    if name in SHARED and shared is not None:
        verdict = await run(CountryTrial(shared, name, seed, guarantee=guarantee), SHARED[name])
        return Run(name, guarantee, seed, verdict)
    async with fault_for(name) as (settings, fault):
        verdict = await run(CountryTrial(settings, name, seed, guarantee=guarantee), fault)
        return Run(name, guarantee, seed, verdict)


class App:
    """An agency's program, ready to be struck.

    Args:
        name: its bus, as `MODULE:BUS`.
        events: a file of events to publish; the examples of the contracts if absent.
        count: how many events of each topic a run publishes.

    Raises:
        UsageError: there is no such bus, it subscribes to nothing, or there is nothing to publish.
    """

    def __init__(self, name: str, *, events: Path | None = None, count: int = 600) -> None:
        self.name = name
        self._bus = load_bus(name)
        self._subscriptions = subscriptions_of(self._bus)
        self._count = count
        given = read_events(events) if events is not None else {}
        self._samples: dict[str, Samples] = {}
        for one in self._subscriptions:
            subject, _, major = one.topic.rpartition(".v")
            contract = self._bus.catalog.contract(subject)
            folder = self._bus.settings.catalog
            self._samples[one.topic] = samples_for(contract, int(major), folder, given)

    def why_not(self, fault: str) -> str:
        """Return why a fault cannot strike this program here; nothing where it can."""
        if fault not in NAMES:
            return f"known are {', '.join(NAMES)}"
        if fault in ONLY_COUNTRY:
            return "strikes the kit's own handler only"
        promised = {"exactly-once" if one.exactly_once else "at-least-once" for one in self._subscriptions}
        if not promised & set(guarantees_of(fault)):
            return f"no subscription is {' or '.join(guarantees_of(fault))}"
        return missing(fault)

    def strike(self, points: Sequence[str], seeds: Sequence[int], told: Told) -> Iterator[Run]:
        """Yield a run for each subscription, fault and seed; each fault has a broker of its own."""
        for fault in points:
            if why := self.why_not(fault):
                told(fault, why)
                continue
            for seed in seeds:
                yield from asyncio.run(self.once(fault, seed))

    async def once(self, fault: str, seed: int) -> list[Run]:
        """Run it once; return what became of each subscription."""
        async with fault_for(fault) as (settings, strike):
            trial = AppTrial(
                settings, fault, seed, self._count * len(self._samples), app=self.name, samples=self._samples,
                agency=self._bus.agency, catalog=self._bus.catalog, subscriptions=self._subscriptions,
            )  # fmt: skip
            found = await app_trial.run(trial, strike)
        return [
            Run(
                fault,
                "exactly-once" if one.exactly_once else "at-least-once",
                seed,
                found[one.name],
                one.name,
            )
            for one in self._subscriptions
        ]
