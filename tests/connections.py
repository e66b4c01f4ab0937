"""What a test leaves open."""

import asyncio
from typing import Any


def open_connections() -> list[Any]:
    """Return connections and listening sockets of the running event loop; uvloop does not show them."""
    loop: Any = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        return []
    own: Any = loop
    watched = [key.fileobj for key in own._selector.get_map().values() if key.fileobj != own._ssock.fileno()]
    return [*watched, *(one for one in own._transports.values() if one._sock is not None)]


def left_open() -> list[Any]:
    """Return what the event loop still holds of connections and tasks that the test did not make."""
    return [*open_connections(), *(asyncio.all_tasks() - {asyncio.current_task()})]
