"""What the demo shows: its progress while the country is at work, and the summary at the end.

On a terminal the progress is a table that changes in place, on stdout; else a line every two seconds, on
stderr, so that stdout has the summary only. Everything fits into 80 columns.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Literal

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from connectors.demo.check import Tally
from connectors.demo.monitor_query import Spread
from connectors.demo.result import DemoResult
from contracts import say, visible_console

__all__ = ["Screen"]

LINE_EVERY_SECONDS = 2.0
PIPED_WIDTH = 100
LISTED = 10


class Screen:
    """Shows notes, progress and the summary; a context manager that leaves the last table on the terminal."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self._out = visible_console()
        if not self.terminal:
            self._out.width = PIPED_WIDTH
        self._live: Live | None = None
        self._last_line = 0.0

    def note(self, text: str) -> None:
        """Show one line of progress."""
        if self.terminal:
            self._out.print(text)
        else:
            say(text, err=True)

    def say(self, text: str, style: str | None = None) -> None:
        """Print one line of the summary; a terminal wraps it between words."""
        self._out.print(text, style=style, soft_wrap=not self.terminal)

    def show(self, result: DemoResult, *, final: bool = False) -> None:
        """Show the progress."""
        now = time.monotonic()
        if self.terminal:
            if self._live is None:
                self._live = Live(console=self._out, auto_refresh=False)
                self._live.start()
            self._live.update(_progress(result), refresh=True)
        elif final or now - self._last_line >= LINE_EVERY_SECONDS:
            for fault in () if self._last_line else _faults(result):
                self.note(fault)
            self._last_line = now
            self.note(_progress_line(result))

    def summarize(self, result: DemoResult) -> None:
        """Print the summary, but for its last line, in place of the progress."""
        self.close(wipe=True)
        rejections = [_rejections(result)] if result.rejections else []
        for table in (_cases(result), _times(result), *rejections, _calls(result)):
            self._out.print()
            self._out.print(table)
        self.say("")
        for fault in _faults(result):
            self.say(fault)
        if result.first_completed_seconds is not None:
            self.say(
                f"first case completed after {result.first_completed_seconds:.1f} s, "
                f"last outcome after {result.elapsed_seconds:.1f} s"
            )
        books, monitor = result.account.total.completed, result.monitor_completed
        self.say(
            f"completed in the books of the legacy systems: {books}, "
            f"in the monitor: {'unknown' if monitor is None else monitor}",
            style=None if monitor == books else "yellow",
        )
        if stuck := result.report.count("stuck"):
            self.say(f"begun but turned away later, so stuck in the monitor: {stuck}")
        for finding in _findings(result):
            self.say(finding, style="bold red")

    def close(self, *, wipe: bool = False) -> None:
        """Let the terminal go on below the progress.

        Args:
            wipe: Whether the progress is removed.
        """
        if self._live is not None:
            self._live.transient = wipe
            self._live.stop()
            self._live = None

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f}ms" if value < 0.9995 else f"{value:.1f}s"


def _spread(took: Spread) -> tuple[str, str, str]:
    return _seconds(took.p50), _seconds(took.p95), _seconds(took.p99)


def _table(title: str, *headings: str, texts: int = 0) -> Table:
    """Return an empty table; after the first column and `texts` more, the columns hold numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, caption_justify="left", caption_style="dim")
    table.add_column(title, header_style="bold", no_wrap=True)
    for number, heading in enumerate(headings):
        justify: Literal["left", "right"] = "left" if number < texts else "right"
        table.add_column(heading, header_style="not bold dim", justify=justify, no_wrap=True, min_width=5)
    return table


def _progress(result: DemoResult) -> Group:
    table = _table("", "accepted", "open", "completed", "rejected", "p50", "p95")
    for name, tally in result.account.services.items():
        p50, p95, _ = _spread(result.report.took(result.services[name]))
        table.add_row(result.services[name].title, *_progress_counts(tally), p50, p95)
    total = result.account.total
    table.add_row("all", *_progress_counts(total), style="bold")
    entered = f"{total.accepted} of {result.options.transactions} cases entered"
    lines = [f"{result.elapsed_seconds:.0f} s, {entered}", *_faults(result)]
    return Group("", table, "", *(Text(line, style="dim") for line in lines))


def _progress_counts(tally: Tally) -> tuple[str, ...]:
    counts = (tally.accepted, tally.open, tally.completed, tally.refused + tally.dead_lettered)
    return tuple(map(str, counts))


def _progress_line(result: DemoResult) -> str:
    accepted, still_open, completed, rejected = _progress_counts(result.account.total)
    return (
        f"{result.elapsed_seconds:3.0f} s  {accepted} of {result.options.transactions} accepted, "
        f"{still_open} open, {completed} completed, {rejected} rejected"
    )


def _faults(result: DemoResult) -> list[str]:
    return [f"fault injected: {fault}" for fault in result.faults]


def _cases(result: DemoResult) -> Table:
    table = _table("Cases", "accepted", "completed", "refused", "dead-lettered", "lost")
    for name, tally in result.account.services.items():
        counts = (tally.accepted, tally.completed, tally.refused, tally.dead_lettered)
        lost = Text(str(tally.lost), style="bold red" if tally.lost else "")
        table.add_row(result.services[name].title, *map(str, counts), lost)
    return table


def _times(result: DemoResult) -> Table:
    table = _table("Times", "p50", "p95", "p99", "queue", "handle")
    table.caption = "Indented: time since the event before. queue, handle: in the bus, p50."
    for service in result.services.values():
        table.add_row(service.title, *_spread(result.report.took(service)), style="bold")
        hops = result.report.hops(service)
        events = {hop.event for hop in hops}
        for hop in hops:
            event = f"    {hop.event}" if hop.after in events else f"  {hop.event}"
            table.add_row(event, *_spread(hop.took), _seconds(hop.queue.p50), _seconds(hop.handle.p50))
    return table


def _rejections(result: DemoResult) -> Table:
    table = _table("Rejected", "stage", "reason", "first at", "count", texts=3)
    for kind in ("refused", "dead-lettered"):
        reasons = [reason for reason in result.reasons() if reason.kind == kind]
        if reasons:
            table.add_row(kind, style="bold")
        for each in reasons:
            table.add_row(f"  {each.agency}", each.stage, each.reason, each.example, str(each.count))
    return table


def _calls(result: DemoResult) -> Table:
    table = _table("Calls to legacy systems", "new", "repeated, not worked on again")
    for calls in result.calls:
        table.add_row(calls.agency, str(calls.taken), str(calls.repeated))
    return table


def _findings(result: DemoResult) -> list[str]:
    account = result.account
    found = [f"FINDING lost: {reference}" for reference in account.lost]
    found += [f"FINDING handled twice: {effect.subject} of {effect.reference}" for effect in account.doubled]
    found += [f"FINDING without a case: {effect.subject} of {effect.reference}" for effect in account.orphans]
    found += [
        f"FINDING rejected, of no known case: {each.agency} {each.reason} at {each.where}"
        for each in account.strays
    ]
    hidden = len(found) - LISTED
    return found if hidden <= 0 else [*found[:LISTED], f"and {hidden} more findings, all in --json"]
