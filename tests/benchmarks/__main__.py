"""`python -m tests.benchmarks`: measure the bus beside its neighbours."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bus import EmbeddedKafka
from bus.embedded.jars import KAFKA_VERSION
from tests.benchmarks import machine, races, report
from tests.benchmarks.plan import PAYLOADS, SECTIONS, Plan, quick
from tests.benchmarks.track import Track

ADDRESS = "GOVBUS_BOOTSTRAP_SERVERS"
WIDE = 160


def _sections(context: click.Context, parameter: click.Parameter, text: str) -> tuple[str, ...]:
    named = tuple(text.split(","))
    if unknown := set(named) - set(SECTIONS):
        raise click.BadParameter(f"expected some of {','.join(SECTIONS)}, got {', '.join(sorted(unknown))}")
    return tuple(section for section in SECTIONS if section in named)


def _payloads(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, ...]:
    try:
        sizes = tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise click.BadParameter("expected bytes, such as 200,1024") from None
    if any(not 200 <= size <= 20_000 for size in sizes):
        raise click.BadParameter("expected sizes from 200 to 20000 bytes")
    return sizes


@click.command()
@click.option("--quick", "is_quick", is_flag=True, help="Show in a minute that everything runs.")
@click.option("--only", callback=_sections, default=",".join(SECTIONS), show_default=True, help="Sections.")
@click.option("--payload", callback=_payloads, help="Sizes in bytes.  [default: 200,1024,10240]")
@click.option("--rounds", type=click.IntRange(1, 99), help="How often everybody runs.  [default: 5]")
@click.option("--profile", is_flag=True, help="Say where the bus' time goes.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), default="build/benchmarks.json")
@click.option(
    "--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write a table there, too."
)
def main(
    *,
    is_quick: bool,
    only: tuple[str, ...],
    payload: tuple[int, ...],
    rounds: int | None,
    profile: bool,
    json_file: Path,
    markdown_file: Path | None,
) -> None:
    """Measure the bus beside its neighbours, on one broker, round by round.

    The broker is an embedded Kafka, or the one of GOVBUS_BOOTSTRAP_SERVERS (PLAINTEXT). A goal that is missed
    is shown as missed; the exit code is 0 unless a contestant failed.
    """
    if is_quick:
        plan = quick(only, payload or (1024,), profile=profile)
    else:
        plan = Plan(only, payload or PAYLOADS, profile=profile)
    plan = replace(plan, rounds=rounds) if rounds else plan
    findings, about, failures = _measure(plan)
    console = Console()
    report.show(findings, about, console if console.is_terminal else Console(width=WIDE))
    report.save_json(findings, about, asdict(plan), json_file)
    if markdown_file is not None:
        report.save_markdown(findings, about, markdown_file)
    for failure in failures:
        click.echo(f"error: {failure}", err=True)
    sys.exit(1 if failures else 0)


def _measure(plan: Plan) -> tuple[races.Findings, dict[str, str], list[str]]:
    with _broker() as (address, kafka), tempfile.TemporaryDirectory() as folder, _progress(plan) as announce:
        about = machine.describe(kafka)
        before = machine.load()
        track = Track(address, Path(folder), announce)
        findings = races.run(plan, track)
    about["load averages"] = f"{before} before, {machine.load()} after"
    return findings, about, track.failures


@contextmanager
def _broker() -> Iterator[tuple[str, str]]:
    if address := os.environ.get(ADDRESS):
        yield address, f"the broker of {ADDRESS}"
        return
    with EmbeddedKafka() as node:
        yield node.bootstrap_servers, f"Apache Kafka {KAFKA_VERSION}, one embedded node on the same machine"


@contextmanager
def _progress(plan: Plan) -> Iterator[Callable[[str], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda what: click.echo(what, err=True)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=plan.children(), completed=-1)
        yield lambda what: progress.update(task, description=what, advance=1)


if __name__ == "__main__":
    main()
