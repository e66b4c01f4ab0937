"""How findings are shown and kept: a table on the terminal, JSON, Markdown."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from tests.benchmarks.races import Findings
from tests.benchmarks.rows import Row

COLUMNS = (
    "what", "payload", "govbus", "against", "its figure", "ratio", "load",
    "CPU per event", "its CPU", "CPU ratio", "goal", "",
)  # fmt: skip
FIGURES = {"events/s": "{:,.0f}/s", "ms": "{:,.2f} ms", "MB": "{:,.1f} MB"}


def show(findings: Findings, machine: Mapping[str, str], console: Console) -> None:
    """Print the table, the machine, and the profiles."""
    table = Table(*COLUMNS, title="govbus beside its neighbours", title_justify="left")
    section = ""
    for row in findings.rows:
        if section and section != row.section:
            table.add_section()
        section = row.section
        table.add_row(*cells(row))
    console.print(table)
    for name, said in machine.items():
        console.print(f"{name}: {said}", highlight=False, soft_wrap=True)
    for what, lines in findings.profiles.items():
        console.print(_profile_table(what, lines))


def _profile_table(what: str, lines: list[tuple[float, int, str]]) -> Table:
    table = Table("own seconds", "calls", "function", title=f"top costs: {what}", title_justify="left")
    for seconds, calls, name in lines:
        table.add_row(f"{seconds:.3f}", f"{calls:,}", name)
    return table


def cells(row: Row) -> tuple[str, ...]:
    """Return a row's figures as text."""
    return (
        row.what,
        _size(row.payload_bytes),
        _figure(row.ours_median, row.unit),
        row.against,
        _figure(row.theirs_median, row.unit),
        "under load" if row.is_loaded else _ratio(row.ratio),
        f"{row.load:.1f}" if row.load else "-",
        _cpu(row.ours_cpu_us),
        _cpu(row.theirs_cpu_us),
        _ratio(row.cpu_ratio),
        str(row.goal) if row.goal else "-",
        row.skipped or _verdict(row),
    )


def _verdict(row: Row) -> str:
    met = {True: "met", False: "missed", None: ""}[row.met]
    ours, theirs = row.disorder
    return "; ".join(
        part
        for part in (
            met,
            f"{ours} of ours out of order" if ours else "",
            f"{theirs} of theirs out of order" if theirs else "",
        )
        if part
    )


def _ratio(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def _cpu(rounds: tuple[float, ...]) -> str:
    return f"{median(rounds):.1f} us" if rounds else "-"


def _figure(figure: float | None, unit: str) -> str:
    return "-" if figure is None else FIGURES[unit].format(figure)


def _size(size_bytes: int) -> str:
    return f"{size_bytes} B" if size_bytes < 1024 else f"{size_bytes / 1024:g} KB"


def save_json(findings: Findings, machine: Mapping[str, str], plan: Mapping[str, Any], path: Path) -> None:
    """Write everything there is to know of a run."""
    document = {
        "machine": dict(machine),
        "plan": dict(plan),
        "rows": [row.as_json() for row in findings.rows],
        "profiles": findings.profiles,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


def save_markdown(findings: Findings, machine: Mapping[str, str], path: Path) -> None:
    """Write the table for a document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(_markdown(findings, machine)) + "\n")


def _markdown(findings: Findings, machine: Mapping[str, str]) -> Iterator[str]:
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|---|--:|--:|---|--:|--:|--:|--:|--:|--:|---|---|"
    for row in findings.rows:
        yield "| " + " | ".join(cells(row)) + " |"
    yield ""
    yield "; ".join(f"{name}: {said}" for name, said in machine.items()) + "."
    for what, lines in findings.profiles.items():
        yield ""
        yield f"Top costs, {what}:"
        yield ""
        yield "| own seconds | calls | function |"
        yield "|--:|--:|---|"
        for seconds, calls, name in lines:
            yield f"| {seconds:.3f} | {calls:,} | `{name}` |"
