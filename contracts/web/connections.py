"""Which connections a web server keeps: no client, however slow or greedy, keeps another one out.

Law of this file: a request must arrive, and its answer be taken, within a time of its own. Beyond the limits
of connections, of one client or of all, the one that has waited longest for a request is closed for the new
one, among those of the client with the most: half-sent requests make room, requests being answered do not.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, Final, Literal, Protocol, TypeVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

Stage = Literal["idle", "request", "answer"]
"""Between two requests; from a request's first byte to its last; until its answer is taken."""

_TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 35\r\n"
    b"connection: close\r\n\r\nExpected the whole request sooner.\n"
)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of a web server.

    Attributes:
        connections: Of all clients.
        of_a_client: Of one client: an IPv4 address, or the /64 of an IPv6 one.
        idle_seconds: From an answer, or the start, to the next request.
        request_seconds: From a request's first byte to its last.
        answer_seconds: From there to the last byte of the answer that the client takes.
    """

    connections: int = 200
    of_a_client: int = 50
    idle_seconds: float = 30.0
    request_seconds: float = 10.0
    answer_seconds: float = 120.0


class Waiting(Protocol):
    """A connection as `to_close` sees it."""

    stage: Stage
    since: float
    peer: str


Kept = TypeVar("Kept", bound=Waiting)


def to_close(kept: Collection[Kept], new: Kept, limits: ConnectionLimits) -> Kept | None:
    """The connection to close because of a new one, if any: maybe the new one itself.

    Args:
        kept: All connections, the new one among them.
        new: The new one.
        limits: How many there may be.
    """
    count = Counter(each.peer for each in kept)
    if count[new.peer] > limits.of_a_client:
        peer = new.peer
    elif len(kept) > limits.connections:
        peer = max(count, key=count.__getitem__)
    else:
        return None
    waiting = [each for each in kept if each.peer == peer and each.stage != "answer"]
    return min(waiting, key=lambda each: each.since, default=new)


def peer_of(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that one holder of IPv6 addresses has."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    return str(found.ipv4_mapped) if found.ipv4_mapped else found.exploded[:19]


class LimitedProtocol(H11Protocol):
    """A connection of uvicorn that is closed when it takes too long, or when another one needs its place."""

    limits: ConnectionLimits
    stage: Stage = "idle"
    since = 0.0
    peer = ""
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and close another one if there are too many."""
        super().connection_made(transport)
        self.peer = peer_of(self.client[0]) if self.client else ""
        self._enter("idle")
        closed = to_close(list(self._open()), self, self.limits)
        if closed is not None:
            closed.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # uvicorn cannot refuse what comes after an answer has begun
            self.transport.abort()
        self._enter(self._stage())

    def on_response_complete(self) -> None:
        """Wait for the next request, of which the client may have sent a part."""
        self._enter("idle")
        super().on_response_complete()
        self._enter(self._stage())

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def _open(self) -> Iterable[LimitedProtocol]:
        for each in self.connections:
            if isinstance(each, LimitedProtocol) and not each.transport.is_closing():
                yield each

    def _stage(self) -> Stage:
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete and not cycle.more_body:
            return "answer"
        has_part = self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]
        return "request" if has_part else "idle"

    def _enter(self, stage: Stage) -> None:
        if stage == self.stage and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self.stage, self.since = stage, self.loop.time()
        seconds: float = getattr(self.limits, f"{stage}_seconds")
        self._timer = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        cycle: Any = self.cycle
        is_answered = cycle is not None and cycle.response_started and not cycle.response_complete
        if (
            self.stage == "request"
            and not is_answered
            and self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE)
        ):
            self.transport.write(_TOO_SLOW)
            self.transport.close()
        else:
            self.transport.abort()
