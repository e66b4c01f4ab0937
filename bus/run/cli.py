"""`govbus run`: an agency's program, in one process or several."""

import asyncio
import io
import os
import signal
import sys
import threading

import click

from bus.run.programs import load_bus
from bus.run.workers import Workers, command_of
from bus.settings import Settings
from contracts import collect_rarely


@click.command()
@click.argument("app", metavar="MODULE:BUS")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes; they share the partitions of each event.",
)
@click.option("--reload", "reloads", is_flag=True, help="Start anew when a file below this folder changes.")
@click.option("--is-worker", is_flag=True, hidden=True)
def run(app: str, *, workers: int, reloads: bool, is_worker: bool) -> int:
    """Run an agency's program until SIGTERM or Ctrl-C; MODULE is found from the current folder.

    A worker that is killed is started again; one that ends by itself ends all. With GOVBUS_INSTANCE, workers
    are named `<instance>-1` and so on; with GOVBUS_HEALTH_PORT, each answers at the next port.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a handler prints is seen at once, also in a file
        sys.stdout.reconfigure(line_buffering=True)
    if is_worker:
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
    elif workers > 1 or reloads:
        return asyncio.run(Workers(command_of(app), workers, Settings()).run(reload=reloads))
    collect_rarely()  # before the program, whose own settings count
    asyncio.run(load_bus(app).run())
    return 0


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
