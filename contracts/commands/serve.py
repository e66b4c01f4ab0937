"""`govbus contracts serve`."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.commands.options import REFERENCE_CATALOG, catalog_option, failing_plainly
from contracts.lint.soundness import open_sound
from contracts.publish.http_registry.app import RegistryApp
from contracts.web.server import serve_web


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="Port to listen on; 0 for any free port.",
)
@click.option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A further name under which clients reach it; can be repeated.",
)
@catalog_option
@failing_plainly
def serve(host: str, port: int, hosts: tuple[str, ...], catalog: Path | None) -> None:
    """Serve the catalogue with the API of Confluent's Schema Registry, read-only.

    The catalogue is read once; restart after a change. There is no authentication: if not everyone who can
    reach the port may read it, put an authenticating proxy in front.
    """
    app = RegistryApp(open_sound(catalog or REFERENCE_CATALOG))
    serve_web(app, host, port, (host, *hosts), "registry")
