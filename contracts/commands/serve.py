"""`govbus contracts serve`."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.commands.catalog_option import logged_catalog_option
from contracts.commands.options import failing_plainly
from contracts.lint.soundness import open_sound
from contracts.publish.http_registry.app import RegistryApp
from contracts.web.listening import listening_options
from contracts.web.server import serve_web


@click.command()
@listening_options(8081)
@logged_catalog_option
@failing_plainly
def serve(host: str, port: int, hosts: tuple[str, ...], root: Path) -> None:
    """Serve the catalogue with the API of Confluent's Schema Registry, read-only.

    The catalogue is read once; restart after a change. There is no authentication: if not everyone who can
    reach the port may read it, put an authenticating proxy in front.
    """
    app = RegistryApp(open_sound(root))
    serve_web(app, host, port, (host, *hosts), "registry")
