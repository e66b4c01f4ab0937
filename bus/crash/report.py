"""Reports of crash runs: a line for each run, a table of all, and the command that repeats a broken one."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from bus.crash.verdict import CrashVerdict
from contracts import say, visible_console


@dataclass(frozen=True, slots=True)
class CrashRun:
    """One run: its fault, guarantee and seed, and the verdict."""

    fault: str
    guarantee: str
    seed: int
    verdict: CrashVerdict
    subscription: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for a machine."""
        fields = asdict(self)
        return {**fields, **fields.pop("verdict")}


@dataclass(frozen=True, slots=True)
class FaultSummary:
    """All runs of one fault, for one subscription."""

    fault: str
    guarantee: str
    subscription: str
    runs: int
    total: CrashVerdict
    most_again: int
    restart_p95_seconds: float | None
    broken_seeds: tuple[int, ...]


def total(verdicts: Sequence[CrashVerdict]) -> CrashVerdict:
    """Return the sum of several verdicts; the slowest restart counts."""
    restarts = [one.restart_seconds for one in verdicts if one.restart_seconds is not None]
    return replace(
        verdicts[0],
        accepted=sum(one.accepted for one in verdicts),
        lost=sum(one.lost for one in verdicts),
        again=sum(one.again for one in verdicts),
        twice=sum(one.twice for one in verdicts),
        out_of_order=sum(one.out_of_order for one in verdicts),
        dead_letters=sum(one.dead_letters for one in verdicts),
        waiting=sum(one.waiting for one in verdicts),
        gone=sum(one.gone for one in verdicts),
        unreached=sum(one.unreached for one in verdicts),
        differences=tuple(difference for one in verdicts for difference in one.differences),
        restart_seconds=max(restarts, default=None),
    )


def summarize(runs: Iterable[CrashRun]) -> list[FaultSummary]:
    """Return a summary for each fault, guarantee and subscription, in the order they came."""
    groups: dict[tuple[str, str, str], list[CrashRun]] = {}
    for run in runs:
        groups.setdefault((run.fault, run.guarantee, run.subscription), []).append(run)
    return [_summary(*group, found) for group, found in groups.items()]


def _summary(fault: str, guarantee: str, subscription: str, runs: Sequence[CrashRun]) -> FaultSummary:
    verdicts = [run.verdict for run in runs]
    restarts = sorted(one.restart_seconds for one in verdicts if one.restart_seconds is not None)
    return FaultSummary(
        fault,
        guarantee,
        subscription,
        len(runs),
        total(verdicts),
        max(one.again for one in verdicts),
        restarts[min(len(restarts) - 1, int(len(restarts) * 0.95))] if restarts else None,
        tuple(run.seed for run in runs if run.verdict.broken),
    )


def report(runs: Iterable[CrashRun], repeat: str, file: Path | None = None) -> bool:
    """Print each run as it ends, and a table of all; return whether any was broken, or none was run.

    Args:
        runs: the runs, made one by one.
        repeat: the command that repeats a run, without its options `--point` and `--seed`; `{guarantee}` is
            filled in.
        file: where to write each run as a line of JSON.
    """
    ended = []
    for run in runs:
        ended.append(run)
        _print_run(run)
    if file is not None:
        file.write_bytes(b"".join(orjson.dumps(run.as_json()) + b"\n" for run in ended))
    summaries = summarize(ended)
    _print_table(summaries)
    for one in summaries:
        for seed in one.broken_seeds:
            command = f'{repeat.format(guarantee=one.guarantee)} --point "{one.fault}" --seed {seed}'
            say(f"broken: repeat it with `{command}`")
    return not ended or any(one.broken_seeds for one in summaries)


def _print_run(run: CrashRun) -> None:
    verdict = run.verdict
    result = "kept"
    if verdict.broken:
        result = (
            "A PROCESS ENDED" if verdict.ended else "BROKEN" if verdict.struck else "THE FAULT DID NOT HAPPEN"
        )
    say(
        f"{run.fault}, {run.subscription or run.guarantee}, seed {run.seed}: {result} - accepted "
        f"{verdict.accepted}, lost {verdict.lost}, twice {verdict.twice}, out of order "
        f"{verdict.out_of_order}, again {verdict.again}"
        + (f", gone with their topic {verdict.gone}" if verdict.gone else "")
        + (f", not reached {verdict.unreached}" if verdict.unreached else ""),
        err=True,
    )
    say(*(f"difference: {one}" for one in verdict.differences), err=True)
    if verdict.ended:
        say(*verdict.ended.split("\n"), err=True)
    if verdict.logs:
        say(f"logs of the processes: {verdict.logs}", err=True)


def _print_table(summaries: Sequence[FaultSummary]) -> None:
    from rich.table import Table  # noqa: PLC0415 - keeps `govbus --help` quick

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("FAULT", "SUBSCRIPTION"):
        table.add_column(heading, no_wrap=True)
    for heading in (
        "RUNS", "ACCEPTED", "LOST", "TWICE", "OUT OF ORDER", "MOST AGAIN", "DEAD LETTERS", "WAITING",
        "NOT REACHED", "RESTART P95",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    for one in summaries:
        found = one.total
        counts = (
            one.runs, found.accepted, found.lost, found.twice, found.out_of_order, one.most_again,
            found.dead_letters, found.waiting, found.unreached,
        )  # fmt: skip
        restart = "" if one.restart_p95_seconds is None else f"{one.restart_p95_seconds:.2f} s"
        table.add_row(
            one.fault,
            one.subscription or one.guarantee,
            *map(str, counts),
            restart,
            style="bold red" if one.broken_seeds else None,
        )
    visible_console().print(table)
