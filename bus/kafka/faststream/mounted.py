"""The bus inside a FastStream application.

Laws of this file:

- A topic of the catalogue is read and written by the bus alone, never by a subscriber or publisher of
  FastStream's own: that one knows no grant, contract, order or receipt.
- What FastStream offers around handlers, and would not do around those of the bus, is refused.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol, Self

from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from faststream.specification.schema import Message, Operation, SubscriberSpec
from faststream.specification.schema.bindings import ChannelBinding, kafka

from bus.errors import UsageError
from bus.kafka.client import connection
from bus.kafka.faststream.injection import Injection
from bus.settings import Settings
from contracts import Catalog, ContractVersion, asyncapi

SHOWN = 3
"""How many of the lines to write an error shows."""

MECHANISMS: Mapping[str, type[Any]] = {
    "PLAIN": SASLPlaintext,
    "SCRAM-SHA-256": SASLScram256,
    "SCRAM-SHA-512": SASLScram512,
}


class Subscribed(Protocol):
    """What FastStream's AsyncAPI tells of a subscription of the bus."""

    @property
    def topic(self) -> str:
        """Where its events are."""

    @property
    def name(self) -> str:
        """Its name within the agency."""

    @property
    def purpose(self) -> str:
        """What the data is used for."""

    @property
    def version(self) -> ContractVersion:
        """What it knows of the data."""


class Mountable(Protocol):
    """What FastStream needs of a bus."""

    agency: str
    catalog: Catalog
    settings: Settings
    injection: Injection

    @property
    def subscriptions(self) -> Sequence[Subscribed]:
        """What the bus subscribes to."""

    @property
    def serving(self) -> bool:
        """Whether the bus is started and every subscription runs."""

    async def start(self) -> None:
        """Connect and begin to handle events."""

    async def stop(self) -> None:
        """Finish and disconnect."""


class MountedBus(KafkaBroker):
    """A FastStream broker that starts and stops a `Bus` with the application."""

    def __init__(self, bus: Mountable) -> None:
        self._bus = bus
        arguments = connection(bus.settings)
        super().__init__(
            arguments["bootstrap_servers"], client_id=arguments["client_id"], security=_security(arguments)
        )
        bus.injection.broker = self

    async def __aenter__(self) -> Self:
        if "start" in vars(self):  # replaced by `TestKafkaBroker`
            raise UsageError(
                "Expected `async with bus.testing.patched(bus)` for a test in memory, got FastStream's "
                "`TestKafkaBroker`, which would run none of the bus' handlers"
            )
        return await super().__aenter__()

    def _update_fd_config(self, config: Any) -> None:
        super()._update_fd_config(config)
        self._bus.injection.context = config.context
        self._bus.injection.provider = config.provider

    @property
    def subscribers(self) -> list[Any]:
        """FastStream's own subscribers, and the subscriptions of the bus as its AsyncAPI shows them."""
        subscriptions = self._bus.subscriptions
        schemas = asyncapi(self._bus.catalog)["components"]["schemas"] if subscriptions else {}
        return [*super().subscribers, *(_Described(one, schemas) for one in subscriptions)]

    def add_middleware(self, middleware: Any) -> NoReturn:
        """Refuse it.

        Raises:
            UsageError: always.
        """
        del middleware
        raise UsageError(
            "Expected no middleware for the handlers of the bus, which would not run it - at "
            "`add_middleware`. Use `Depends` or a decorator; for FastStream's own subscribers "
            "`KafkaRouter(middlewares=...)`"
        )

    async def start(self) -> None:
        """Start the bus; FastStream's own Kafka client only where it has subscribers or publishers.

        Raises:
            UsageError: one of those reads or writes a topic of the catalogue.
            BusError: as `Bus.start`.
        """
        own = super().subscribers
        for subscriber in own:
            _require_foreign(subscriber, self._bus.agency, self._bus.catalog)
        for publisher in self.publishers:
            self._require_foreign_topic(publisher.topic)  # type: ignore[attr-defined] # of Kafka, not of any broker
        if own or self.publishers:
            await super().start()
        self._setup_logger()
        await self._bus.start()

    async def publish(self, message: Any, topic: str = "", **options: Any) -> Any:
        """Publish to a topic that is none of the catalogue's, as `KafkaBroker.publish`.

        Raises:
            UsageError: the catalogue has the topic.
        """
        self._require_foreign_topic(topic)
        return await super().publish(message, topic, **options)

    async def publish_batch(self, *messages: Any, topic: str = "", **options: Any) -> Any:
        """Publish to a topic that is none of the catalogue's, as `KafkaBroker.publish_batch`.

        Raises:
            UsageError: the catalogue has the topic.
        """
        self._require_foreign_topic(topic)
        return await super().publish_batch(*messages, topic=topic, **options)

    def _require_foreign_topic(self, topic: str) -> None:
        if topic in _types(self._bus.catalog):
            subject, _, major = topic.rpartition(".v")
            raise UsageError(
                "Expected events of the catalogue from the bus, got one from FastStream's own publisher, "
                f'which knows no contract and no receipt. Write `await bus.publish("{subject}", data, '
                f'version="{major}.0")`, or `event.publish` in a handler'
            )

    async def ping(self, timeout: float | None = None) -> bool:
        """Tell whether the bus serves, for FastStream's health routes."""
        del timeout  # nothing is asked of the network
        return self._bus.serving

    async def stop(self, *error: Any) -> None:
        """Stop the bus."""
        await self._bus.stop()
        await super().stop(*error)


def _security(arguments: Mapping[str, Any]) -> BaseSecurity | None:
    """Return the login and TLS of the settings, as FastStream takes them."""
    protocol, tls = arguments["security_protocol"], arguments.get("ssl_context")
    if protocol.startswith("SASL"):
        mechanism = MECHANISMS[arguments["sasl_mechanism"]]
        found: BaseSecurity = mechanism(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            ssl_context=tls,
            use_ssl=tls is not None,
        )
        return found
    return None if tls is None else BaseSecurity(ssl_context=tls)


class _Described:
    """A subscription of the bus, as FastStream's AsyncAPI describes a subscriber; the bus runs it."""

    calls: Sequence[Any] = ()
    running = False
    include_in_schema = True
    title_: str | None = None

    def __init__(self, subscription: Subscribed, schemas: Mapping[str, Any]) -> None:
        self._subscription = subscription
        self._schemas = schemas
        self.specification = self.config = self

    def schema(self) -> dict[str, SubscriberSpec]:
        """Return its topic, its purpose, and the schema of the version that it knows."""
        one = self._subscription
        version = one.version
        name = f"{version.contract.subject}-{version.number}"
        used = {each: dict(schema) for each, schema in self._schemas.items() if each.startswith(name)}
        refers = {"$ref": f"#/components/schemas/{name}"} if used else {}
        payload = {**refers, "title": f"{one.topic}:{one.name}:Payload", "$defs": used}
        binding = kafka.ChannelBinding(topic=one.topic, partitions=None, replicas=None)
        return {
            f"{one.topic}:{one.name}": SubscriberSpec(
                address=one.topic,
                description=f"{version.contract.title}. Purpose: {one.purpose}",
                operation=Operation(
                    message=Message(payload=payload, title=f"{one.topic}:Message"), bindings=None
                ),
                bindings=ChannelBinding(kafka=binding),
            )
        }

    def get_log_context(self, message: Any) -> dict[str, str]:
        """Return what FastStream aligns its log by."""
        del message
        return {}

    async def start(self) -> None:
        """Do nothing: the bus starts it."""

    async def stop(self) -> None:
        """Do nothing: the bus stops it."""


def _require_foreign(subscriber: Any, agency: str, catalog: Catalog) -> None:
    """Refuse a subscriber of FastStream's own that reads a topic of the catalogue."""
    types = _types(catalog)
    pattern = None if subscriber.pattern is None else re.compile(subscriber.pattern.broker_address)
    named = {*subscriber.topic_names_for_subscribe, *(place.topic for place in subscriber.partitions)}
    read = sorted(each for each in types if each in named or (pattern is not None and pattern.match(each)))
    if not read:
        return
    handlers = ", ".join(f"`{call.name}`" for call in subscriber.calls) or "without a handler"
    raise UsageError(
        f"Expected subscriptions of the bus to what the catalogue has, got one of FastStream's own, which "
        f"knows no contract, grant or receipt - at handler {handlers}. Write "
        + " and ".join(f"`{_line(topic, agency, catalog)}`" for topic in read[:SHOWN])
        + (f", and so for {len(read) - SHOWN} more" if len(read) > SHOWN else "")
        + ", instead of `@broker.subscriber(...)`"
    )


def _types(catalog: Catalog) -> set[str]:
    return {version.type for contract in catalog.contracts.values() for version in contract.versions}


def _line(topic: str, agency: str, catalog: Catalog) -> str:
    """Return the line that subscribes to a topic, with the purpose that is granted, if one alone is."""
    subject, _, major = topic.rpartition(".v")
    granted = {
        grant.purpose
        for grant in catalog.subscriptions.values()
        if grant.consumer == agency and grant.topic == topic
    }
    purpose = granted.pop() if len(granted) == 1 else "..."
    return f'@bus.subscribe("{subject}", version={major}, purpose="{purpose}")'
