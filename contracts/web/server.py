"""The web server of the registry and of the console."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection

import uvicorn
from starlette.types import ASGIApp

from contracts.logs import visible_logger
from contracts.web.connections import ConnectionLimits, LimitedProtocol
from contracts.web.guard import Guard

_LOG = visible_logger("govbus.web")


def web_server(
    app: ASGIApp, *, hosts: Collection[str] = (), limits: ConnectionLimits | None = None
) -> uvicorn.Server:
    """Return a server for an application, which answers to its own host names only.

    Args:
        app: what answers.
        hosts: names of the server besides the loopback ones and its address, without port.
        limits: of connections and time.
    """
    protocol = type("WebProtocol", (LimitedProtocol,), {"limits": limits or ConnectionLimits()})
    visible_logger("uvicorn.error").setLevel("ERROR")  # anyone can send an invalid request
    config = uvicorn.Config(
        Guard(app, hosts),
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=3_600,  # the protocol's own limits come first
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; any address but loopback opens the server to the network, without a login.

    Args:
        host: address to listen on.
        port: TCP port; 0 takes a free one.

    Raises:
        OSError: the address is in use, or not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        message = (
            f"cannot listen on {host} port {port} - {why} - stop what uses it, or choose another with --port"
        )
        raise OSError(message) from error


def serve_web(app: ASGIApp, host: str, port: int, hosts: Collection[str], name: str) -> None:
    """Serve an application until Ctrl-C, after logging where.

    Args:
        app: what answers.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        hosts: as in `web_server`.
        name: what is served, for the log.

    Raises:
        OSError: as `listen`.
    """
    with listen(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        _LOG.info("%s: http://%s:%d/", name, shown, listener.getsockname()[1])
        web_server(app, hosts=hosts).run(sockets=[listener])
