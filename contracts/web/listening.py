"""The options that say where a web server listens, and under which names clients reach it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def listening_options(port: int) -> Callable[[Command], Command]:
    """Return a decorator that gives a command `host`, `port` and `hosts`.

    Args:
        port: The port where none is named.
    """

    def decorate(command: Command) -> Command:
        host = click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
        number = click.option(
            "--port",
            type=click.IntRange(0, 65_535),
            default=port,
            show_default=True,
            help="Port to listen on; 0 for any free port.",
        )
        names = click.option(
            "--allow-host",
            "hosts",
            multiple=True,
            metavar="NAME",
            help="A further name under which clients reach it; can be repeated.",
        )
        return host(number(names(command)))

    return decorate
