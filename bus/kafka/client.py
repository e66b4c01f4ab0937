"""Connecting to a cluster: aiokafka's arguments from the settings, starting and closing a client."""

import asyncio
import logging
import ssl
from traceback import walk_tb
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError

from bus.errors import BusError, UsageError
from bus.kafka.errors import translate
from bus.kafka.refusal import find_refusal
from bus.settings import Settings

# aiokafka repeats the same lines many times a second while a broker is away; the bus says it once.
if logging.getLogger("aiokafka").level == logging.NOTSET:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
TASKS = {
    "_coordinator": (
        "_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task",
    ),
    "_fetcher": ("_fetch_task",),
    "_sender": ("_sender_task",),
    "_client": ("_sync_task",),
    "client": ("_sync_task",),
}  # fmt: skip
"""The tasks of an aiokafka client, by the part that owns them."""


def connection(settings: Settings) -> dict[str, Any]:
    """Return the arguments every aiokafka client takes.

    Raises:
        UsageError: the settings contradict each other; the message names the variables.
    """
    protocol = settings.security_protocol.upper()
    if protocol not in PROTOCOLS:
        raise UsageError(f"Expected one of {', '.join(PROTOCOLS)}, got another - at GOVBUS_SECURITY_PROTOCOL")
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": protocol,
        "client_id": "govbus",
    }
    if protocol.startswith("SASL"):
        if not settings.sasl_username or settings.sasl_password is None:
            raise UsageError(
                f"Expected a user and password for {protocol} - at GOVBUS_SASL_USERNAME and "
                "GOVBUS_SASL_PASSWORD"
            )
        arguments |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value(),
        }
    if protocol.endswith("SSL"):
        arguments["ssl_context"] = _tls(settings)
    return arguments


async def begin(client: Any, settings: Settings, where: str) -> None:
    """Start an aiokafka client, and close it if that fails.

    Args:
        client: a producer, consumer or admin client.
        settings: how long it may take, and where the cluster is.
        where: the address or group, for the error.

    Raises:
        BusUnavailableError: no broker answers within `publish_timeout_seconds`.
        AccessDeniedError: the cluster refuses the user and password, or the certificate.
        UsageError: the settings do not trust the broker's certificate, or name another protocol.
    """
    try:
        async with asyncio.timeout(settings.publish_timeout_seconds):
            await _start(client)
    except BaseException as error:
        await end(client)
        # aiokafka asserts that it has found a broker, which one that has just slept may not have been.
        if isinstance(error, KafkaError | TimeoutError | AssertionError):
            raise await _reason(error, settings, where) from error
        raise


async def end(client: Any) -> None:
    """Close an aiokafka client, with its tasks and connections, even if that is cancelled or fails.

    aiokafka swallows our cancellation, as if it were the end of its own tasks; it is raised again here.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        await (client.close() if hasattr(client, "close") else client.stop())
    finally:
        _abandon(client)
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


async def _start(client: Any) -> None:
    """Start a client; where that is cancelled, close the first connection, which aiokafka forgets."""
    try:
        await client.start()
    except BaseException as error:
        for frame, _ in walk_tb(error.__traceback__):
            if (first := frame.f_locals.get("bootstrap_conn")) is not None:
                first.close()
        raise


def _abandon(client: Any) -> None:
    """End what aiokafka leaves running where a step of its closing fails: it skips the further ones."""
    for part, names in TASKS.items():
        for name in names:
            if (task := getattr(getattr(client, part, None), name, None)) is not None:
                task.cancel()
    for task in getattr(getattr(client, "_fetcher", None), "_pending_tasks", ()):
        task.cancel()
    network = client._client if hasattr(client, "_client") else client.client  # noqa: SLF001 - no public way
    for one in list(network._conns.values()):  # noqa: SLF001
        one.close()


async def _reason(error: BaseException, settings: Settings, where: str) -> BusError:
    if isinstance(error, KafkaConnectionError):
        if (refusal := await find_refusal(connection(settings), where)) is not None:
            return refusal
        where = f"{where} over {settings.security_protocol.upper()}"
    return translate(error, where)


def _tls(settings: Settings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ssl_cafile)
        if settings.ssl_certfile is not None:
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
    except (OSError, ssl.SSLError) as error:
        raise UsageError(
            "Expected PEM files that can be read - at GOVBUS_SSL_CAFILE, GOVBUS_SSL_CERTFILE, "
            f"GOVBUS_SSL_KEYFILE ({type(error).__name__})"
        ) from error
    return context
