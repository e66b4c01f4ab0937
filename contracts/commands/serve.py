"""`govbus contracts serve`."""

from __future__ import annotations

from pathlib import Path

import click

from contracts.commands.options import REFERENCE_CATALOG, catalog_option, failing_plainly
from contracts.lint.soundness import open_sound
from contracts.publish.http_registry.app import RegistryApp
from contracts.web.listening import listening_options
from contracts.web.server import serve_web


@click.command()
@listening_options(8081)
@catalog_option
@failing_plainly
def serve(host: str, port: int, hosts: tuple[str, ...], catalog: Path | None) -> None:
    """Serve the catalogue with the API of Confluent's Schema Registry, read-only.

    The catalogue is read once; restart after a change. There is no authentication: if not everyone who can
    reach the port may read it, put an authenticating proxy in front.
    """
    app = RegistryApp(open_sound(catalog or REFERENCE_CATALOG))
    serve_web(app, host, port, (host, *hosts), "registry")
