"""A request is answered under a known host name only, given once and in full."""

import pytest
from starlette.types import Message, Scope

from contracts.web.guard import Guard


async def status_of(*hosts: str) -> int:
    """Return the status of a request with these `Host` headers."""
    said: list[Message] = []

    async def app(scope: Scope, receive: object, send: object) -> None:
        said.append({"status": 200})

    async def receive() -> Message:
        raise AssertionError("never called")

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "server": ("192.0.2.7", 80),
        "headers": [(b"host", host.encode()) for host in hosts],
    }  # fmt: skip
    await Guard(app, ["Console.Example"])(scope, receive, send)
    return int(said[0]["status"])


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:8443", "[::1]", "[::1]:80", "192.0.2.7",
        "console.example", "console.example:443", "localhost:",
    ],
)  # fmt: skip
async def test_a_known_name_is_answered(host: str) -> None:
    """With or without its port."""
    assert await status_of(host) == 200


@pytest.mark.parametrize(
    "hosts",
    [
        (), ("",), ("evil.example",), ("localhost.evil.example",), ("localhost:80,evil.example",),
        ("localhost:evil.example",), ("[localhost]evil.example",), ("[[::1]",), ("::1",),
        ("127.0.0.1", "evil.example"), ("localhost", "localhost"), ("evil@localhost",), ("localhost/x",),
        (" localhost",), ("localhost:80:80",), ("[::1]x",),
    ],
)  # fmt: skip
async def test_another_name_and_what_only_begins_like_a_known_one_are_not(hosts: tuple[str, ...]) -> None:
    """Nor two names, of which another server might take the other (RFC 9112, section 3.2)."""
    assert await status_of(*hosts) == 421
