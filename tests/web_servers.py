"""A web server of the house that runs in a thread of a test."""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from starlette.types import ASGIApp

from contracts.web.connections import ConnectionLimits
from contracts.web.server import listen, web_server

PATIENCE_SECONDS = 60.0


@contextmanager
def served(
    app: ASGIApp,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    hosts: Collection[str] = (),
    limits: ConnectionLimits | None = None,
) -> Iterator[int]:
    """Serve an application while the block runs; the value is its port.

    Args:
        app: what answers.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        hosts: further names of the server.
        limits: of connections and time.
    """
    running = web_server(app, hosts=hosts, limits=limits)
    with listen(host, port) as listener:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = monotonic() + PATIENCE_SECONDS
        while not running.started and monotonic() < deadline:
            sleep(0.01)
        assert running.started
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(PATIENCE_SECONDS)
