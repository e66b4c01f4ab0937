"""The tables a person reads at the end of the demo; the last line is the sentence that is checked."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from connectors.demo.outcome import Ending, reasons
from connectors.demo.screen import seconds

__all__ = ["print_summary"]

LISTED = 10


def print_summary(out: Console, ending: Ending) -> None:
    """Print everything but the last line."""
    for table in (_services(ending), _hops(ending), _reasons(ending), _intakes(ending)):
        out.print()
        out.print(table)
    out.print()
    for trouble in ending.troubles:
        out.print(f"fault injected: {trouble}", markup=False)
    if ending.first_completed_seconds is not None:
        out.print(
            f"first completed transaction {ending.first_completed_seconds:.1f} s after the start, "
            f"the last outcome after {ending.elapsed_seconds:.1f} s"
        )
    for finding in _findings(ending):
        out.print(finding, markup=False)
    out.print(f"{_monitor(ending)}; the account is made from the legacy systems' own books")


def _monitor(ending: Ending) -> str:
    says, books = ending.monitor_completed, ending.account.total.completed
    if says is None:
        return "the monitor was not asked"
    return f"the monitor {'agrees' if says == books else 'disagrees'}: {says} completed"


def _services(ending: Ending) -> Table:
    table = _table("Services", "service")
    table.columns[0].no_wrap = True
    for name in ("accepted", "completed", "refused", "dead-l.", "lost", "p50", "p95", "p99"):
        table.add_column(name, justify="right", no_wrap=True)
    for service, tally in ending.account.services.items():
        took = ending.took[service]
        table.add_row(
            ending.titles.get(service, service),
            str(tally.accepted),
            str(tally.completed),
            str(tally.refused),
            str(tally.dead_lettered),
            str(tally.lost),
            seconds(took.p50),
            seconds(took.p95),
            seconds(took.p99),
        )
    return table


def _hops(ending: Ending) -> Table:
    table = _table("Hops: from the event before to this one, and how much of it was the bus", "event")
    for name in ("n", "p50", "p95", "p99", "queue\np50", "handle\np50"):
        table.add_column(name, justify="right", no_wrap=True)
    for service, steps in ending.steps.items():
        table.add_row(ending.titles.get(service, service), style="dim")
        events = {step.event for step in steps}
        for step in steps:
            later = step.after in events
            table.add_row(
                f"{'    ' if later else '  '}{step.event}",
                str(step.took.count),
                *(seconds(each) for each in (step.took.p50, step.took.p95, step.took.p99)),
                seconds(step.queue.p50),
                seconds(step.handle.p50),
            )
    return table


def _reasons(ending: Ending) -> Table:
    table = _table("Turned away, with reasons", "agency")
    for name in ("as", "stage", "reason"):
        table.add_column(name, no_wrap=True)
    table.add_column("letters", justify="right")
    table.add_column("first at", overflow="fold")
    for reason in reasons(ending.rejections):
        table.add_row(
            reason.agency, reason.kind, reason.stage, reason.reason, str(reason.count), reason.example
        )
    return table


def _intakes(ending: Ending) -> Table:
    table = _table("Intakes of the legacy systems", "agency")
    table.add_column("papers taken", justify="right")
    table.add_column("handed in again, not worked on", justify="right")
    for calls in ending.calls:
        table.add_row(calls.agency, str(calls.taken), str(calls.repeated))
    return table


def _table(title: str, first: str) -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column(first, overflow="fold")
    return table


def _findings(ending: Ending) -> list[str]:
    account = ending.account
    found = [f"FINDING lost: {reference}" for reference in account.lost]
    found += [f"FINDING handled twice: {effect.subject} of {effect.reference}" for effect in account.doubled]
    found += [f"FINDING nobody asked for: {each.subject} of {each.reference}" for each in account.orphans]
    found += [
        f"FINDING turned away without a case: {each.agency} {each.reason} at {each.where}"
        for each in account.strays
    ]
    hidden = len(found) - LISTED
    return found if hidden <= 0 else [*found[:LISTED], f"and {hidden} more findings, all in --json"]
