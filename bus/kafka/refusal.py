"""Why a cluster closed the connection: aiokafka has one error for an outage, a wrong password or certificate.

Law of this file: a failure is reported as an outage unless it cannot be one, since an outage is waited out.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

from bus.errors import AccessDeniedError, BusError, UsageError
from bus.kafka.errors import translate

PROBE_SECONDS = 5.0
ALERT_SECONDS = 1.0
"""How long a broker may take to refuse a certificate after the handshake, as TLS 1.3 has it."""
TLS_ALERT = b"\x15\x03\x03\x00"
"""What a broker that speaks TLS says to a client that does not."""
REFUSED = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")
"""What the names of TLS alerts hold that are about the client's certificate."""


async def find_refusal(arguments: dict[str, Any], where: str) -> BusError | None:
    """Connect to each broker to find out why it closed the connection; return None if it may be an outage.

    Args:
        arguments: The arguments of aiokafka's clients.
        where: The address or group, for the error.
    """
    rest = {name: value for name, value in arguments.items() if name != "bootstrap_servers"}
    with suppress(TimeoutError):
        async with asyncio.timeout(PROBE_SECONDS):
            for address in arguments["bootstrap_servers"].split(","):
                host, _, port = address.strip().rpartition(":")
                fault = await _fault(host, int(port), rest)
                if fault is not None and (refusal := _refusal(fault, where, rest)) is not None:
                    return refusal
    return None


async def _fault(host: str, port: int, arguments: dict[str, Any]) -> BaseException | None:
    try:
        if (context := arguments.get("ssl_context")) is not None:
            await _shake_hands(host, port, context)
        arguments = {**arguments, "request_timeout_ms": int(PROBE_SECONDS * 1000)}
        connection = await create_conn(host, port, **arguments)
        connection.close()
    except (KafkaError, OSError) as error:
        return error
    return None


async def _shake_hands(host: str, port: int, context: ssl.SSLContext) -> None:
    """Send nothing and read: a request could cost the TLS alert that explains the refusal."""
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1), ALERT_SECONDS)
    finally:
        writer.transport.abort()


def _refusal(fault: BaseException, where: str, arguments: dict[str, Any]) -> BusError | None:
    for error in _chain(fault):
        match error:
            case ssl.SSLCertVerificationError():
                return UsageError(
                    "Expected a broker that GOVBUS_SSL_CAFILE vouches for, under its own name, got another "
                    f"({error.verify_message}) - {where}"
                )
            case ssl.SSLError() if "_ALERT_" in (reason := error.reason or ""):
                return _alert(reason, where)
            case asyncio.IncompleteReadError(expected=int(length)) if _is_alert(length):
                return UsageError(
                    "Expected SSL or SASL_SSL, since the broker speaks TLS, got "
                    f"{arguments['security_protocol']} - at GOVBUS_SECURITY_PROTOCOL - {where}"
                )
            case KafkaError() if not isinstance(error, KafkaConnectionError):
                return translate(error, where)
            case _:
                pass  # it may be an outage
    return None


def _alert(reason: str, where: str) -> BusError:
    if any(word in reason for word in REFUSED):
        return AccessDeniedError(
            "the cluster requires a valid certificate of its authority - at "
            f"GOVBUS_SSL_CERTFILE and GOVBUS_SSL_KEYFILE - {where} ({reason})"
        )
    return UsageError(f"the broker does not agree on TLS - {where} ({reason})")


def _is_alert(length: int) -> bool:
    return length.to_bytes(4, "big", signed=False) == TLS_ALERT if 0 <= length < 2**32 else False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
