"""The registry and the console over a socket: whatever a client sends, however slowly, others are served."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from contracts import Catalog
from contracts.publish.http_registry.app import RegistryApp
from contracts.web.connections import ConnectionLimits
from observability import Store
from observability.console.app import application
from tests.web_servers import served

PATIENCE_SECONDS = 60
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Never: "
POST = b"POST /subjects/x HTTP/1.1\r\nHost: 127.0.0.1\r\n"
PATHS = {"registry": "/subjects", "console": "/livez"}


@pytest.fixture(scope="module", params=PATHS)
def surface(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ASGIApp, str]]:
    """Each application, and a path of it that answers 200."""
    path = PATHS[request.param]
    if request.param == "registry":
        yield RegistryApp(Catalog.open()), path
    else:
        with Store(f"sqlite:///{tmp_path_factory.mktemp('console') / 'monitor.db'}") as store:
            yield application(store), path


@pytest.fixture(scope="module")
def address(surface: tuple[ASGIApp, str]) -> Iterator[tuple[int, str]]:
    """The port of a server with the usual limits, and the path."""
    with served(surface[0], hosts=["govbus.example"]) as port:
        yield port, surface[1]


@contextmanager
def connected(port: int, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection from an address of this machine."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS, (source, 0)) as connection:
        yield connection


def status_of(port: int, path: str, host: str | None = None) -> int:
    """The status that an honest client gets."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)) as client:
        client.request("GET", path, headers={} if host is None else {"Host": host})
        return client.getresponse().status


def rest_of(connection: socket.socket) -> bytes:
    """All that comes until the server hangs up."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "govbus.example.evil", "[::2]", "localhost@x"]
)
def test_a_foreign_host_is_refused(address: tuple[int, str], host: str) -> None:
    """So no page of another site reaches the server under its own name."""
    port, path = address
    assert status_of(port, path, host) == 421


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "LOCALHOST:1", "[::1]:8081", "govbus.example", "Govbus.Example:80"]
)
def test_an_own_host_is_answered(address: tuple[int, str], host: str) -> None:
    """The loopback names, and those that it was started with."""
    port, path = address
    assert status_of(port, path, host) == 200


def test_a_target_in_absolute_form_does_not_pass_the_host_by(address: tuple[int, str]) -> None:
    """RFC 9112, 3.2.2: such a target would count instead of the header."""
    port, path = address
    with connected(port) as client:
        target = f"http://evil.example{path}"
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        assert rest_of(client).startswith(b"HTTP/1.1 400 ")


def test_400_half_sent_requests_starve_nobody(address: tuple[int, str]) -> None:
    """Neither a client of another address nor one of the same; what it began before is answered too."""
    port, path = address
    with ExitStack() as stack, connected(port) as early:
        early.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n".encode())
        for _ in range(400):
            stack.enter_context(connected(port, "127.0.0.2")).sendall(HALF)
        assert status_of(port, path) == 200
        early.sendall(b"\r\n")
        assert rest_of(early).startswith(b"HTTP/1.1 200 ")
        with connected(port, "127.0.0.2") as same:
            same.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            assert rest_of(same).startswith(b"HTTP/1.1 200 ")


SLOW = ConnectionLimits(idle_seconds=0.3, request_seconds=0.3, answer_seconds=0.3)


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (b"", b""),
        (HALF, b"HTTP/1.1 408 "),
        (POST + b"Content-Length: 9\r\n\r\n{", b"HTTP/1.1 4"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{", b"HTTP/1.1 4"),
    ],
)
def test_what_does_not_come_is_not_waited_for(surface: tuple[ASGIApp, str], sent: bytes, got: bytes) -> None:
    """A connection without a request, a head or a body that does not end: answered if need be, and closed."""
    with served(surface[0], limits=SLOW) as port, connected(port) as client:
        client.sendall(sent)
        answer = rest_of(client)
        assert answer.startswith(got)
        assert bool(answer) is bool(got)


def test_an_answer_that_is_not_taken_is_not_waited_for(surface: tuple[ASGIApp, str]) -> None:
    """A client that never reads loses its connection: the rest of what it asked for does not come."""
    with served(surface[0], limits=SLOW) as port, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1_024)
        client.settimeout(PATIENCE_SECONDS)
        client.connect(("127.0.0.1", port))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            ask_on(client, b"GET /schemas HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 100)


def ask_on(client: socket.socket, requests: bytes) -> None:
    """Send without end, so that the server has to wait for its answers to be read."""
    for _ in range(10_000):
        client.sendall(requests)


TOKENS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcxyz0189!#$%&'*+-.^_`|~", min_size=1, max_size=12)
FRAMING = frozenset({"host", "connection", "content-length", "transfer-encoding", "upgrade", "expect"})
FRAGMENTS = st.sampled_from(
    [
        b"GET ", b"POST ", b"/subjects", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\n", b"\r\n\r\n",
        b"Host: 127.0.0.1\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"\x00", b"\xff",
        b"Transfer-Encoding: chunked\r\n", b"Upgrade: websocket\r\n", b"Connection: upgrade\r\n",
        b"Expect: 100-continue\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ]
)  # fmt: skip
NAMES = TOKENS.filter(lambda name: name.lower() not in FRAMING)
VALUES = st.text("abc ,;=\"'%&1", max_size=20).map(str.strip)


@settings(max_examples=60)
@given(st.lists(FRAGMENTS | st.binary(max_size=40), max_size=12))
@example([b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 3, b"\x00"])
@example([b"A" * 100_000])
@example([b"GET / HTTP/1.1\r\n", b"a: b\r\n" * 20_000])
def test_any_bytes_are_answered_or_hung_up_on(address: tuple[int, str], sent: list[bytes]) -> None:
    """What comes back is HTTP, and no fault of the server; the next client is served."""
    port, path = address
    with connected(port) as client:
        try:
            client.sendall(b"".join(sent))
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has hung up already
        answer = rest_of(client)
    assert not answer or (answer.startswith(b"HTTP/1.1 ") and not answer.startswith(b"HTTP/1.1 5"))
    assert status_of(port, path) == 200


@settings(max_examples=60)
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE"]) | TOKENS,
    st.binary(max_size=60).map(lambda raw: b"/" + bytes(byte for byte in raw if 0x21 <= byte < 0x7F)),
    st.dictionaries(NAMES, VALUES),
    st.binary(max_size=200),
)
@example("GET", b"/%2e%2e/%2e%2e/etc/passwd", {}, b"")
@example("GET", b"/static/..%2f..%2fapp.py", {}, b"")
@example("GET", b"/transactions/%00%0a%0d", {}, b"")
@example("GET", b"/transactions?id=%0d%0aSet-Cookie:%20a=b", {}, b"")
@example("GET", b"/static/%00", {}, b"")
@example("GET", b"/subjects/%ff", {"Range": "bytes=0-"}, b"")
@example("POST", b"/subjects/a", {}, b'{"schema": "{\\"$ref\\": \\"#\\"}", "schemaType": "JSON"}')
def test_any_request_is_answered_and_none_is_a_fault(
    address: tuple[int, str], method: str, target: bytes, headers: dict[str, str], body: bytes
) -> None:
    """A whole request, however odd, gets a whole answer that is not 5xx."""
    port, _ = address
    lines = [b"%b %b HTTP/1.1" % (method.encode(), target), b"Host: 127.0.0.1", b"Connection: close"]
    lines += [f"{name}: {value}".encode() for name, value in headers.items()]
    with connected(port) as client:
        client.sendall(b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body]))
        response = HTTPResponse(client, method=method)
        response.begin()
        response.read()
    assert 200 <= response.status < 500
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in response.headers


def test_a_server_that_stops_lets_nobody_wait(surface: tuple[ASGIApp, str], tmp_path: Path) -> None:
    """Half-sent requests do not keep it from stopping."""
    with ExitStack() as stack:
        with served(surface[0]) as port:
            for _ in range(20):
                stack.enter_context(connected(port)).sendall(HALF)
            assert status_of(port, surface[1]) == 200
        with pytest.raises(ConnectionRefusedError):
            status_of(port, surface[1])
