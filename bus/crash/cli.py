"""`govbus check`: run a program under faults on this machine, and check that the bus keeps its promises."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from bus.crash.app_trial import AgencyApp
from bus.crash.faults import FAULTS, guarantees_of
from bus.crash.report import CrashRun, report
from contracts import FINDINGS, say

SAMPLES = {
    "at-least-once": "bus.crash.sample:at_least_once",
    "exactly-once": "bus.crash.sample:exactly_once",
}
SEEN_BY_RECEIPTS = (
    "judged by receipts alone: events that were accepted, handled, parked or dead letters; what handlers did "
    "elsewhere, for example in a database, is not checked"
)


@click.command()
@click.option("--crash", is_flag=True, help="Run once for each fault; takes some minutes.")
@click.option(
    "--soak",
    type=click.FloatRange(0.5),
    metavar="MINUTES",
    help="Run this many minutes, with one fault after another while events flow.",
)
@click.option("--rate", type=click.IntRange(1), default=2_000, help="Events per second for --soak; 2000.")
@click.option(
    "--nodes",
    type=click.Choice(["1", "3"]),
    default="1",
    help="For --soak: 1 broker and every fault in turn, or 3 brokers, one of them killed at a time; 1.",
)
@click.option("--app", metavar="MODULE:BUS", help="Your program for --crash; a sample program if absent.")
@click.option(
    "--events",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File for --app, each line a JSON object of subject and data; the contracts' examples if absent.",
)
@click.option("--count", type=click.IntRange(24), default=600, help="Events of each topic for --crash; 600.")
@click.option(
    "--point", "points", multiple=True, type=click.Choice(FAULTS), help="This fault only; repeatable."
)
@click.option("--guarantee", type=click.Choice(tuple(SAMPLES)), help="This guarantee only; not with --app.")
@click.option("--seeds", type=click.IntRange(1), default=1, help="Runs of each fault; 1.")
@click.option("--seed", type=int, default=1, help="The first seed; the same seed repeats a run; 1.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write each run to this file as JSON.")
def check(
    *,
    crash: bool,
    soak: float | None,
    rate: int,
    nodes: str,
    app: str | None,
    events: Path | None,
    count: int,
    points: tuple[str, ...],
    guarantee: str | None,
    seeds: int,
    seed: int,
    file: Path | None,
) -> int:
    """Run a program under faults on this machine, and check that the bus keeps its promises."""
    _require_sense(crash, soak, app, events, guarantee)
    if soak is not None:
        return _soak(soak, rate, int(nodes), seed, guarantee or "at-least-once")
    numbers, faults = range(seed, seed + seeds), points or FAULTS
    if app is None:
        runs, options = _sample_runs(faults, guarantee, numbers, count), "--guarantee {guarantee}"
    else:
        program = AgencyApp(app, events=events, count=count)
        runs, options = program.runs(faults, numbers, _skipped), f"--app {app}"
    broken = report(runs, f"govbus check --crash {options}", file)
    say(SEEN_BY_RECEIPTS)
    return FINDINGS if broken else 0


def _require_sense(
    crash: bool, soak: float | None, app: str | None, events: Path | None, guarantee: str | None
) -> None:
    if crash == (soak is not None):
        raise click.UsageError("say what to check: either `--crash` or `--soak MINUTES`")
    if app is None and events is not None:
        raise click.UsageError("`--events` is for `--app`")
    if app is not None and soak is not None:
        raise click.UsageError("`--app` is for `--crash`")
    if app is not None and guarantee is not None:
        raise click.UsageError("`--guarantee` is not for `--app`: each of its subscriptions names its own")


def _sample_runs(
    faults: Sequence[str], guarantee: str | None, seeds: Sequence[int], count: int
) -> Iterator[CrashRun]:
    for promised, sample in SAMPLES.items():
        if guarantee in (None, promised):
            possible = [fault for fault in faults if promised in guarantees_of(fault)]
            yield from AgencyApp(sample, count=count).runs(possible, seeds, _skipped)


def _skipped(fault: str, why: str) -> None:
    say(f"{fault}: skipped - {why}", err=True)


def _soak(minutes: float, rate: int, nodes: int, seed: int, guarantee: str) -> int:
    from bus.crash import soak as soaking  # noqa: PLC0415 - keeps `govbus --help` quick

    found = asyncio.run(
        soaking.soak(
            minutes=minutes, rate=rate, nodes=nodes, seed=seed, guarantee=guarantee,
            on_fault=lambda line: say(line, err=True),
        )
    )  # fmt: skip
    for line in found.lines():
        say(line)
    return FINDINGS if found.broken else 0
