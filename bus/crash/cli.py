"""`govbus check --crash`: kill the bus at every named point, and hold its books against each other."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import orjson

from bus.crash.faults import NAMES
from bus.crash.report import Line, Run, summarize
from bus.crash.strikes import App, strike

FINDINGS = 100
SEEN_BY_RECEIPTS = (
    "judged by receipts alone: what was accepted, handled, parked or set aside; what handlers did elsewhere, "
    "in a database say, is not seen"
)


@click.command()
@click.option("--crash", is_flag=True, help="Strike the bus with faults; takes a while.")
@click.option(
    "--soak",
    type=click.FloatRange(0.5),
    metavar="MINUTES",
    help="Strike it while events flow.",
)
@click.option("--rate", type=click.IntRange(1), default=2_000, help="Events per second for --soak; 2000.")
@click.option(
    "--nodes",
    type=click.Choice(["1", "3"]),
    default="1",
    help="For --soak: 1 broker and every fault in turn, or 3 of which one is killed at a time; 1.",
)
@click.option("--app", metavar="MODULE:BUS", help="Strike this agency's program instead of the kit's own.")
@click.option(
    "--events",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="JSON lines of subject and data for --app; the contracts' examples if absent.",
)
@click.option("--count", type=click.IntRange(24), default=600, help="Events of each topic for --app; 600.")
@click.option(
    "--point", "points", multiple=True, type=click.Choice(NAMES), help="Only this fault; may be repeated."
)
@click.option("--guarantee", type=click.Choice(["at-least-once", "exactly-once"]), help="Only this one.")
@click.option("--seeds", type=click.IntRange(1), default=1, help="How many runs of each; 1.")
@click.option("--seed", type=int, default=1, help="The first seed; a run repeats with its own.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write each run to this file too.")
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
    report: Path | None,
) -> int:
    """Prove on this machine that nothing is lost, repeated or overtaken."""
    _require_sense(crash, soak, app, events, guarantee)
    if soak is not None:
        return _soak(soak, rate, int(nodes), seed, guarantee or "at-least-once")
    chosen, numbers = points or NAMES, range(seed, seed + seeds)
    found: Iterator[Run] = (
        strike(chosen, guarantee, numbers, _left_out)
        if app is None
        else App(app, events=events, count=count).strike(chosen, numbers, _left_out)
    )
    runs = []
    for one in found:
        runs.append(one)
        _tell(one)
    if report is not None:
        report.write_bytes(b"".join(orjson.dumps(one.as_json()) + b"\n" for one in runs))
    lines = summarize(runs)
    _show(lines, app)
    return FINDINGS if any(line.broken_seeds for line in lines) or not runs else 0


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
        raise click.UsageError("`--guarantee` is not for `--app`: its subscriptions say themselves")


def _soak(minutes: float, rate: int, nodes: int, seed: int, guarantee: str) -> int:
    from bus.crash import soak as soaking  # noqa: PLC0415 - keeps `govbus --help` quick

    found = asyncio.run(
        soaking.soak(
            minutes=minutes, rate=rate, nodes=nodes, seed=seed, guarantee=guarantee,
            told=lambda line: click.echo(line, err=True),
        )
    )  # fmt: skip
    for line in found.lines():
        click.echo(line)
    return FINDINGS if found.broken else 0


def _left_out(fault: str, why: str) -> None:
    click.echo(f"{fault}: left out - {why}", err=True)


def _tell(found: Run) -> None:
    verdict = found.verdict
    said = "kept"
    if verdict.broken:
        said = "A PROCESS ENDED" if verdict.ended else "BROKEN" if verdict.struck else "DID NOT STRIKE"
    click.echo(
        f"{found.fault}, {found.subscription or found.guarantee}, seed {found.seed}: {said} - accepted "
        f"{verdict.accepted}, lost {verdict.lost}, twice {verdict.twice}, out of order "
        f"{verdict.out_of_order}, again {verdict.again}"
        + (f", not reached {verdict.unreached}" if verdict.unreached else ""),
        err=True,
    )
    if verdict.ended:
        click.echo(verdict.ended, err=True)
    if verdict.logs:
        click.echo(f"the logs of the processes: {verdict.logs}", err=True)


def _show(lines: Sequence[Line], app: str | None) -> None:
    from rich.console import Console  # noqa: PLC0415 - keeps `govbus --help` quick
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("FAULT", "GUARANTEE") if app is None else ("FAULT", "SUBSCRIPTION"):
        table.add_column(heading, no_wrap=True)
    more = () if app is None else ("DEAD LETTERS", "WAITING", "NOT REACHED")
    for heading in ("RUNS", "ACCEPTED", "LOST", "TWICE", "OUT OF ORDER", "MOST AGAIN", *more, "RESTART P95"):
        table.add_column(heading, justify="right")
    for line in lines:
        table.add_row(*_cells(line, app), style="bold red" if line.broken_seeds else None)
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=180)).print(table)
    for line in lines:
        for number in line.broken_seeds:
            told = f"--guarantee {line.guarantee}" if app is None else f"--app {app}"
            again = f'--point "{line.fault}" {told} --seed {number}'
            click.echo(f"broken: see it again by `govbus check --crash {again}`")
    if app is not None:
        click.echo(SEEN_BY_RECEIPTS)


def _cells(line: Line, app: str | None) -> list[str]:
    counts = [line.runs, line.accepted, line.lost, line.twice, line.out_of_order, line.most_again]
    if app is not None:
        counts += [line.dead_letters, line.waiting, line.unreached]
    restart = "" if line.restart_p95_seconds is None else f"{line.restart_p95_seconds:.2f} s"
    return [line.fault, line.subscription or line.guarantee, *map(str, counts), restart]
