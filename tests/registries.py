"""The HTTP registry of a catalogue on a free port, for as long as a test needs it."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from contracts import Catalog
from contracts.commands.serve import server
from contracts.publish.http_registry.app import RegistryApp

PATIENCE_SECONDS = 60.0


@contextmanager
def served(catalog: Catalog, *, body_seconds: float = PATIENCE_SECONDS) -> Iterator[int]:
    """Yield the port at which a real server answers."""
    running = server(RegistryApp(catalog, body_seconds=body_seconds))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not running.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert running.started
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(PATIENCE_SECONDS)
