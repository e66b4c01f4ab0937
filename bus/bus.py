"""The bus: the class that an agency's program uses."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import copy_context
from datetime import date, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from uuid_utils import uuid7

from bus import envelope
from bus.caused import HANDLED, publishing
from bus.clock_watch import ClockWatch
from bus.cluster.registry import Follower, trusted_keys
from bus.dead_letters.record import DeadLetterRecord, Intended, explain, origin_of
from bus.deliver.bounded_reading import BoundedReading
from bus.deliver.delivery import Delivery
from bus.deliver.exactly_once import ExactlyOnce
from bus.deliver.handlers import adapt
from bus.deliver.places import Places
from bus.deliver.refused import RefusedRecords
from bus.deliver.retry import RetryPolicy
from bus.deliver.subscriber import Subscriber
from bus.deliver.subscription import Subscription
from bus.deliver.versions import renewed, require_major
from bus.deliver.watchdog import Watchdog
from bus.errors import BusError, BusUnavailableError, NotGrantedError, UsageError
from bus.grants.rule import EVERYTHING, Reading, fields_for
from bus.grants.topics import expectations
from bus.grants.watch import GrantWatch
from bus.kafka.faststream.injection import Injection
from bus.kafka.transport import KafkaTransport
from bus.known_variables import warn_of_unknown
from bus.outcome import Reason
from bus.parking.log import ParkingLog, RowWriter
from bus.process.health import Check
from bus.process.logs import set_up_asked_logs
from bus.process.serving import serve
from bus.publish.context import BusContext
from bus.publish.in_handler import HandlerPublishing
from bus.publish.spreading import Spreading
from bus.publish.surface import Publishing
from bus.publish.transactions import Transaction, Transactions
from bus.receipts.writer import ReceiptLog
from bus.record import Headers, Position, TopicPartition
from bus.settings import Settings
from bus.stages.stamp import require_service
from bus.table import Table, deliver
from bus.telemetry import Telemetry
from bus.times.limits import in_time
from bus.times.sunsets import SunsetWatch, VersionUse
from bus.topics import dead_letter_topic, group_of, parked_topic, receipts_topic, topic_of
from bus.transport import Transport
from contracts import Catalog, catalog_folder, meant, shown_folder, visible_logger

if TYPE_CHECKING:
    from bus.kafka.faststream.mounted import MountedBus

logger = visible_logger("govbus.bus")

Function = TypeVar("Function", bound=Callable[..., Any])


class Bus(Publishing, BoundedReading):
    """Publishes and subscribes for one agency.

    Args:
        agency: the agency's name in the catalogue.
        system: the agency's system; it is part of every event's `source`.
        settings: the cluster and limits; from the `GOVBUS_*` variables if absent.
        catalog: the contracts; those that the settings name if absent.
        transport: the connection to a cluster; Kafka if absent.

    Raises:
        UsageError: the catalogue has no such agency.
    """

    def __init__(
        self,
        agency: str,
        *,
        system: str = "main",
        settings: Settings | None = None,
        catalog: Catalog | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.agency = agency
        self.system = system
        self.settings = settings or Settings()
        self.catalog_folder = None if catalog else catalog_folder(self.settings.catalog)
        """Where the catalogue was read; None if it was given."""
        self.catalog = catalog or Catalog.open(self.catalog_folder)
        if agency not in self.catalog.agencies:
            near = meant(agency, self.catalog.agencies)
            raise UsageError(
                f"Expected an agency of the catalogue, got another{near} - at `agency`. `govbus contracts "
                "list` shows all"
            )
        self.injection = Injection()
        self.transport: Transport = transport or KafkaTransport(self.settings)
        self._transport: Transport = self.transport
        self._subscriptions: dict[str, Subscription] = {}
        self._subscribers: list[Subscriber] = []
        self._leaving: list[Subscriber] = []
        """Those that are being stopped."""
        self._tables: dict[str, Table] = {}
        self._receipts = ReceiptLog(self._transport, receipts_topic(agency))
        self._make_context()
        self._trusted = trusted_keys(self.settings)
        self._follower: Follower | None = None
        self._parking: ParkingLog | None = None
        self._watchdog: Watchdog | None = None
        self._grants = GrantWatch(self._not_granted, self._end)
        self._clock_watch: ClockWatch | None = None
        self._started = False
        self._running = False
        self._ending: asyncio.Task[None] | None = None
        """Stops the bus, or has stopped it."""

    def use(self, transport: Transport) -> Transport:
        """Use another connection from the next start on, and return the one before, as a test does.

        Raises:
            UsageError: the bus is started.
        """
        self._require_not_started("use")
        before = self._transport
        self.transport = self._transport = transport
        self._receipts = ReceiptLog(transport, receipts_topic(self.agency))
        self._tables.clear()
        self._make_context()
        return before

    def _make_context(self) -> None:
        self._telemetry = Telemetry(self.agency, self._transport.clock, self.settings.bootstrap_servers)
        self._sunsets = SunsetWatch(self.catalog, self._today, self._reads, self._telemetry.ends)
        self._context = BusContext(
            self.agency,
            self.system,
            self.settings,
            self.catalog,
            self._transport,
            self._telemetry,
            Spreading(self.catalog),
            self._sunsets,
        )
        self._publisher = self._context.publisher(self._transport, self._receipts)
        self._transactions = Transactions(self._context, self._receipts)

    def _today(self) -> date:
        return envelope.moment_of(self._transport.clock.now_us()).date()

    def _reads(self) -> list[VersionUse]:
        return [VersionUse(subscription.version, name) for name, subscription in self._subscriptions.items()]

    # Subscribing

    def subscribe(
        self,
        subject: str,
        *,
        version: int,
        purpose: str,
        name: str | None = None,
        retry: RetryPolicy | None = None,
        timeout_seconds: float = 60.0,
        concurrency: int = 16,
        exactly_once: bool = False,
    ) -> Callable[[Function], Function]:
        """Register a handler for one major version of an event.

        Every event is handled at least once, in order per key; a repeated event is not handled again. While a
        handler waits for something, events of other keys are handled, up to `concurrency` of a partition. The
        handler returns None or an `Outcome`; an error is retried unless it has `retriable = False`. Events
        of older major versions are delivered too, upcast, where the catalogue has a conversion.

        Args:
            subject: the event's name, such as `civil-registry.birth-registered`.
            version: the major version.
            purpose: what the data is used for, as the catalogue grants it; it is part of every delivery
                receipt.
            name: the subscription's name, unique within the agency; `<subject>.v<version>` if absent.
            retry: when failures are tried again.
            timeout_seconds: how long one event may take in the handler.
            concurrency: how many events of one partition are handled at once, each of another key; those
                without a key wait for none. With 1 the events of a partition are handled one by one.
            exactly_once: whether reading an event, publishing by `event.publish` and committing the offset
                are one Kafka transaction: readers see what the handler published once, even after a kill.
                The receipt of such an event has no partition and offset yet. Effects outside Kafka, in a
                database for example, are not part of the transaction.

        Raises:
            UnknownContractError: the catalogue has no such event.
            UsageError: the name is taken, the purpose empty, the bus started, or a parameter unclear.
        """
        require_major(self.catalog.contract(subject), version)
        topic = topic_of(subject, version)
        name = name or topic
        self._require_sound(name, purpose, timeout_seconds, concurrency)

        def register(function: Function) -> Function:
            adapted = adapt(function, self.injection)
            self._subscriptions[name] = Subscription(
                agency=self.agency,
                name=name,
                group=group_of(self.agency, name),
                topic=topic,
                purpose=purpose,
                expected=expectations(self.catalog, subject, version, self._today()),
                handler=adapted.call,
                model=adapted.model,
                retry=retry or RetryPolicy(),
                timeout_seconds=timeout_seconds,
                concurrency=concurrency,
                exactly_once=exactly_once,
            )
            return function

        return register

    def _require_sound(self, name: str, purpose: str, timeout_seconds: float, concurrency: int) -> None:
        if not timeout_seconds > 0:
            raise UsageError(f"Expected more than 0 seconds, got {timeout_seconds} - at `timeout_seconds`")
        if type(concurrency) is not int or concurrency < 1:
            raise UsageError(f"Expected a whole number of at least 1, got {concurrency!r} - at `concurrency`")
        if self._started:
            raise UsageError("Expected subscriptions before the bus starts, got one after - at `subscribe`")
        if not purpose.strip():
            raise UsageError("Expected what the data is used for, got nothing - at `purpose`")
        if name in self._subscriptions:
            raise UsageError(
                f"Expected a unique subscription name, got `{name}` twice - at `name`. Pass `name=...`"
            )

    # Transactions, dead letters and tables

    def transaction(self, name: str | None = None) -> AbstractAsyncContextManager[Transaction]:
        """Publish events together: readers see all of them when the block has ended, or none.

        Args:
            name: if given, one process at a time holds transactions of this name: a newer process fences
                the older one. A source that then reads its checkpoint misses nothing and repeats nothing.

        Raises:
            FencedError: another process has taken over the name; nothing is published.
            UsageError: a transaction of this name is open already, or the bus has not started or has stopped.
            BusError: as `publish`; nothing is published, or it is not known whether it is.
        """
        self._require_open()
        return self._transactions.open(name)

    @publishing
    async def dead_letter(
        self,
        value: bytes | None,
        *,
        reason: Reason,
        stage: str,
        where: Mapping[str, str] | None = None,
        detail: str = "",
        intended: Intended = Intended(),  # noqa: B008 - a frozen value
        key: bytes | None = None,
        headers: Headers = (),
    ) -> datetime:
        """Write a dead letter for something that never became an event, such as a malformed row of a file.

        Args:
            value: the original bytes.
            reason: why it could not become an event.
            stage: the step that failed, such as `read` or `translate`.
            where: its place, such as `{"file": "2026-01-31.csv", "line": "17"}`; no data.
            detail: one sentence for the operator; no data.
            intended: the event that it should have become; its transaction is stuck at once.
            key: the original key, if it had one.
            headers: the original headers.

        Returns:
            When the broker took it.

        Raises:
            BusUnavailableError: no acknowledgement of it and its receipt within `publish_timeout_seconds`.
            EnvelopeError: `intended` names a service that the catalogue lacks.
            UsageError: the bus has not started, or has stopped.
        """
        self._require_open()
        require_service(intended.service, self.catalog.services)
        added = explain(
            reason,
            stage,
            detail,
            {"agency": self.agency, "system": self.system, **(where or {}), **intended.facts},
        )
        letter = DeadLetterRecord(key, value, (*headers, *added))
        async with in_time(self._transport.answer_seconds, f"topic `{dead_letter_topic(self.agency)}`"):
            place = await self._set_aside(letter)
            self._publisher.dead_letter(place, reason.value, value or b"", intended, origin_of(where or {}))
            await self._receipts.flush()
        return envelope.moment_of(place.timestamp * 1000)

    async def _set_aside(self, letter: DeadLetterRecord) -> Position:
        topic = dead_letter_topic(self.agency)
        return await deliver(self._transport, topic, letter.key, letter.value, list(letter.headers))

    def table(self, topic: str) -> Table:
        """Return a compacted topic as a mapping, such as the connectors' checkpoints."""
        if topic not in self._tables:
            self._tables[topic] = Table(self._transport, topic)
        return self._tables[topic]

    # Lifecycle

    async def start(self) -> None:
        """Connect, check the topics, and begin to handle events.

        Raises:
            BusUnavailableError: no broker answers.
            TopicMissingError: a topic does not exist yet.
            AccessDeniedError: the cluster refuses this agency.
            NotGrantedError: the catalogue does not grant what a subscription reads, not for its purpose.
            UsageError: the bus is started already, a handler asks for what only FastStream has, or grants are
                not to be checked on a guarded cluster.
        """
        self._require_not_started("start")
        self.injection.require_filled()
        self._require_sound_grants()
        self._started, self._ending = True, None
        self._loop = asyncio.get_running_loop()
        self._make_context()
        try:
            await self._transport.start(self._telemetry.sent if self._telemetry.metering else None)
            own = {receipts_topic(self.agency), dead_letter_topic(self.agency), parked_topic(self.agency)}
            await self._transport.require_topics(own)
            self._clock_watch = ClockWatch(self._transport, receipts_topic(self.agency))
            await self._clock_watch.start()
            await self._follow()
            self._renew()  # which versions are retired is up to the broker's day, as grants are
            if missing := self._not_granted():
                raise next(iter(missing.values()))
            await self._transport.require_topics(
                {topic for subscription in self._subscriptions.values() for topic in subscription.expected}
            )
            self._sunsets.start()
            self._grants.start()
            if self._subscriptions:
                self._watchdog = Watchdog(self._at_work, self._telemetry.stalled)
                self._watchdog.start()
                self._parking = ParkingLog(self._transport, parked_topic(self.agency), str(uuid7()))
                await self._parking.start()
                for subscription in self._subscriptions.values():
                    self._subscribers.append(self._make_subscriber(subscription, self._parking))
            begun = [subscriber.start() for subscriber in self._subscribers]
            # All of them come to an end before any is stopped: none joins its group afterwards.
            for fault in await asyncio.gather(*begun, return_exceptions=True):
                if fault is not None:
                    raise fault
        except BaseException:
            await self.stop()
            raise
        logger.info("%s", self._introduction())

    def _require_sound_grants(self) -> None:
        """Refuse to read without grants where the cluster knows who reads, and say so elsewhere."""
        if self.settings.grants == "check":
            return
        if not self._is_open:
            raise UsageError(
                "Expected `check` on a cluster that asks who reads, or has a signed registry, got `off` - at "
                "setting `grants`"
            )
        logger.warning("%s reads without a look at its grants: GOVBUS_GRANTS is off", self.agency)

    @property
    def _is_open(self) -> bool:
        """Whether the cluster asks nobody who he is."""
        settings = self.settings
        return settings.security_protocol == "PLAINTEXT" and settings.registry_public_key is None

    def _fields_for(self, subscription: Subscription) -> tuple[str, ...]:
        if self.settings.grants == "off":
            return EVERYTHING
        reading = Reading(self.agency, subscription.topic, subscription.purpose)
        fields = fields_for(self.catalog, reading, self._today())
        if subscription.model is not None:
            subscription.model.require_enough(fields, subscription.topic)
        return fields

    def _not_granted(self) -> dict[str, NotGrantedError]:
        """Return the subscriptions without a grant in force, and why each has none."""
        found = {}
        for name, subscription in self._subscriptions.items():
            try:
                self._fields_for(subscription)
            except NotGrantedError as error:
                play = ". To play on this cluster without grants: GOVBUS_GRANTS=off" if self._is_open else ""
                found[name] = NotGrantedError(f"{error}{play}")
        return found

    def _end(self, name: str, error: NotGrantedError) -> None:
        for subscriber in self._subscribers:
            if subscriber.subscription.name == name:
                subscriber.end(error)

    def _introduction(self) -> str:
        """Return, in one line, what the bus reads, where and as whom."""
        reads = [f"{one.topic} for `{one.purpose}` as {one.group}" for one in self._subscriptions.values()]
        told = f"{self.agency} has started, {'reads ' + '; '.join(reads) if reads else 'reads nothing'} - "
        if self.catalog_folder is not None:
            told += f"catalogue {shown_folder(self.catalog_folder)}, "
        if not isinstance(self._transport, KafkaTransport):
            return told + "in memory"
        settings = self.settings
        user = settings.sasl_username or ("its certificate" if settings.ssl_certfile else "none: no login")
        name = f", instance {settings.instance}" if settings.instance else ""
        return told + f"at {settings.bootstrap_servers}, user {user}{name}"

    def _require_not_started(self, place: str) -> None:
        if self._started:
            raise UsageError(f"Expected a bus that is not started, got one that is - at `{place}`")

    def _at_work(self, task: "asyncio.Task[Any] | None") -> list[str]:
        subscribers = list(self._subscribers)
        just_that = [one for one in subscribers if one.handles_in(task)]
        return [one.subscription.name for one in just_that or subscribers if one.at_work]

    async def _follow(self) -> None:
        if self._trusted is not None:
            refused = self._telemetry.registry_refused
            grow = self._context.spreading.grow
            self._follower = Follower(self._transport, self._trusted, self.adopt, grow, refused)
            self._context.learn = self._follower.learn
            self._context.spreading.is_fresh = self._follower.is_fresh
            await self._follower.start()

    def adopt(self, catalog: Catalog) -> None:
        """Use a newer catalogue; its versions can be published and read at once.

        Which topics a subscription reads changes at the next start. Its handler sees what is granted from now
        on; one without a grant any more ends within a minute.

        Args:
            catalog: the newer catalogue; it is ignored if it does not contain this agency.
        """
        if self.agency not in catalog.agencies:
            logger.warning("a catalogue without agency `%s` is ignored", self.agency)
            return
        self.catalog = self._context.catalog = self._sunsets.catalog = catalog
        self._context.spreading.adopt(catalog)
        self._publisher.adopt(catalog)
        self._renew()
        for subscriber in self._subscribers:
            subscriber.adopt(self._subscriptions[subscriber.subscription.name], catalog)
        self._sunsets.tell()
        self._grants.changed()

    def _renew(self) -> None:
        for name, subscription in self._subscriptions.items():
            fields = subscription.fields
            with suppress(NotGrantedError):  # it is refused at start, or ends
                fields = self._fields_for(subscription)
            self._subscriptions[name] = renewed(subscription, self.catalog, self._today(), fields)

    def _make_subscriber(self, subscription: Subscription, parking: ParkingLog) -> Subscriber:
        delivery = Delivery(
            subscription,
            HandlerPublishing(self.settings, self.system, self._publisher, self._transport),
            self._receipts,
            self._telemetry,
            self._transport.clock,
            rows=RowWriter(self._transport, parking.topic, parking.writer, self._receipts),
            set_aside=self._set_aside,
            fetch=partial(self._transport.fetch, TopicPartition(parking.topic, 0)),
            learn=self._context.learn,
        )

        def transactions(place: TopicPartition, refused: RefusedRecords) -> ExactlyOnce:
            context, receipts = self._context, self._receipts
            return ExactlyOnce(subscription, context, parking, receipts, place, refused=refused)

        return Subscriber(
            subscription,
            self._transport,
            delivery,
            parking,
            self.settings,
            places=Places(subscription, self._transport, self._receipts),
            transactions=transactions if subscription.exactly_once else None,
        )

    async def stop(self) -> None:
        """Finish or abandon handlers within `stop_timeout_seconds`, commit what is done, disconnect.

        A handler of this bus may ask for that, too: it goes on, for so long, and the bus stops after it.
        """
        if self._ending is None or self._ending.done():
            outside = copy_context()
            outside.run(HANDLED.set, None)
            self._ending = asyncio.create_task(self._stop(), context=outside)
        if self._is_in_own_handler():
            logger.info("a handler of %s has asked the bus to stop, which follows it", self.agency)
        else:
            await self._ending

    def _is_in_own_handler(self) -> bool:
        event = HANDLED.get()
        subscribers = *self._subscribers, *self._leaving
        return event is not None and any(subscriber.handles(event) for subscriber in subscribers)

    async def _stop(self) -> None:
        self._leaving, self._subscribers = self._subscribers, []
        follower, self._follower = self._follower, None
        parking, self._parking = self._parking, None
        watch, self._clock_watch = self._clock_watch, None
        self._sunsets.stop()
        await self._grants.stop()
        if self._watchdog is not None:
            self._watchdog.stop()
        try:
            if watch is not None:
                await watch.stop()
            if follower is not None:
                await follower.stop()
            try:
                await asyncio.gather(*(subscriber.stop() for subscriber in self._leaving))
            finally:
                await self._transactions.stop()
                if parking is not None:
                    await parking.stop()
            async with asyncio.timeout(self.settings.publish_timeout_seconds):
                await self._publisher.released(self.settings.publish_timeout_seconds)
                await self._transport.drain()  # an acknowledged event still wants its receipt written
                await self._receipts.flush()
        except (BusError, TimeoutError):
            logger.warning("%s stopped before the broker had every receipt", self.agency)
        finally:
            self._publisher.ended(BusUnavailableError("the bus stopped before the event could be sent"))
            self._loop = None
            self._leaving = []
            await self._transport.stop()
            self._started = False
            logger.info("%s has stopped", self.agency)

    @property
    def subscriptions(self) -> list[Subscription]:
        """What it subscribes to."""
        return list(self._subscriptions.values())

    @property
    def serving(self) -> bool:
        """Whether the bus is started and no subscription has ended by itself."""
        return self._started and not any(subscriber.task.done() for subscriber in self._subscribers)

    @property
    def checks(self) -> Mapping[str, Check]:
        """What `run` looks at for the health of the process: whether Kafka answers, and takes what is due."""
        return {"kafka": self._kafka_fault}

    async def _kafka_fault(self) -> str | None:
        for subscriber in self._subscribers:
            if (fault := subscriber.fault) is not None:
                return fault
        await self._transport.require_whole(receipts_topic(self.agency))
        return None

    async def wait(self) -> None:
        """Wait until a subscription ends by itself; none does while all is well.

        Raises:
            BusError: why it ended, for example because its access was revoked.
            UsageError: a handler of this bus waits for it, and so for itself.
        """
        if self._is_in_own_handler():
            raise UsageError(
                "Expected to wait outside of the handlers of the bus, got a handler that waits for its own "
                "end - at `wait`. Return from it, or ask for the end of the bus by `stop`"
            )
        if self._ending is not None:
            await asyncio.wait([self._ending])
            return
        tasks = [subscriber.task for subscriber in self._subscribers]
        if not tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():  # by `stop`
                task.result()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop gracefully; start first if that is not done yet.

        Raises:
            BusError: a subscription ended by itself, for example because its access was revoked.
            SystemExit: with 78, where a newer process runs under the `GOVBUS_INSTANCE` of this one, or the
                catalogue does not grant what a subscription reads, or no longer.
            UsageError: it runs already, a handler of this bus calls it, or another event loop than its own.
        """
        if self._is_in_own_handler():
            raise UsageError("Expected to run outside of the handlers of the bus, got a handler - at `run`")
        if self._running or (self._started and self._loop is not asyncio.get_running_loop()):
            raise UsageError("Expected a bus that does not run, got one that does - at `run`")
        self._running = True
        set_up_asked_logs(self.agency)
        warn_of_unknown()
        try:
            await serve(_Begun(self) if self._started else self, self.settings)
        finally:
            self._running = False

    def as_broker(self) -> "MountedBus":
        """Return this bus as a broker for `FastStream(...)`: started, stopped and injected by the app."""
        from bus.kafka.faststream.mounted import MountedBus  # noqa: PLC0415 - loads FastStream

        return MountedBus(self)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class _Begun:
    """A bus that was started before it is served, as by `async with`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.checks, self.wait = bus.checks, bus.wait

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._bus.stop()
