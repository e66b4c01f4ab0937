"""Checks each request to the console, and adds security headers to each response.

Law of this file: the `Host` header must be a known name, or the address that was connected to, so that a
foreign page cannot reach the console under its own name (DNS rebinding); no response lets the browser load
anything from another site.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCALHOST = "localhost"
LOOPBACK = frozenset({"127.0.0.1", "::1", LOCALHOST})
"""Names of the console for a browser on the same machine."""

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Headers of every response."""


class Guard:
    """ASGI middleware: answers an unknown `Host` with 421 and adds `HEADERS` to every response.

    Args:
        app: the application behind it.
        hosts: names of the console besides the loopback ones, without port.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif host_name(Headers(scope=scope).get("host", "")) in self._hosts | {address_of(scope)}:
            await self._app(scope, receive, guarded)
        else:
            await _MISDIRECTED(scope, receive, guarded)


def address_of(scope: Scope) -> str:
    """Return the address of this machine that a client has connected to; no foreign name stands for it."""
    server = scope.get("server")
    return str(server[0]).lower() if server else LOCALHOST


def host_name(value: str) -> str:
    """Return the name in a `Host` header without its port and brackets, in lower case."""
    name, bracket, _ = value.lower().partition("]")
    return name.lstrip("[") if bracket else name.split(":", 1)[0]


_MISDIRECTED = PlainTextResponse(
    "The console does not answer to this host name. Open it as http://127.0.0.1 with its port.\n",
    status_code=421,
)
