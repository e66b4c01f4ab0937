"""Sends each event as JSON to one address of a legacy system, with its id as idempotency key."""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from connectors.errors import (
    BlockedError,
    ConfigurationError,
    NotConnectedError,
    RecordRejectedError,
    TryAgainError,
)
from connectors.http.answer import AnswerOptions
from connectors.http.translate import REJECTED, TRY_AGAIN, outcome_of
from connectors.sink import Applied, SinkRecord

_OWN_HEADERS = (
    "content-length", "content-type", "host", "idempotency-key", "traceparent", "tracestate",
    "transfer-encoding",
)  # fmt: skip
_UNQUOTED = "!#$&'()*+,/:;<=>?@[\\]^`{|}"
"""What stands as it is in a header beside letters, digits and `-._~` (HTTP Protocol Binding, 3.1.3.2)."""
Status = Annotated[int, Field(ge=100, le=599)]
MOST_ANSWER_BYTES = 65_536
"""The longest body in which an answer is looked for."""

_CERTIFICATE_FAULTS = {
    9: "is not valid yet - set the clock of this machine",
    10: "has expired - let its owner renew it",
    62: "is for another host - correct `url`",
    64: "is for another host - correct `url`",
}
"""By the verify codes of OpenSSL."""


class HttpOptions(BaseModel):
    """The `sink:` section of a file whose connector is `http`.

    Attributes:
        url: Where to send; `http://` or `https://`.
        method: How to send.
        headers: Further headers. Give secrets as `${ENV:NAME}`.
        timeout_seconds: For one request, from connecting to the end of the answer.
        already_applied: Statuses that say the target had the event before, usually 409.
        rejected: Statuses that blame the event: the target will never take it.
        try_again: Statuses that say it may take the event later.
        answer: What the body of an answer 2xx says; any body is a success when absent.
        ca_file: Certificates to trust instead of the machine's; they are always verified.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    url: SecretStr
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    timeout_seconds: float = Field(default=10.0, gt=0, le=300)
    already_applied: list[Status] = Field(default_factory=list)
    rejected: list[Status] = Field(default_factory=lambda: list(REJECTED))
    try_again: list[Status] = Field(default_factory=lambda: list(TRY_AGAIN))
    answer: AnswerOptions | None = None
    ca_file: Annotated[Path | None, Field(strict=False)] = None

    @field_validator("url")
    @classmethod
    def _address(cls, url: SecretStr) -> SecretStr:
        try:
            parts = urlsplit(url.get_secret_value())
            _ = parts.port
        except ValueError:  # its message quotes the address
            raise ValueError("expected an address such as https://host:443/path") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("expected an address such as https://host/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("expected an address without user and password; write them in a header")
        return url

    @field_validator("headers")
    @classmethod
    def _free_headers(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        taken = [name for name in headers if name.lower() in _OWN_HEADERS]
        if taken:
            raise ValueError(f"expected headers that the sink does not set itself, not {taken[0]}")
        return headers


class HttpSink:
    """A service that takes each event as one JSON request over HTTP.

    Redirects are not followed, no answer's body is logged, nor read unless the file has `answer`, no cookies
    are kept, and proxies of the environment are not used.

    Args:
        options: The `sink:` section.
    """

    Options = HttpOptions
    guarantee: ClassVar[str] = (
        "every event at least once, with the same Idempotency-Key each time; "
        "once if the target honours the key"
    )

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._session: aiohttp.ClientSession | None = None

    async def connect(self) -> None:
        """Open a session; see `Sink.connect`."""
        await self.close()
        context = await asyncio.to_thread(self._tls_context)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={name: value.get_secret_value() for name, value in self._options.headers.items()},
            timeout=aiohttp.ClientTimeout(total=self._options.timeout_seconds),
            trust_env=False,
        )

    async def write(self, record: SinkRecord) -> Applied:
        """Send one event and judge the answer; see `Sink.write`."""
        if self._session is None:
            raise NotConnectedError("write was called before connect")
        try:
            body = orjson.dumps(record.body)
        except TypeError:
            raise RecordRejectedError("Expected a body that JSON can carry") from None
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": quote(record.id, _UNQUOTED),
            **record.trace_headers,
        }
        url = self._options.url.get_secret_value()
        try:
            async with self._session.request(
                self._options.method, url, data=body, headers=headers, allow_redirects=False
            ) as response:
                status, retry_after = response.status, response.headers.get("Retry-After")
                said = await self._body_of(response)
        except aiohttp.ClientConnectorCertificateError as error:
            raise _certificate_fault(error.certificate_error) from None
        except aiohttp.ClientConnectorError as error:
            raise TryAgainError(f"the target cannot be reached: {type(error).__name__}", away=True) from None
        except TimeoutError:
            seconds = f"{self._options.timeout_seconds:g}"
            raise TryAgainError(f"Expected an answer within {seconds} s, got none") from None
        except aiohttp.ClientError as error:
            raise TryAgainError(f"Expected an answer, got {type(error).__name__}") from None
        outcome = outcome_of(
            status,
            retry_after,
            datetime.now(UTC),
            already_applied=self._options.already_applied,
            rejected=self._options.rejected,
            try_again=self._options.try_again,
        )
        answer = self._options.answer
        return outcome if answer is None or outcome.already else answer.outcome_of(said)

    async def check(self) -> None:
        """Open and close a connection to the target, sending nothing; see `Sink.check`."""
        parts = urlsplit(self._options.url.get_secret_value())
        is_secure = parts.scheme == "https"
        context = await asyncio.to_thread(self._tls_context) if is_secure else None
        port = parts.port or (443 if is_secure else 80)
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                _, writer = await asyncio.open_connection(parts.hostname, port, ssl=context)
        except ssl.SSLCertVerificationError as error:
            raise _certificate_fault(error) from None
        except (OSError, TimeoutError) as error:
            raise NotConnectedError(f"the target cannot be reached: {type(error).__name__}") from None
        writer.close()

    async def close(self) -> None:
        """Close every connection; see `Sink.close`."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _tls_context(self) -> ssl.SSLContext:
        file = self._options.ca_file
        try:
            return ssl.create_default_context(cafile=None if file is None else str(file))
        except OSError as error:
            raise ConfigurationError(
                "ca_file cannot be used",
                error.strerror or type(error).__name__,
                "name a file of PEM certificates",
            ) from None

    async def _body_of(self, response: aiohttp.ClientResponse) -> bytes:
        """The body where the file asks for it, cut after `MOST_ANSWER_BYTES`."""
        body = b""
        if self._options.answer is not None and 200 <= response.status < 300:
            async for part in response.content.iter_chunked(8_192):
                body += part
                if len(body) > MOST_ANSWER_BYTES:
                    break
        return body[:MOST_ANSWER_BYTES]


def _certificate_fault(error: Exception) -> BlockedError:
    fault = _CERTIFICATE_FAULTS.get(
        getattr(error, "verify_code", 0), "is not trusted here - name under `ca_file` who signed it"
    )
    return BlockedError(f"Expected a certificate of the target that can be trusted, got one that {fault}")
