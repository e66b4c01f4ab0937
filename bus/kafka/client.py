"""Connecting to a cluster: aiokafka's arguments from the settings, starting and closing a client.

Laws of this file:

- With a client all its connections end, whoever still asks for one. aiokafka 0.14 opens one for any request,
  also for one that is sent while the client closes or afterwards, and nobody would close that.
- Whoever waits for a broker waits, and does not ask without end. aiokafka 0.14 tries again at once, as often
  as the processor can, to reach a broker that is away, and to learn the leader of a partition without one.
"""

import asyncio
import logging
import random
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from time import monotonic
from traceback import walk_tb
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import KafkaConnectionError, KafkaError

from bus.errors import BusError, UsageError
from bus.kafka.errors import translate
from bus.kafka.refusal import find_refusal
from bus.kafka.unpacking import BoundsBatches
from bus.settings import Settings
from bus.times.backoff import Backoff
from bus.times.clock import BrokerClock
from bus.transport import CLIENT_ID

# aiokafka repeats the same lines many times a second while a broker is away; the bus says it once.
if logging.getLogger("aiokafka").level == logging.NOTSET:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)

AGAIN = Backoff(first_seconds=0.02, longest_seconds=0.5)
"""Between two attempts to connect to a broker, and two looks at a cluster that lacks something. Java's client
waits 50 ms to 1 s (`reconnect.backoff.ms`, `retry.backoff.ms`)."""
REQUEST_SECONDS = 40.0
"""How long a request is at least waited for, as aiokafka does: repeating it makes a busy broker slower.
Whoever waits for a broker is told after `publish_timeout_seconds`; aiokafka gives nothing up before that."""
TASKS = {
    "_coordinator": (
        "_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_reset_committed_task",
    ),
    "_fetcher": ("_fetch_task",),
    "_sender": ("_sender_task",),
}  # fmt: skip
"""The tasks of an aiokafka client, by the part that owns them."""


def connection(settings: Settings) -> dict[str, Any]:
    """Return the arguments every aiokafka client takes.

    Raises:
        UsageError: the settings contradict each other; the message names the variables.
    """
    protocol = settings.security_protocol
    arguments: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": protocol,
        "client_id": CLIENT_ID,
        "request_timeout_ms": int(max(REQUEST_SECONDS, settings.publish_timeout_seconds) * 1000),
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


async def begin(client: Any, settings: Settings, where: str, clock: BrokerClock | None = None) -> None:
    """Start an aiokafka client, and close it if that fails; a consumer then reads batches within limits.

    Args:
        client: a producer, consumer or admin client.
        settings: how long it may take, and where the cluster is.
        where: the address or group, for the error.
        clock: the broker's, for readers to whom the times of records matter.

    Raises:
        BusUnavailableError: no broker answers within `publish_timeout_seconds`.
        AccessDeniedError: the cluster refuses the user and password, or the certificate.
        UsageError: the settings do not trust the broker's certificate, or name another protocol.
    """
    network = Network.of(client)
    if isinstance(client, AIOKafkaConsumer):
        network.bounds = BoundsBatches(network, clock)
    try:
        async with asyncio.timeout(settings.publish_timeout_seconds):
            await client.start()
            network.require_open()
    except BaseException as error:
        await end(client)
        # aiokafka asserts that it has found a broker, which one that has just slept may not have been.
        if isinstance(error, KafkaError | TimeoutError | AssertionError):
            raise await _reason(error, settings, where) from error
        raise


def read_again(consumer: Any, positions: Mapping[Any, int]) -> None:
    """Have records read again of which one has a header name that aiokafka cannot parse.

    Then that one comes empty, and says why.

    Args:
        consumer: the consumer that has raised a `UnicodeDecodeError`, and lost what it was about to return.
        positions: what is read next of each partition.
    """
    Network.of(consumer).bounds.look_at_names(positions)
    for place, offset in positions.items():
        consumer.seek(place, offset)


async def end(client: Any) -> None:
    """Close an aiokafka client, with its tasks and connections, even if that is cancelled or fails.

    aiokafka swallows our cancellation, as if it were the end of its own tasks, and raises the cancellation of
    its own tasks, as if it were ours.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    try:
        with suppress(asyncio.CancelledError):
            await (client.close() if hasattr(client, "close") else client.stop())
    finally:
        _abandon(client)
        Network.of(client).end()
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


class _NoTopics(frozenset[str]):
    """An empty set that is true: where aiokafka has a false one, it asks for every topic of the cluster."""

    def __bool__(self) -> bool:
        return True


class Pause:
    """The growing wait before the next attempt."""

    def __init__(self) -> None:
        self._attempts = 0
        self._until = 0.0

    def grow(self) -> None:
        """Note an attempt that did not help."""
        self._attempts += 1
        self._until = monotonic() + AGAIN.wait_seconds(self._attempts, random.random())  # noqa: S311 - jitter

    def end(self) -> None:
        """Let the next attempt be made at once."""
        self._attempts, self._until = 0, 0.0

    @property
    def left_seconds(self) -> float:
        """Seconds until the next attempt; 0 if it may be made now."""
        return max(0.0, self._until - monotonic())


class Network(AIOKafkaClient):  # type: ignore[misc]
    """What opens the connections of a producer, consumer or admin client; after its end, none."""

    openings: set[asyncio.Timeout]
    """Of the connections that are being opened."""
    has_ended: bool
    is_consumer: bool
    bounds: BoundsBatches
    """What a consumer reads within."""
    pauses: defaultdict[Any, Pause]
    """Before the next attempt to connect to each broker."""
    before_look: Pause
    """Before another look at the cluster for the same topics."""
    looked: tuple[frozenset[str], float]
    """For which topics it looked last, and when."""
    away: Callable[[], None] | None
    """Called when no broker answers."""

    @classmethod
    def of(cls, client: Any) -> "Network":
        """Return that of a client; aiokafka makes it itself, as one of its own class."""
        found: Any = client._client if hasattr(client, "_client") else client.client  # noqa: SLF001 - no public way
        if not isinstance(found, cls):
            found.__class__ = cls
            found.openings, found.has_ended = set(), False
            found.is_consumer = isinstance(client, AIOKafkaConsumer)
            found.pauses, found.before_look, found.away = defaultdict(Pause), Pause(), None
            found.looked = frozenset(), 0.0
        network: Network = found
        return network

    def end(self) -> None:
        """Close every connection, those that are being opened included."""
        self.has_ended = True
        openings, self.openings = self.openings, set()
        for opening in openings:
            opening.reschedule(asyncio.get_running_loop().time())
        if self._sync_task is not None:
            self._sync_task.cancel()
        for connection in list(self._conns.values()):
            connection.close()

    def require_open(self) -> None:
        """Raise `KafkaConnectionError` after the end."""
        if self.has_ended:
            raise KafkaConnectionError("the client has ended")

    async def bootstrap(self) -> None:
        """Connect to the first broker that answers; where that fails, close what aiokafka then forgets."""
        async with self._opening():
            try:
                await super().bootstrap()
            except BaseException as error:
                for frame, _ in walk_tb(error.__traceback__):
                    if (first := frame.f_locals.get("bootstrap_conn")) is not None:
                        first.close()
                raise

    async def _get_conn(
        self, node_id: Any, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False
    ) -> Any:
        known = self._conns.get((node_id, group))
        if known is not None and known.connected():
            return known
        pause = self.pauses[node_id]
        if pause.left_seconds:
            return None
        async with self._opening():
            opened = await super()._get_conn(node_id, group=group, no_hint=no_hint)
        if opened is None:
            pause.grow()
        else:
            pause.end()
        return opened

    async def _metadata_update(self, cluster_metadata: Any, topics: Any) -> bool:
        """Ask, after a pause, about the topics in use; a consumer about all, whose pattern may match any."""
        is_own = cluster_metadata is self.cluster  # else it is somebody's only look
        wanted = frozenset(topics or ())
        await self._wait(wanted if is_own else None)
        if not topics and not self.is_consumer:
            topics = _NoTopics()
        has_answer: bool = await super()._metadata_update(cluster_metadata, topics)
        if is_own:
            self.before_look.grow()
            self.looked = wanted, monotonic()
        if not has_answer and self.away is not None:
            self.away()
        return has_answer

    async def _wait(self, wanted: frozenset[str] | None) -> None:
        """Wait until a broker may be asked, and asked again about the same topics."""
        seconds = min(
            (self.pauses[broker.nodeId].left_seconds for broker in self.cluster.brokers()), default=0.0
        )
        if wanted is not None:
            if wanted != self.looked[0] or monotonic() - self.looked[1] > AGAIN.longest_seconds:
                self.before_look.end()
            seconds = max(seconds, self.before_look.left_seconds)
        if seconds:
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def _opening(self) -> AsyncIterator[None]:
        """Break off at the end of this client."""
        self.require_open()
        try:
            async with asyncio.timeout(None) as opening:
                self.openings.add(opening)
                try:
                    yield
                finally:
                    self.openings.discard(opening)
        except TimeoutError:
            if not self.has_ended:
                raise
        if self.has_ended:
            self.end()  # it may have opened in the last moment
            self.require_open()


def _abandon(client: Any) -> None:
    """End what aiokafka leaves running where a step of its closing fails: it skips the further ones."""
    for part, names in TASKS.items():
        for name in names:
            if (task := getattr(getattr(client, part, None), name, None)) is not None:
                task.cancel()
    for task in getattr(getattr(client, "_fetcher", None), "_pending_tasks", ()):
        task.cancel()


async def _reason(error: BaseException, settings: Settings, where: str) -> BusError:
    if isinstance(error, KafkaConnectionError):
        if (refusal := await find_refusal(connection(settings), where)) is not None:
            return refusal
        where = f"{where} over {settings.security_protocol}"
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
