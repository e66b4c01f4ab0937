"""The command `govbus demo`."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from connectors.demo.options import DemoOptions

__all__ = ["demo", "run"]

LAST_RESORT_SECONDS = 12.0
SIGNALLED = 128


class Rate(click.ParamType[float]):
    """A number of cases per second, written `5` or `5/s`."""

    name = "N/s"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        try:
            rate = float(str(value).removesuffix("/s"))
        except ValueError:
            rate = 0.0
        if not 0 < rate <= 10_000:
            self.fail("expected a number of cases per second such as 5/s", param, ctx)
        return rate


@click.command()
@click.option(
    "--transactions", type=click.IntRange(1, 100_000), default=200, show_default=True, help="Number of cases."
)
@click.option("--rate", type=Rate(), default="5/s", show_default=True, help="Cases entered per second.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same cases.")
@click.option("--faults/--no-faults", default=True, show_default=True, help="Inject faults.")
@click.option("--exit", "exits", is_flag=True, help="End after the summary instead of staying up.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Also write the summary to this file.",
)
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=8900, show_default=True, help="Port of the console."
)
def demo(*, exits: bool, **options: Any) -> int:
    """Run a small country: five agencies, three services, one bus."""
    from connectors.demo.options import DemoOptions  # noqa: PLC0415 - keeps `govbus --help` quick

    return run(DemoOptions(stays=not exits, **options))


def run(options: DemoOptions) -> int:
    """Run the demo and return the exit code of its command.

    Args:
        options: The options.

    Returns:
        0 clean, 100 findings, 130 or 143 when it was stopped by a signal.
    """
    started = time.monotonic()
    return asyncio.run(_run(options, started))


async def _run(options: DemoOptions, started: float) -> int:
    from connectors.demo.country import run_country  # noqa: PLC0415
    from connectors.demo.screen import Screen  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    this = asyncio.current_task()
    stopped_by: list[int] = []

    def stop(number: int) -> None:
        if not stopped_by and this is not None:
            stopped_by.append(number)
            # When an orderly stop takes too long, the guards of the processes and of Kafka end them.
            last_resort = threading.Timer(LAST_RESORT_SECONDS, os._exit, (SIGNALLED + number,))
            last_resort.daemon = True
            last_resort.start()
            this.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    with Screen() as screen:
        try:
            return await run_country(options, screen, started)
        except asyncio.CancelledError:
            if not stopped_by:
                raise
            screen.close()
            screen.note("stopped")
            return SIGNALLED + stopped_by[0]
