"""Checks each request to a web server, and adds security headers to each response.

Law of this file: the `Host` header must be a known name, or the address that was connected to, so that a
foreign page cannot reach the server under its own name (DNS rebinding); no response lets the browser load
anything from another site.
"""

import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# RFC 3986, section 3.2.2: a name or IPv4 address, or an IPv6 address in brackets; then a port.
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([^][:/@?#,\s]+))(?::[0-9]{0,5})?")

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Names of the server for a client on the same machine."""

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

    Known are the loopback names, the address that the connection was made to, and `hosts`.

    Args:
        app: the application behind it.
        hosts: further names of the server, without port.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            return
        # A target may name a host too, which would count instead of the header (RFC 9112, section 3.2.2).
        said = Headers(scope=scope).getlist("host")
        host = host_name(said[0]) if len(said) == 1 else ""
        if scope["method"] == "CONNECT" or not scope["raw_path"].startswith(b"/"):
            await _NO_PATH(scope, receive, guarded)
        elif host in self._hosts or host == _own_address(scope):
            await self._app(scope, receive, guarded)
        else:
            await _MISDIRECTED(scope, receive, guarded)


def host_name(value: str) -> str:
    """Return the name in a `Host` header without its port and brackets, in lower case; empty if none."""
    found = _HOST.fullmatch(value.lower())
    return "" if found is None else found[1] or found[2]


def _own_address(scope: Scope) -> str | None:
    server = scope.get("server")
    return server[0] if server else None


_MISDIRECTED = PlainTextResponse(
    "This server does not answer to this host name. Open it as http://127.0.0.1 with its port, "
    "or start it with --allow-host and the name.\n",
    status_code=421,
)
_NO_PATH = PlainTextResponse("Expected a path, such as `/`, got another target.\n", status_code=400)
