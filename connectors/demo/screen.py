"""What the person at the screen sees while the country is at work.

On a terminal a table that changes in place, on stdout; else a line every two seconds, on stderr, so that
stdout holds the summary only.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

from connectors.demo.check import Account
from connectors.demo.timing import Spread

__all__ = ["Moment", "Screen", "seconds"]

LINE_EVERY_SECONDS = 2.0
PIPED_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """How things stand.

    Attributes:
        account: The books so far.
        wished: How many cases the clerks will enter in all.
        took: Per service, how long its completed transactions took.
        titles: Per service, its title.
        elapsed_seconds: Since the start of the demo.
    """

    account: Account
    wished: int
    took: Mapping[str, Spread]
    titles: Mapping[str, str]
    elapsed_seconds: float


class Screen:
    """Shows notes and moments; a context manager that leaves the last moment on the terminal."""

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.out = Console(highlight=False, width=None if self.terminal else PIPED_WIDTH)
        self._notes = self.out if self.terminal else Console(stderr=True, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._last_line = 0.0
        self._last_words = ""

    def note(self, text: str) -> None:
        """Say one line."""
        self._notes.print(text, markup=False)

    def show(self, moment: Moment, *, final: bool = False) -> None:
        """Show how things stand."""
        if self.terminal:
            if self._live is None:
                self._live = Live(console=self.out, auto_refresh=False)
                self._live.start()
            self._live.update(_table(moment), refresh=True)
            return
        now = time.monotonic()
        if final or now - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = now
            self.note(_line(moment))

    def close(self, *, wipe: bool = False) -> None:
        """Let the terminal go on below the table.

        Args:
            wipe: Whether the table goes away, since something better follows.
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


def seconds(value: float | None) -> str:
    """Return a duration as people read it; a dash when there is none."""
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _table(moment: Moment) -> Table:
    table = Table(
        caption=f"{moment.elapsed_seconds:.0f} s", caption_justify="right", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("service", no_wrap=True)
    for name in ("accepted", "open", "completed", "turned away", "p50", "p95"):
        table.add_column(name, justify="right", no_wrap=True)
    for service, tally in moment.account.services.items():
        took = moment.took[service]
        table.add_row(
            moment.titles.get(service, service),
            str(tally.accepted),
            str(tally.lost),
            str(tally.completed),
            str(tally.refused + tally.dead_lettered),
            seconds(took.p50),
            seconds(took.p95),
        )
    total = moment.account.total
    table.add_section()
    table.add_row(
        "all",
        f"{total.accepted} of {moment.wished}",
        str(total.lost),
        str(total.completed),
        str(total.refused + total.dead_lettered),
        "",
        "",
    )
    return table


def _line(moment: Moment) -> str:
    total = moment.account.total
    services = ", ".join(
        f"{service} {tally.completed}/{tally.accepted} p50 {seconds(moment.took[service].p50)}"
        for service, tally in moment.account.services.items()
    )
    return (
        f"{moment.elapsed_seconds:3.0f} s  {total.accepted} of {moment.wished} accepted, {total.lost} open, "
        f"{total.completed} completed, {total.refused + total.dead_lettered} turned away ({services})"
    )
