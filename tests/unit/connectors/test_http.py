"""The HTTP sink returns when the target has taken the event, and says whose fault it is when it has not."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from pydantic import ValidationError

from connectors import Applied, BlockedError, RecordRejectedError, Sink, SinkRecord, TryAgainError
from connectors.http import HttpOptions, HttpSink
from connectors.http.translate import outcome_of, wait_seconds
from connectors.testing import SinkTests
from tests.ports import held_port

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RECORD = SinkRecord("event-1", {"name": "Ama"}, "tax.business-registered.v1")


class Office:
    """A legacy endpoint that drops a second request with the same key."""

    def __init__(self) -> None:
        self.bodies: dict[str, Any] = {}
        self.requests: list[web.Request] = []
        self.answer: web.Response | None = None
        self.delay_seconds = 0.0

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.requests.append(request)
        body = await request.json()
        await asyncio.sleep(self.delay_seconds)
        if self.answer is not None:
            return self.answer
        self.bodies.setdefault(request.headers["Idempotency-Key"], body)
        return web.json_response({"personal": "Ama"}, status=201)


@pytest.fixture
async def office() -> AsyncIterator[tuple[Office, str]]:
    """A legacy endpoint and its address."""
    office = Office()
    application = web.Application()
    application.router.add_route("*", "/permits", office.take)
    async with TestServer(application) as server:
        yield office, str(server.make_url("/permits"))


def sink_to(url: str, **options: Any) -> HttpSink:
    """A sink to an address."""
    return HttpSink(HttpOptions.model_validate({"url": url, "timeout_seconds": 60, **options}))


TRACE = {
    "traceparent": "00-ab42124a3c573678d4d8b21ba52df3bf-d21f7bc17caa5aba-01",
    "tracestate": "a=1,b=2",
}


@pytest.mark.parametrize("trace", [TRACE, {"traceparent": TRACE["traceparent"]}, {}])
async def test_a_request_carries_the_trace_context(office: tuple[Office, str], trace: dict[str, str]) -> None:
    """W3C Trace Context, section 3: so that the target's spans belong to the event's trace."""
    target, url = office
    sink = sink_to(url)
    await sink.connect()
    await sink.write(replace(RECORD, trace_headers=trace))
    await sink.close()
    (request,) = target.requests
    assert {name: text for name, text in request.headers.items() if name.startswith("trace")} == trace


@pytest.mark.parametrize("name", ["traceparent", "TraceState"])
def test_the_trace_context_is_no_option(name: str) -> None:
    """A fixed one would put every event into one trace."""
    with pytest.raises(ValidationError, match="expected headers that the sink does not set itself"):
        HttpOptions.model_validate({"url": "https://a.example", "headers": {name: TRACE["traceparent"]}})


class TestHttpSink(SinkTests):
    """The HTTP sink keeps the promise of a sink."""

    @pytest.fixture(autouse=True)
    def _office(self, office: tuple[Office, str]) -> Iterator[None]:
        self.office, self.url = office
        with held_port() as self.deaf_port:
            yield

    def make_sink(self) -> Sink:
        """A sink to the office."""
        return sink_to(self.url)

    def make_unreachable_sink(self) -> Sink:
        """A sink to a port where nobody listens."""
        return sink_to(f"http://127.0.0.1:{self.deaf_port}/")

    def written(self) -> list[Any]:
        """What the office holds."""
        return list(self.office.bodies.values())


async def write(url: str, **options: Any) -> Applied:
    """Write one event with a sink of its own."""
    sink = sink_to(url, **options)
    await sink.connect()
    try:
        return await sink.write(RECORD)
    finally:
        await sink.close()


async def test_the_request_bears_key_type_and_headers(office: tuple[Office, str]) -> None:
    """The id is the idempotency key, the body is JSON, secrets travel in headers."""
    await write(office[1], method="PUT", headers={"Authorization": "Bearer x"})
    (request,) = office[0].requests
    assert request.method == "PUT"
    assert request.headers["Idempotency-Key"] == "event-1"
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Authorization"] == "Bearer x"


@pytest.mark.parametrize(
    ("event_id", "header"),
    [
        ("a/b:c~1!#[]", "a/b:c~1!#[]"), (" a ", "%20a%20"), ("Euro € 😀", "Euro%20%E2%82%AC%20%F0%9F%98%80"),
        ('50%"', "50%25%22"),
    ],
)  # fmt: skip
async def test_an_id_travels_as_cloudevents_asks_of_headers(
    office: tuple[Office, str], event_id: str, header: str
) -> None:
    """So that no two ids are one key, and no server reads it in another encoding."""
    sink = sink_to(office[1])
    await sink.connect()
    await sink.write(replace(RECORD, id=event_id))
    await sink.close()
    assert office[0].requests[0].raw_headers.count((b"Idempotency-Key", header.encode())) == 1


@pytest.mark.parametrize(
    ("status", "away"),
    [
        (408, False),
        (425, False),
        (429, True),
        (500, False),
        (502, True),
        (503, True),
        (504, True),
        (599, False),
    ],
)
async def test_a_passing_refusal_is_tried_again(office: tuple[Office, str], status: int, away: bool) -> None:
    """Only answers that are about the whole target spare the event its retries."""
    office[0].answer = web.Response(status=status, headers={"Retry-After": "7"})
    with pytest.raises(TryAgainError) as caught:
        await write(office[1])
    assert caught.value.away == away
    assert caught.value.after_seconds == 7.0


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422])
async def test_an_answer_that_blames_the_event_rejects_it(office: tuple[Office, str], status: int) -> None:
    """Only these are for good, unless the file names others."""
    office[0].answer = web.Response(status=status, text="Ama")
    with pytest.raises(RecordRejectedError) as caught:
        await write(office[1])
    assert len(office[0].requests) == 1
    assert "Ama" not in str(caught.value)


@pytest.mark.parametrize(
    "status", [300, 301, 302, 303, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 451]
)
async def test_an_answer_that_blames_no_event_blocks_the_target(
    office: tuple[Office, str], status: int
) -> None:
    """No credentials, no such address, a redirect: no event would be taken, so none is rejected."""
    office[0].answer = web.Response(status=status, headers={"Location": office[1]}, text="Ama")
    with pytest.raises(BlockedError, match=f"got {status}, which blames no event - ") as caught:
        await write(office[1])
    assert len(office[0].requests) == 1
    assert "Ama" not in str(caught.value)


async def test_the_file_says_which_answers_blame_the_event(office: tuple[Office, str]) -> None:
    """What it names under `rejected` is rejected, and what it leaves out blocks."""
    office[0].answer = web.Response(status=404)
    with pytest.raises(RecordRejectedError):
        await write(office[1], rejected=[404])
    office[0].answer = web.Response(status=422)
    with pytest.raises(BlockedError):
        await write(office[1], rejected=[404])
    office[0].answer = web.Response(status=500)
    with pytest.raises(RecordRejectedError):
        await write(office[1], rejected=[500])


ANSWER = {
    "path": "$.result.code",
    "applied": [0, "OK"],
    "already_applied": ["DUPLICATE"],
    "rejected": ["INVALID"],
    "try_again": ["BUSY"],
}


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        ({"result": {"code": "OK"}}, Applied()),
        ({"result": {"code": 0}}, Applied()),
        ({"result": {"code": "DUPLICATE"}}, Applied(already=True)),
        ({"result": {"code": "INVALID", "name": "Ama"}}, RecordRejectedError),
        ({"result": {"code": "BUSY"}}, TryAgainError),
        ({"result": {"code": "Ama"}}, BlockedError),
        ({"result": {"code": False}}, BlockedError),
        ({"result": {}}, BlockedError),
        ({}, BlockedError),
        ([], BlockedError),
        ({"result": {"code": "OK"}, "padding": "x" * 70_000}, BlockedError),
    ],
)
async def test_a_200_means_what_the_file_says_of_its_body(
    office: tuple[Office, str], body: Any, outcome: Any
) -> None:
    """A target that answers 200 and writes that it failed has not taken the event."""
    office[0].answer = web.json_response(body)
    if isinstance(outcome, Applied):
        assert await write(office[1], answer=ANSWER) == outcome
        return
    with pytest.raises(outcome) as caught:
        await write(office[1], answer=ANSWER)
    assert "Ama" not in str(caught.value)


async def test_a_text_is_an_answer_too(office: tuple[Office, str]) -> None:
    """Old programs answer one word; a page of HTML is none of them."""
    answer = {"path": "$", "applied": ["ACCEPTED"], "rejected": ["REFUSED"]}
    office[0].answer = web.Response(text="ACCEPTED\r\n")
    assert await write(office[1], answer=answer) == Applied()
    office[0].answer = web.Response(text="REFUSED")
    with pytest.raises(RecordRejectedError):
        await write(office[1], answer=answer)
    office[0].answer = web.Response(text="<html>Maintenance</html>")
    with pytest.raises(BlockedError):
        await write(office[1], answer=answer)


async def test_the_status_comes_before_the_body(office: tuple[Office, str]) -> None:
    """A 422 is one whatever it says."""
    office[0].answer = web.json_response({"result": {"code": "OK"}}, status=422)
    with pytest.raises(RecordRejectedError):
        await write(office[1], answer=ANSWER)


def certified(folder: Path, *, days: range, host: str = "localhost") -> tuple[Path, ssl.SSLContext]:
    """A certificate that signs itself, and the TLS of a server that shows it; valid for days from today."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now + timedelta(days=days.start))
        .not_valid_after(now + timedelta(days=days.stop))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return file, context


@pytest.mark.parametrize(
    ("days", "host", "trusted", "fault"),
    [
        (range(-2, -1), "localhost", True, "has expired"),
        (range(1, 2), "localhost", True, "is not valid yet"),
        (range(-1, 1), "elsewhere", True, "is for another host"),
        (range(-1, 1), "localhost", False, "is not trusted here"),
        (range(-1, 1), "localhost", True, None),
    ],
)
async def test_a_certificate_that_cannot_be_trusted_blocks_the_target(
    tmp_path: Path, days: range, host: str, trusted: bool, fault: str | None
) -> None:
    """It gets no event, and the message says what is wrong with it; `check` says it beforehand."""
    file, context = certified(tmp_path, days=days, host=host)
    office = Office()
    application = web.Application()
    application.router.add_post("/", office.take)
    server = TestServer(application, host="localhost")
    await server.start_server(ssl=context)
    async with server:
        url = f"https://localhost:{server.port}/"
        options = {"ca_file": str(file)} if trusted else {}
        if fault is None:
            await sink_to(url, **options).check()
            assert await write(url, **options) == Applied()
            return
        for attempt in (sink_to(url, **options).check(), write(url, **options)):
            with pytest.raises(BlockedError, match=fault):
                await attempt
    assert office.requests == []


async def test_a_conflict_may_mean_that_it_was_applied_before(office: tuple[Office, str]) -> None:
    """With 409 under `already_applied` the event is done with."""
    office[0].answer = web.Response(status=409)
    assert await write(office[1], already_applied=[409]) == Applied(already=True)


async def test_a_slow_target_is_tried_again(office: tuple[Office, str]) -> None:
    """No answer within the limit is no answer."""
    office[0].delay_seconds = 0.5
    with pytest.raises(TryAgainError, match=r"within 0\.1 s"):
        await write(office[1], timeout_seconds=0.1)


async def test_a_target_that_hangs_up_is_tried_again() -> None:
    """A connection closed without an answer is a passing fault."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TryAgainError):
            await write(f"http://127.0.0.1:{port}/")


async def test_answers_are_never_logged(office: tuple[Office, str], caplog: pytest.LogCaptureFixture) -> None:
    """No body and no header of a request or answer is in any log."""
    caplog.set_level(logging.DEBUG)
    await write(office[1], headers={"Authorization": "Bearer hunter2"})
    assert "Ama" not in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x/"},
        {"url": "https://"},
        {"url": "http://user:secret@x/"},
        {"url": "http://x/", "headers": {"Idempotency-Key": "mine"}},
        {"url": "http://x/", "method": "GET"},
    ],
)
def test_options_that_break_the_promise_are_refused(options: dict[str, Any]) -> None:
    """An address or header that the sink cannot keep is refused."""
    with pytest.raises(ValidationError):
        HttpOptions.model_validate(options)


def test_secrets_are_not_shown() -> None:
    """Headers and address stay out of every representation."""
    options = HttpOptions.model_validate({"url": "http://x/?key=hunter2", "headers": {"A": "hunter2"}})
    assert "hunter2" not in repr(options)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        ("99999999999999", 3600.0),
        ("Mon, 23 Nov 2026 12:00:05 GMT", 5.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    """Seconds or a date, at most an hour, nothing for nonsense."""
    assert wait_seconds(header, NOW) == seconds


def test_every_status_has_one_meaning() -> None:
    """No status is left without an outcome."""
    for status in range(100, 600):
        try:
            assert outcome_of(status, None, NOW) == Applied()
            assert 200 <= status < 300
        except (BlockedError, TryAgainError, RecordRejectedError):
            assert not 200 <= status < 300
