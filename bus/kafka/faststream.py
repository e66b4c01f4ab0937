"""The bus inside a FastStream application."""

from typing import Any, Protocol

from faststream.kafka import KafkaBroker

from bus.kafka.client import connection
from bus.kafka.injection import Injection
from bus.settings import Settings


class Mountable(Protocol):
    """What FastStream needs of a bus."""

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
        """Start the bus; FastStream's own Kafka client stays unconnected unless it has subscribers."""
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
