"""`python -m tests.crash --seeds 20`: the project's own subscriber under every fault."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click

from bus.crash.faults import GUARANTEES, fault_on_own_broker, guarantees_of, local, missing
from bus.crash.report import CrashRun, report
from bus.embedded.kafka import EmbeddedKafka
from bus.settings import Settings
from tests.crash.growth_trial import GROWTH, GrowthTrial, growth
from tests.crash.recreation_trial import RECREATION, RecreationTrial, recreation
from tests.crash.subscriber_trial import SHARED_BROKER_FAULTS, SUBSCRIBER_FAULTS, SubscriberTrial

CLUSTER_FAULTS = {GROWTH: (GrowthTrial, growth), RECREATION: (RecreationTrial, recreation)}
"""What an operator does to the topic of the events; each has a trial of its own kind."""
ALL_FAULTS = (*SUBSCRIBER_FAULTS, *CLUSTER_FAULTS)


@click.command()
@click.option("--point", "points", multiple=True, type=click.Choice(ALL_FAULTS), help="This fault only.")
@click.option("--guarantee", type=click.Choice(GUARANTEES), help="This guarantee only.")
@click.option("--seeds", type=click.IntRange(1), default=1, help="Runs of each fault; 1.")
@click.option("--seed", type=int, default=1, help="The first seed; the same seed repeats a run; 1.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write each run to this file as JSON.")
def main(points: tuple[str, ...], guarantee: str | None, seeds: int, seed: int, file: Path | None) -> None:
    """Run the subscriber under faults, and exit with 100 if a promise was broken."""
    found = runs(points or ALL_FAULTS, guarantee, range(seed, seed + seeds))
    sys.exit(100 if report(found, "python -m tests.crash --guarantee {guarantee}", file) else 0)


def runs(points: Sequence[str], guarantee: str | None, seeds: Sequence[int]) -> Iterator[CrashRun]:
    """Yield every run as it ends."""
    with ExitStack() as stack:
        shared: Settings | None = None
        for name in points:
            if why := missing(name):
                click.echo(f"{name}: skipped - {why}", err=True)
                continue
            is_own = name not in (*SHARED_BROKER_FAULTS, *CLUSTER_FAULTS)
            if not is_own and shared is None:
                shared = local(stack.enter_context(EmbeddedKafka()).bootstrap_servers)
            for promised in guarantees_of(name):
                for number in seeds if guarantee in (None, promised) else ():
                    yield asyncio.run(_run(name, promised, number, None if is_own else shared))


async def _run(name: str, guarantee: str, seed: int, shared: Settings | None) -> CrashRun:
    if shared is not None:
        kind, fault = CLUSTER_FAULTS.get(name) or (SubscriberTrial, SHARED_BROKER_FAULTS[name])
        trial = kind(shared, name, seed, guarantee=guarantee)
        return CrashRun(name, guarantee, seed, await trial.verdict(fault))
    async with fault_on_own_broker(name) as (settings, fault):
        trial = SubscriberTrial(settings, name, seed, guarantee=guarantee)
        return CrashRun(name, guarantee, seed, await trial.verdict(fault))


if __name__ == "__main__":
    main()
