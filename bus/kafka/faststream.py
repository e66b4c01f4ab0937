"""The bus inside a FastStream application.

Law of this file: a topic of the catalogue is read by the bus alone, never by a subscriber of FastStream's
own: that one knows no grant, contract, order or receipt.
"""

import re
from typing import Any, Protocol

from faststream.kafka import KafkaBroker

from bus.errors import UsageError
from bus.kafka.client import connection
from bus.kafka.injection import Injection
from bus.settings import Settings
from contracts import Catalog

SHOWN = 3
"""How many of the lines to write an error shows."""


class Mountable(Protocol):
    """What FastStream needs of a bus."""

    agency: str
    catalog: Catalog
    settings: Settings
    injection: Injection

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
        arguments = connection(bus.settings)
        arguments = {name: arguments[name] for name in ("bootstrap_servers", "client_id")}
        super().__init__(**arguments)
        self._bus = bus

    def _update_fd_config(self, config: Any) -> None:
        super()._update_fd_config(config)
        self._bus.injection.context = config.context
        self._bus.injection.provider = config.provider

    async def start(self) -> None:
        """Start the bus; FastStream's own Kafka client stays unconnected unless it has subscribers.

        Raises:
            UsageError: one of FastStream's own subscribers reads a topic of the catalogue.
            BusError: as `Bus.start`.
        """
        for subscriber in self.subscribers:
            _require_foreign(subscriber, self._bus.agency, self._bus.catalog)
        if self.subscribers:
            await super().start()
        await self._bus.start()

    async def ping(self, timeout: float | None = None) -> bool:
        """Tell whether the bus serves, for FastStream's health routes."""
        del timeout  # nothing is asked of the network
        return self._bus.serving

    async def stop(self, *error: Any) -> None:
        """Stop the bus."""
        await self._bus.stop()
        await super().stop(*error)


def _require_foreign(subscriber: Any, agency: str, catalog: Catalog) -> None:
    """Refuse a subscriber of FastStream's own that reads a topic of the catalogue."""
    types = {version.type for contract in catalog.contracts.values() for version in contract.versions}
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
