"""The progress of a download, on the terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from contracts import visible_console

if TYPE_CHECKING:
    from rich.console import Console

Progress = Callable[[int, int], None]
"""Takes the bytes that are here and the bytes there will be; called from several threads."""

MEGABYTE = 1_000_000


@contextmanager
def shown_progress(title: str, console: "Console | None" = None) -> Iterator[Progress]:
    """Show a download on stderr: a bar on a terminal, else a line every two seconds.

    Args:
        title: What is downloaded.
        console: Where to show it; stderr when left out.

    Yields:
        The function to call with the bytes done and the bytes in all.
    """
    shown_on = console or visible_console(err=True)
    if not shown_on.is_terminal:
        yield _lines(title, shown_on)
        return
    yield from _bar(title, shown_on)


def _bar(title: str, console: "Console") -> Iterator[Progress]:
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        TextColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Bar(*columns, console=console)
    task = bar.add_task(title, total=None)

    def report(done: int, total: int) -> None:
        bar.start()  # only now: with a full cache nothing is shown
        bar.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()


def _lines(title: str, console: "Console", every_seconds: float = 2.0) -> Progress:
    last = time.monotonic() - every_seconds

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done >= total or now - last >= every_seconds:
            last = now
            console.print(f"{title}: {done / MEGABYTE:.0f} of {total / MEGABYTE:.0f} MB", highlight=False)

    return report
