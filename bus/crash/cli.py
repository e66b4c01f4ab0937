"""`govbus check --crash`: kill the bus at every named point, and hold its books against each other."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
import orjson

from bus.crash.faults import NAMES, OWN, SHARED, broker_for, guarantees_of, missing
from bus.crash.report import Line, Run, summarize
from bus.crash.trial import Trial, run
from bus.kafka.embedded import EmbeddedKafka
from bus.settings import Settings

FINDINGS = 100


@click.command()
@click.option(
    "--crash",
    is_flag=True,
    required=True,
    expose_value=False,
    help="Strike the bus with faults; takes a while.",
)
@click.option(
    "--point", "points", multiple=True, type=click.Choice(NAMES), help="Only this fault; may be repeated."
)
@click.option("--guarantee", type=click.Choice(["at-least-once", "exactly-once"]), help="Only this one.")
@click.option("--seeds", type=click.IntRange(1), default=1, help="How many runs of each; 1.")
@click.option("--seed", type=int, default=1, help="The first seed; a run repeats with its own.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write each run to this file too.")
def check(points: tuple[str, ...], guarantee: str | None, seeds: int, seed: int, report: Path | None) -> int:
    """Prove on this machine that nothing is lost, repeated or overtaken."""
    runs = []
    for found in strike(points or NAMES, guarantee, range(seed, seed + seeds)):
        runs.append(found)
        _tell(found)
    if report is not None:
        report.write_bytes(b"".join(orjson.dumps(one.as_json()) + b"\n" for one in runs))
    lines = summarize(runs)
    _show(lines)
    return FINDINGS if any(line.broken_seeds for line in lines) else 0


def strike(points: Sequence[str], guarantee: str | None, seeds: Sequence[int]) -> Iterator[Run]:
    """Yield every run as it ends; a fault that this machine cannot make is told and left out.

    Args:
        points: names of faults.
        guarantee: only this one; both if None.
        seeds: one run for each.
    """
    with ExitStack() as stack:
        shared: Settings | None = None
        for name in points:
            why = missing(name)
            if why:
                click.echo(f"{name}: left out - {why}", err=True)
                continue
            if name in SHARED and shared is None:
                node = stack.enter_context(EmbeddedKafka())
                shared = Settings(bootstrap_servers=node.bootstrap_servers)
            for promised in guarantees_of(name):
                for number in seeds if guarantee in (None, promised) else ():
                    yield asyncio.run(_once(name, promised, number, shared))


async def _once(name: str, guarantee: str, seed: int, shared: Settings | None) -> Run:
    if name in SHARED:
        assert shared is not None  # noqa: S101 - started where it is needed
        verdict = await run(Trial(shared, guarantee, name, seed), SHARED[name])
        return Run(name, guarantee, seed, verdict)
    with tempfile.TemporaryDirectory(prefix="govbus-disk-") as folder:
        async with broker_for(name, Path(folder)) as broker:
            trial = Trial(broker.settings, guarantee, name, seed)
            return Run(name, guarantee, seed, await run(trial, OWN[name](broker)))


def _tell(found: Run) -> None:
    verdict = found.verdict
    said = ("BROKEN" if verdict.struck else "DID NOT STRIKE") if verdict.broken else "kept"
    click.echo(
        f"{found.fault}, {found.guarantee}, seed {found.seed}: {said} - accepted {verdict.accepted}, "
        f"lost {verdict.lost}, twice {verdict.twice}, out of order {verdict.out_of_order}, "
        f"again {verdict.again}",
        err=True,
    )


def _show(lines: Sequence[Line]) -> None:
    from rich.console import Console  # noqa: PLC0415 - keeps `govbus --help` quick
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("FAULT")
    table.add_column("GUARANTEE")
    for heading in ("RUNS", "ACCEPTED", "LOST", "TWICE", "OUT OF ORDER", "MOST AGAIN", "RESTART P95"):
        table.add_column(heading, justify="right")
    for line in lines:
        restart = "" if line.restart_p95_seconds is None else f"{line.restart_p95_seconds:.2f} s"
        cells = (line.runs, line.accepted, line.lost, line.twice, line.out_of_order, line.most_again)
        style = "bold red" if line.broken_seeds else None
        table.add_row(line.fault, line.guarantee, *map(str, cells), restart, style=style)
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=140)).print(table)
    for line in lines:
        for number in line.broken_seeds:
            again = f'--point "{line.fault}" --guarantee {line.guarantee} --seed {number}'
            click.echo(f"broken: see it again by `govbus check --crash {again}`")
