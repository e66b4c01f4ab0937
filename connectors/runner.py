"""Runs many connectors in one process: one bus per agency and system, every source in its own task."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from bus import Backoff, Bus, Check, Outage, Settings, serve, waited_out
from connectors.configuration.config import ConnectorConfig, SinkConfig, SourceConfig
from connectors.health import Health
from connectors.sink_runner import SinkRunner
from connectors.source_runner import SourceRunner
from contracts import Catalog

MakeBus: TypeAlias = Callable[[str, str], Bus]
"""Makes the bus of an agency and one of its systems."""


class Runner:
    """Runs connectors until stopped.

    A connector that fails does not affect the others: a source is restarted with back-off, an event that a
    sink cannot take is retried by the bus, one that needs a person is `blocked` or `failed`.

    Args:
        configs: The connectors; see `connectors.load`.
        settings: The cluster; from the `GOVBUS_*` variables if absent.
        catalog: The contracts; the one the settings name if absent.
        make_bus: Makes the buses, instead of `settings` and `catalog`; for tests.
        backoff: The waits after errors.
        stop_seconds: How long `stop` waits for the current batches.
    """

    def __init__(
        self,
        configs: Iterable[ConnectorConfig],
        *,
        settings: Settings | None = None,
        catalog: Catalog | None = None,
        make_bus: MakeBus | None = None,
        backoff: Backoff | None = None,
        stop_seconds: float = 10.0,
    ) -> None:
        self._configs = tuple(configs)
        self._backoff = backoff or Backoff()
        self._stop_seconds = stop_seconds
        self._settings = settings
        self._starting = Outage("the start of the connectors")
        self._make_bus: MakeBus = make_bus or (
            lambda agency, system: Bus(agency, system=system, settings=settings, catalog=catalog)
        )
        self._buses: list[Bus] = []
        self._sources: list[SourceRunner] = []
        self._sinks: list[SinkRunner] = []
        self._tasks: list[asyncio.Task[None]] = []

    def health(self) -> tuple[Health, ...]:
        """The live state of every connector."""
        return (*(source.health for source in self._sources), *(sink.health for sink in self._sinks))

    async def start(self) -> None:
        """Start the buses and every connector; waits while no broker answers.

        Raises:
            BusError: The bus cannot start for another reason, such as a missing topic.
        """
        groups: dict[tuple[str, str], list[ConnectorConfig]] = {}
        for config in self._configs:
            groups.setdefault((config.agency, config.system), []).append(config)
        try:
            for (agency, system), configs in groups.items():
                await self._start_group(agency, system, configs)
        except BaseException:
            await self.stop()
            raise

    async def _start_group(self, agency: str, system: str, configs: Sequence[ConnectorConfig]) -> None:
        sinks = [SinkRunner(config) for config in configs if isinstance(config, SinkConfig)]
        self._sinks += sinks
        usable = [sink for sink in sinks if await sink.open()]
        bus = await self._started(agency, system, usable)
        self._buses.append(bus)
        for config in configs:
            if isinstance(config, SourceConfig):
                source = SourceRunner(config, bus, backoff=self._backoff)
                self._sources.append(source)
                self._tasks.append(asyncio.create_task(source.run(), name=f"source {config.name}"))

    async def _started(self, agency: str, system: str, sinks: Sequence[SinkRunner]) -> Bus:
        bus = self._make_bus(agency, system)
        for sink in sinks:
            sink.subscribe(bus)
        await waited_out(bus.start, self._starting, self._backoff)
        return bus

    async def stop(self) -> None:
        """Finish the current batches, stop the buses, close every connector. May be called twice."""
        for source in self._sources:
            source.stop()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._stop_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        buses, self._buses, self._tasks = self._buses, [], []
        await asyncio.gather(*(bus.stop() for bus in buses))
        await asyncio.gather(*(sink.close() for sink in self._sinks))

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, or until nothing is left to do; then stop in order.

        Raises:
            BusError: A subscription ended by itself, for example because its access was revoked.
        """
        await serve(self, self._settings or Settings())

    @property
    def checks(self) -> Mapping[str, Check]:
        """Whether Kafka answers every bus and takes what is due, and no connector needs a person.

        A legacy system may be away.
        """
        return {"kafka": self._kafka_fault, "connectors": self._connectors_fault}

    async def _kafka_fault(self) -> str | None:
        if not self._buses:
            return self._starting.fault or "the connectors have not started yet"
        found = await asyncio.gather(*(check() for bus in self._buses for check in bus.checks.values()))
        return next((fault for fault in (*found, *(one.fault for one in self._sources)) if fault), None)

    async def _connectors_fault(self) -> str | None:
        found = [f"{one.agency}/{one.name} ({one.reason})" for one in self.health() if one.needs_a_person]
        return f"needs a person: {', '.join(found)}" if found else None

    async def wait(self) -> None:
        """Wait until nothing is left to do.

        Raises:
            BusError: A subscription ended by itself, for example because its access was revoked.
        """
        watching = [asyncio.create_task(bus.wait()) for bus in self._buses]
        try:
            open_ends = {*self._tasks, *watching}
            while self._tasks or self._has_sinks():
                done, open_ends = await asyncio.wait(open_ends, return_when=asyncio.FIRST_COMPLETED)
                for ended in done.intersection(watching):
                    ended.result()  # a subscription that ended by itself ends the process, with its error
                if not open_ends or (not self._has_sinks() and open_ends.issubset(watching)):
                    return
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def _has_sinks(self) -> bool:
        return any(sink.health.state != "failed" for sink in self._sinks)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
