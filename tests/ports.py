"""A port of this machine that belongs to one test."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"


@contextmanager
def held_port() -> Iterator[int]:
    """Yield a port where nobody listens until the test makes somebody listen, as often as it likes.

    A port that was merely free a moment ago may be anybody's by now. This one stays bound: the system gives
    it to nobody who asks for any port, refuses connections to it, and lets in who asks for it by number with
    `SO_REUSEADDR`, as Python's servers and Kafka do.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((HOST, 0))
        yield int(holder.getsockname()[1])
