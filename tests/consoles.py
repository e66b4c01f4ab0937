"""A console that runs in a thread of the test."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from observability import Store
from observability.console.app import application
from tests.web_servers import served


@contextmanager
def running(
    store: Store, port: int = 0, host: str = "127.0.0.1", hosts: Collection[str] = (), **options: Any
) -> Iterator[str]:
    """Serve the console over `store` while the block runs; the value is its address.

    Args:
        store: what the pages show.
        port: TCP port; 0 takes a free one.
        host: address to listen on.
        hosts: further names of the console.
        options: those of `application`.
    """
    with served(application(store, **options), port=port, host=host, hosts=hosts) as found:
        yield f"http://{host}:{found}"
