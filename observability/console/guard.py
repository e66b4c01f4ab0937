"""What stands before every answer of the console.

Law of this file: a request must name the console by a host it has, so that a page elsewhere cannot reach it
under a name of its own (DNS rebinding), and no answer lets the browser load anything from elsewhere.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Names under which a browser on the same machine reaches the console."""

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
"""Headers of every answer."""


class Guard:
    """ASGI middleware: refuses a foreign `Host` with 421 and adds `HEADERS` to every answer.

    Args:
        app: what is guarded.
        hosts: names besides the loopback ones under which the console may be reached, without port.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif host_name(Headers(scope=scope).get("host", "")) in self._hosts:
            await self._app(scope, receive, guarded)
        else:
            await _MISDIRECTED(scope, receive, guarded)


def host_name(value: str) -> str:
    """Return the name in a `Host` header without its port and brackets, in lower case."""
    name, bracket, _ = value.lower().partition("]")
    return name.lstrip("[") if bracket else name.split(":", 1)[0]


_MISDIRECTED = PlainTextResponse(
    "This console does not answer to that name. Open it as http://127.0.0.1 with its port, or name the host "
    "when the console starts.\n",
    status_code=421,
)
