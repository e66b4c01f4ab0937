"""`govbus contracts serve`."""

from __future__ import annotations

import socket
from pathlib import Path

import click
import uvicorn

from contracts.commands.options import REFERENCE_CATALOG, catalog_option, failing_plainly
from contracts.lint.soundness import open_sound
from contracts.publish.http_registry.app import RegistryApp
from contracts.terminal import say

_CONNECTIONS = 200


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    show_default=True,
    help="Port to listen on; 0 for any free port.",
)
@catalog_option
@failing_plainly
def serve(host: str, port: int, catalog: Path | None) -> None:
    """Serve the catalogue with the API of Confluent's Schema Registry, read-only.

    The catalogue is read once; restart after a change. There is no authentication: if not everyone who can
    reach the port may read it, put an authenticating proxy in front.
    """
    app = RegistryApp(open_sound(catalog or REFERENCE_CATALOG))
    with _listening(host, port) as listener:
        address = f"[{host}]" if ":" in host else host
        say(f"serving at http://{address}:{listener.getsockname()[1]} until Ctrl-C", err=True)
        server(app).run(sockets=[listener])


def server(app: RegistryApp) -> uvicorn.Server:
    """A server for the registry, with limits on connections and time."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=5,
        )
    )


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise OSError(
            f"Cannot listen on {host}:{port}: {error.strerror or error} - choose another `--port`"
        ) from None
