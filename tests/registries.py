"""The HTTP registry of a catalogue on a free port, for as long as a test needs it."""

from collections.abc import Iterator
from contextlib import contextmanager

from contracts import Catalog
from contracts.publish.http_registry.app import RegistryApp
from contracts.web.connections import ConnectionLimits
from tests import web_servers


@contextmanager
def served(catalog: Catalog, limits: ConnectionLimits | None = None) -> Iterator[int]:
    """Yield the port at which a real server answers."""
    with web_servers.served(RegistryApp(catalog), limits=limits) as port:
        yield port
