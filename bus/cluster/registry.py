"""Running processes learn of a newer catalogue from the registry topic, without a restart.

Law: only signed entries are used, and only if all of them together are a valid catalogue; until then the
process keeps the catalogue it has. A refused entry is logged and counted, once.
"""

import asyncio
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import monotonic

from bus import envelope
from bus.errors import BusError, TopicMissingError
from bus.process.outage import Outage
from bus.record import Record
from bus.settings import Settings
from bus.structured import read_envelope
from bus.topics import REGISTRY_TOPIC
from bus.transport import Consumer, Transport
from contracts import (
    GROWTH,
    LEASE_MS,
    Catalog,
    CatalogError,
    Growth,
    RegistryEntry,
    TrustedKeys,
    growths_of,
    visible_logger,
    write_registry_folder,
)

logger = visible_logger("govbus.registry")

POLL_SECONDS = 0.5
AGAIN_SECONDS = 1.0
FRESH_SECONDS = 5.0
"""A process that has not looked at the registry for so long looks again before it publishes."""
MAX_RECORDS = 1_000
UNKNOWN_SECONDS = 30.0
"""How long a version that the registry does not have is taken as unknown without looking again."""
MAX_UNKNOWN = 1_000


def trusted_keys(settings: Settings) -> TrustedKeys | None:
    """Return the keys whose entries a process trusts; None if it follows no registry.

    Raises:
        RegistryKeyError: the named file holds no such key.
    """
    if settings.registry == "off" or settings.registry_public_key is None:
        return None
    return TrustedKeys.read(settings.registry_public_key)


async def read_registry(transport: Transport, trusted: TrustedKeys) -> dict[str, RegistryEntry]:
    """Return the latest entry of each key, faulty ones included; empty if there is no registry."""
    try:
        records = await transport.read_all(REGISTRY_TOPIC)
    except TopicMissingError:
        return {}
    latest = {_key(record): record for record in records}
    return {
        key: trusted.open(key, record.value, record.timestamp)
        for key, record in latest.items()
        if record.value is not None
    }


class Follower:
    """Follows the registry topic for one process.

    Args:
        transport: the cluster.
        trusted: the keys whose entries are trusted.
        adopt: called with a valid catalogue.
        grow: called with news of growing partitions.
        refused: called with the fault of each refused entry.
    """

    def __init__(
        self,
        transport: Transport,
        trusted: TrustedKeys,
        adopt: Callable[[Catalog], None],
        grow: Callable[[Iterable[Growth]], None],
        refused: Callable[[str], None],
    ) -> None:
        self._transport = transport
        self._trusted = trusted
        self._adopt = adopt
        self._grow = grow
        self._refused = refused
        self._entries: dict[str, RegistryEntry] = {}
        self._growths: dict[str, Growth] = {}
        self._leases: set[asyncio.Task[None]] = set()
        self._reader: Consumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._building = asyncio.Lock()
        self._outdated = False
        self._builds: set[asyncio.Task[None]] = set()
        self._heard_at = monotonic()
        self._unknown: dict[bytes, float] = {}

    async def start(self) -> None:
        """Read the registry now, and follow it in the background.

        Raises:
            BusError: the cluster cannot be reached, or does not let this process read the registry.
        """
        await self._read_whole()
        await self._adopt_news()
        try:
            await self._transport.require_topics({REGISTRY_TOPIC})
        except TopicMissingError:
            logger.warning("there is no topic `%s` to follow yet; start again after `apply`", REGISTRY_TOPIC)
            return
        self._reader = self._transport.reader(REGISTRY_TOPIC)
        await self._reader.start()
        self._heard_at = monotonic()
        self._task = asyncio.create_task(self._run(self._reader))

    async def stop(self) -> None:
        """Stop following."""
        for task in (*self._leases, *self._builds):
            task.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._reader is not None:
            await self._reader.close()

    async def learn(self, record: Record) -> bool:
        """Read the registry, since an event has a version that is unknown here.

        Args:
            record: an event whose version is unknown.

        Returns:
            Whether the registry was read again.
        """
        attributes, _ = read_envelope(record.headers, record.value)
        schema = attributes.get(envelope.DATASCHEMA, b"")
        if self._unknown.get(schema, 0.0) > monotonic():
            return False
        async with self._turn:
            try:
                await self._read_whole()
            except BusError as error:
                logger.warning("the registry could not be read: %s", error)
        await self._adopt_news()
        if len(self._unknown) >= MAX_UNKNOWN:
            self._unknown.clear()
        self._unknown[schema] = monotonic() + UNKNOWN_SECONDS
        return True

    async def _run(self, reader: Consumer) -> None:
        outage = Outage(REGISTRY_TOPIC)
        while True:
            try:
                batches = await reader.poll(POLL_SECONDS, MAX_RECORDS)
                outage.ends()
                records = [record for found in batches.values() for record in found]
                async with self._turn:
                    self._take({_key(record): self._opened(record) for record in records})
                    if not self.is_fresh():
                        await self._read_whole()
                self._heard_at = monotonic()
                self._grow(())
                if self._outdated:
                    # Beside the reading: nobody may miss a pause while a large catalogue is made.
                    build = asyncio.create_task(self._adopt_news())
                    self._builds.add(build)
                    build.add_done_callback(self._builds.discard)
            except BusError as error:
                outage.begins(error)
                await asyncio.sleep(AGAIN_SECONDS)

    def _opened(self, record: Record) -> RegistryEntry:
        return self._trusted.open(_key(record), record.value, record.timestamp)

    def _take_growths(self, growths: Mapping[str, Growth]) -> None:
        self._growths |= growths
        for growth in growths.values():
            if growth.is_paused:
                lease = asyncio.create_task(self._lapse(growth))
                self._leases.add(lease)
                lease.add_done_callback(self._leases.discard)
        self._grow(growths.values())

    async def _lapse(self, growth: Growth) -> None:
        """Go on as before where nobody has renewed the lease of a pause."""
        await asyncio.sleep(LEASE_MS / 1000)
        while self._growths[growth.subject] == growth:
            try:
                async with self._turn:
                    await self._read_whole()  # a switch that counts is in the topic by now
            except BusError as error:
                logger.warning("the registry could not be read: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if self._growths[growth.subject] == growth:
                logger.warning("nobody goes on with the growth of `%s`: it is off", growth.subject)
                over = self._growths[growth.subject] = Growth(growth.subject, growth.partitions)
                self._grow([over])

    async def _read_whole(self) -> None:
        self._take(await read_registry(self._transport, self._trusted))

    def is_fresh(self) -> bool:
        """Whether this process has followed until now, and was not suspended meanwhile."""
        return self._task is None or monotonic() - self._heard_at < FRESH_SECONDS

    def _take(self, entries: Mapping[str, RegistryEntry]) -> None:
        """Keep new, trusted entries."""
        news = {key: entry for key, entry in entries.items() if self._entries.get(key) != entry}
        for key, entry in news.items():
            if entry.fault:
                logger.warning("an entry of the registry is ignored: %s - at key `%.200r`", entry.fault, key)
                self._refused(entry.fault)
        believed = {key: entry for key, entry in news.items() if not entry.fault}
        if not believed:
            return
        self._entries |= believed
        self._take_growths(growths_of(believed.values()))
        self._outdated |= not all(key.startswith(GROWTH) for key in believed)

    async def _adopt_news(self) -> None:
        """Make a catalogue of all entries, if there are new ones."""
        async with self._building:
            if not self._outdated:
                return
            self._outdated = False
            try:
                catalog = await asyncio.to_thread(_catalog_of, tuple(self._entries.values()))
            except CatalogError as error:
                # Half of an `apply` has come; the rest is on its way, or the next `apply` brings it.
                logger.info("the registry is not a valid catalogue yet: %s", error)
                return
            self._unknown.clear()
            self._adopt(catalog)


def _catalog_of(entries: tuple[RegistryEntry, ...]) -> Catalog:
    with tempfile.TemporaryDirectory(prefix="govbus-registry-") as folder:
        write_registry_folder(entries, Path(folder))
        return Catalog.open(folder)


def _key(record: Record) -> str:
    return (record.key or b"").decode(errors="replace")
