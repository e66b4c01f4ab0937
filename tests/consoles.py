"""A console that runs in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from observability import Store
from observability.console.app import application, listen, server


@contextmanager
def running(store: Store, port: int = 0, host: str = "127.0.0.1", **options: Any) -> Iterator[str]:
    """Serve the console over `store` while the block runs; the value is its address.

    Args:
        store: what the pages show.
        port: TCP port; 0 takes a free one.
        host: address to listen on.
        options: those of `application`.
    """
    with listen(host, port) as listener:
        web = server(application(store, **options))
        thread = threading.Thread(target=web.run, args=([listener],), name="console", daemon=True)
        thread.start()
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            web.should_exit = True
            thread.join(timeout=5.0)
