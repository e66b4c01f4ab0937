"""Records from Kafka: one member of a consumer group; only explicit offsets are committed."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakSet

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    KafkaError,
    KafkaTimeoutError,
    NoError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.group import HeartbeatRequest
from aiokafka.structs import OffsetAndMetadata
from aiokafka.structs import TopicPartition as KafkaPartition

from bus.errors import BusError, InstanceTakenError, UsageError
from bus.kafka.client import begin, connection, end, read_again
from bus.kafka.errors import translate
from bus.kafka.fetched import MakesRecords
from bus.kafka.fetching import FetchesById
from bus.kafka.membership import Membership
from bus.kafka.quorum import require_whole
from bus.kafka.requests import topic_ids
from bus.record import Record, TopicPartition
from bus.settings import Settings
from bus.standing import CommittedOffset, Standing
from bus.times.clock import BrokerClock
from bus.times.group_times import CLOSE_SECONDS, HEARTBEAT_SECONDS, SESSION_SECONDS, GroupTimes, group_times
from bus.transport import Consumer, Revoked
from contracts import visible_logger

logger = visible_logger("govbus.kafka")

METADATA_MS = 30_000
"""How soon a topic or partition that was added is read."""
LOOK_AROUND_MS = 1_000
"""How often aiokafka looks whether something is to be fetched that nothing has told it of."""
FAULTS = (KafkaError, ConsumerStoppedError, AssertionError, TimeoutError)
"""What aiokafka raises where it cannot do something now: also while its client ends, or is replaced."""
LOOK_SECONDS = 1.0
"""How often to look for a topic that is gone."""
HOLDS = (NoError.errno, RebalanceInProgressError.errno)
"""What a member hears that holds what it was assigned; in a rebalance it does until it joins again."""
NOWHERE = KafkaPartition("", -1)
"""A partition that no topic has, to read of none."""
BROKEN_POLLS = 3
"""After so many failures in a row that no outage explains, the group is joined anew."""


def _is_for_us(error: BaseException) -> bool:
    """Whether our own task is cancelled: aiokafka also raises the cancellation of its own tasks."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _may_be_an_outage(error: BaseException) -> bool:
    return isinstance(error, KafkaError) and (error.retriable or isinstance(error, KafkaTimeoutError))


@asynccontextmanager
async def open_consumer(
    settings: Settings | None = None, *, group: str, topics: Sequence[str] | re.Pattern[str]
) -> AsyncIterator[Consumer]:
    """Join a group that reads raw records, such as a monitor's; leave it at the end of the block.

    Args:
        settings: the cluster; from the environment if absent.
        group: the consumer group; reading begins at its committed offsets, or at the earliest record.
        topics: the topics to read. A pattern stands for every topic that it matches from the start of the
            name and that the user may read, those made later included: they are read from their earliest
            record within a minute. One member then holds the same partition numbers of all of them.

    Raises:
        UsageError: a subscription of this process reads in that group.
        BusUnavailableError: no broker answers.
        AccessDeniedError: the cluster refuses the group or the topics.
    """
    if any(one.group == group for one in _SUBSCRIBED):
        raise UsageError(
            f"Expected another group, got `{group}`, in which a subscription of this process reads. "
            "A second member would take events from it, and commit offsets of events it never handled"
        )
    consumer = KafkaConsumer(settings or Settings(), BrokerClock(), group, topics)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.close()


@asynccontextmanager
async def open_reader(settings: Settings, begins: Mapping[TopicPartition, int]) -> AsyncIterator[Consumer]:
    """Read topics in no group: nothing is committed, and no other reader notices.

    Args:
        settings: the cluster.
        begins: all partitions of the topics, and the offset at which each begins.

    Raises:
        BusUnavailableError: no broker answers.
        AccessDeniedError: the cluster refuses the user.
    """
    consumer = KafkaConsumer(settings, BrokerClock(), None, sorted({place.topic for place in begins}))
    await consumer.start()
    try:
        async with asyncio.timeout(settings.publish_timeout_seconds):
            while not begins.keys() <= set(consumer.assigned()):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(LOOK_AROUND_MS / 50_000)
        for place, offset in begins.items():
            consumer.seek(place, offset)
        yield consumer
    except TimeoutError as error:
        raise translate(error, settings.bootstrap_servers) from error
    finally:
        await consumer.close()


def wire(committed: CommittedOffset) -> Any:
    """Return a commit as aiokafka takes it."""
    return OffsetAndMetadata(committed.offset, committed.metadata)


class KafkaConsumer:
    """One consumer; see `bus.transport.Consumer`."""

    def __init__(
        self,
        settings: Settings,
        clock: BrokerClock,
        group: str | None,
        topics: Sequence[str] | re.Pattern[str],
        *,
        revoked: Revoked | None = None,
        times: GroupTimes | None = None,
    ) -> None:
        self.group = group
        self._topics = topics if isinstance(topics, re.Pattern) else list(topics)
        self._revoked = revoked
        self._settings = settings
        self._times = times or group_times()
        self._kafka: Any = None
        self._membership: Membership | None = None
        self._clock = clock
        self._next: dict[TopicPartition, int] = {}
        self._ids: dict[TopicPartition, str] = {}
        """The id of the topic that each position is of."""
        self._ids_may_differ = True
        self._fresh: set[TopicPartition] = set()
        """Partitions whose standing was not looked at since they came."""
        self._replaced: set[TopicPartition] = set()
        """Partitions of topics that were made again."""
        self._out_of_range: set[TopicPartition] = set()
        self._given_back: Collection[Any] | None = None
        """The assignment whose partitions were given back; aiokafka keeps it until the next has come."""
        self._named: tuple[Collection[Any], Collection[TopicPartition]] = (), ()
        """The latest assignment, as aiokafka has it and as the bus does: it is asked for at every turn."""
        self._looking: asyncio.TimerHandle | None = None
        self._astray = False
        self._broken = 0

    async def start(self) -> None:
        """Join the group."""
        if self._revoked is not None:
            _SUBSCRIBED.add(self)
        self._kafka = AIOKafkaConsumer(
            **connection(self._settings),
            group_id=self.group,
            enable_auto_commit=False,
            # A subscription is told what it misses; see `displaced`.
            auto_offset_reset="earliest" if self._revoked is None else "none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=1_048_576,
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_SECONDS * 1000),
            rebalance_timeout_ms=int(self._times.rebalance_seconds * 1000),
            max_poll_interval_ms=int(self._times.idle_seconds * 1000),
            group_instance_id=None if self.group is None else self._settings.instance,
            metadata_max_age_ms=METADATA_MS,
            consumer_timeout_ms=LOOK_AROUND_MS,
            partition_assignment_strategy=[self._assignor()],
        )
        if self.group is not None:
            instance, seconds = self._settings.instance, self._times.answer_seconds
            self._membership = Membership(self._kafka._client, instance, seconds)  # noqa: SLF001 - no public way
        if self._revoked is not None:
            FetchesById(self._kafka._client, self._ids)  # noqa: SLF001 - no public way
        topics, pattern = (self._topics, None) if isinstance(self._topics, list) else ((), self._topics)
        self._kafka.subscribe(topics, pattern, _Listener(self._give_back, self._fresh))
        # Whatever makes aiokafka ask for metadata, such as a deleted topic, may have changed a topic's id.
        self._kafka._client.cluster.add_listener(self._metadata_came)  # noqa: SLF001 - no public way
        try:
            clock = None if self.group is None else self._clock
            await begin(self._kafka, self._settings, self._where, clock)
        except BusError:
            self.require_name()
            raise
        if self._revoked is not None:
            MakesRecords(self._kafka._fetcher)  # noqa: SLF001 - no public way

    def require_name(self) -> None:
        """Fail where a newer process has taken the name of this one."""
        if self._membership is not None and self._membership.is_fenced:
            raise InstanceTakenError(self.group or "", self._settings.instance or "")

    def _fault(self, error: BaseException) -> BusError:
        self.require_name()
        return translate(error, self._where)

    @property
    def _where(self) -> str:
        """What an error names: the group, or the topics of a reader without one."""
        if self.group is not None or isinstance(self._topics, re.Pattern):
            return f"group `{self.group}`"
        return f"topic {', '.join(f'`{topic}`' for topic in self._topics)}"

    def _assignor(self) -> Any:
        # By range, partition n of every topic goes to the same member.
        return RangePartitionAssignor if isinstance(self._topics, re.Pattern) else RoundRobinPartitionAssignor

    async def close(self) -> None:
        """Leave the group."""
        if self._kafka is None:
            return
        if self._looking is not None:
            self._looking.cancel()
        _SUBSCRIBED.discard(self)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await end(self._kafka)
        except TimeoutError:
            logger.warning(
                "group `%s` could not be left; the broker will notice by its session timeout", self.group
            )
        except (asyncio.CancelledError, Exception) as error:
            if _is_for_us(error):
                raise
            if isinstance(error, Exception):
                logger.warning("group `%s` was left with an error (%s)", self.group, type(error).__name__)

    async def poll(
        self, timeout_seconds: float, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return the next records by partition."""
        self.require_name()
        try:
            if self._broken >= BROKEN_POLLS:
                await self._join_anew()
            if self._astray:
                await self._rewind()
            if self._fresh and self._revoked is None:
                await self._take_up()
            found = await self._poll(int(timeout_seconds * 1000), max_records)
            if self._ids_may_differ:
                found = await self._of_same_topics(found)
        except NoOffsetForPartitionError:
            self._astray = True  # nobody has said yet where this partition begins
            return {}
        except OffsetOutOfRangeError as error:
            self._out_of_range |= {TopicPartition(*place) for place in error.args[0]}
            self._astray = self._ids_may_differ = True
            return {}
        except (*FAULTS, asyncio.CancelledError) as error:
            if _is_for_us(error):
                raise
            self._astray = True
            self._broken = 0 if _may_be_an_outage(error) else self._broken + 1
            raise self._fault(error) from error
        self._broken = 0
        return found

    async def _join_anew(self) -> None:
        """Start a new client: aiokafka's is unusable after one of its own tasks has ended."""
        logger.warning(
            "group `%s` is joined again with a new client, since the old one has ended", self.group
        )
        held = self.assigned()
        if self._revoked is not None and held:
            await self._revoked(held)
        self._next.clear()
        await self.close()
        self._broken, self._astray = 0, False
        await self.start()

    async def _poll(self, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, Sequence[Record]]:
        try:
            if isinstance(self._topics, re.Pattern):
                batches = await self._poll_fairly(timeout_ms, max_records)
            else:
                batches = await self._poll_unpaused(timeout_ms, max_records)
        except UnicodeDecodeError:
            places = self._kafka.assignment()
            read_again(self._kafka, {place: await self._begin_of(place) for place in places})
            return {}
        found = {TopicPartition(*place): records for place, records in batches.items()}
        for place, records in found.items():
            self._next[place] = records[-1].offset + 1
        return found

    async def _poll_unpaused(self, timeout_ms: int, max_records: int) -> dict[Any, list[Record]]:
        """Leave what was fetched of paused partitions: aiokafka throws it away, and would fetch it again."""
        places: set[Any] = set()
        if paused := self._kafka.paused():
            fetched: dict[Any, Any] = self._kafka._fetcher._records  # noqa: SLF001 - no public way
            for place in paused & fetched.keys():
                fetched[place]._backoff = 0  # noqa: SLF001 - else nothing of its broker is fetched meanwhile
            places = (self._kafka.assignment() - paused) or {NOWHERE}
        found: dict[Any, list[Record]] = await self._kafka.getmany(
            *places, timeout_ms=timeout_ms, max_records=max_records
        )
        return found

    async def _poll_fairly(self, timeout_ms: int, max_records: int) -> dict[Any, list[Record]]:
        """Take the same number of records of each topic that has some: a flood in one delays no other's."""
        fetched: dict[Any, Any] = self._kafka._fetcher._records  # noqa: SLF001 - no public way
        found: dict[Any, list[Record]] = {}
        if not fetched:
            found = await self._kafka.getmany(timeout_ms=timeout_ms, max_records=1)
        topics = defaultdict(list)
        for place in fetched:
            topics[place.topic].append(place)
        for places in topics.values():
            share = max(1, max_records // len(topics))
            for place, records in (await self._kafka.getmany(*places, max_records=share)).items():
                found.setdefault(place, []).extend(records)
        return found

    def _metadata_came(self, _: object) -> None:
        self._ids_may_differ = True  # at the next poll, since a listener cannot ask

    async def _of_same_topics(
        self, found: Mapping[TopicPartition, Sequence[Record]]
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Leave out what comes from a topic that was made again since its partitions were taken up."""
        self._ids_may_differ = False
        held = self.assigned()
        try:
            topics = {place.topic for place in {*held, *self._ids}}
            now = await topic_ids(self._kafka._client, topics, among_known=True)  # noqa: SLF001
        except BaseException:
            self._ids_may_differ = True
            for place, records in found.items():
                self._next[place] = records[0].offset
            raise
        known = self._kafka._client.cluster.topics()  # noqa: SLF001
        if isinstance(self._topics, re.Pattern):  # what is gone was left with its partitions
            self._ids = {place: id_ for place, id_ in self._ids.items() if place.topic in known}
        if any(place.topic not in now or place.topic not in known for place in self._ids):
            self._look_again()
        ids = {place: now[place.topic] for place in held if place.topic in now}
        replaced = {place for place, id_ in ids.items() if self._ids.get(place, id_) != id_}
        if self._revoked is None:
            self._ids |= ids
        for place in replaced:
            self._next.pop(place, None)
            if self._revoked is not None or self.group is None:
                self._replaced.add(place)
            if self._revoked is None:
                await self._kafka.seek_to_beginning(KafkaPartition(*place))
        return {place: records for place, records in found.items() if place not in replaced}

    def _look_again(self) -> None:
        """Ask soon for a topic that is gone: aiokafka would for the next time after `metadata_max_age_ms`."""
        loop = asyncio.get_running_loop()
        self._looking = loop.call_later(LOOK_SECONDS, self._kafka._client.force_metadata_update)  # noqa: SLF001

    async def _take_up(self) -> None:
        """Begin at the first record of a topic that was made again since this group committed."""
        fresh = self._fresh & set(self.assigned())
        for place, standing in (await self.standings(fresh)).items() if self.group is not None else ():
            committed = standing.committed
            if isinstance(self._topics, re.Pattern):
                # At once, for aiokafka would ask for the offset of one partition after the other.
                self.seek(place, standing.first if committed is None else committed.offset)
            if committed is not None and committed.topic_id not in ("", standing.topic_id):
                logger.warning(
                    "topic `%s` was made again: group `%s` begins at its first record",
                    place.topic,
                    self.group,
                )
                self.seek(place, standing.first)
        self._fresh.clear()

    async def standings(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Standing]:
        """Return how the group stands."""
        places = [KafkaPartition(*place) for place in partitions]
        if not places:
            return {}
        topics = {place.topic for place in partitions}
        kafka = self._kafka
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                ids = await topic_ids(kafka._client, topics)  # noqa: SLF001 - no public way
                if missing := topics - ids.keys():
                    raise UnknownTopicOrPartitionError(*missing)
                first = await kafka.beginning_offsets(places)
                end = await kafka.end_offsets(places)
                committed = await self._committed(places)
        except FAULTS as error:
            raise self._fault(error) from error
        refused = set(self._out_of_range)
        self._ids |= {place: ids[place.topic] for place in partitions}
        self._fresh -= set(partitions)
        self._replaced -= set(partitions)
        self._out_of_range -= set(partitions)
        return {
            TopicPartition(*place): Standing(
                ids[place.topic], int(first[place]), int(end[place]), committed.get(place), place in refused
            )
            for place in places
        }

    async def _committed(self, places: Sequence[Any]) -> dict[Any, CommittedOffset]:
        if self.group is None:
            return {}
        # `committed` of aiokafka leaves the metadata out.
        found = await self._kafka._coordinator.fetch_committed_offsets(places)  # noqa: SLF001
        return {
            place: CommittedOffset.read(at.offset, at.metadata)
            for place, at in found.items()
            if at.offset >= 0
        }

    def displaced(self) -> Collection[TopicPartition]:
        """Return the partitions whose position means nothing any more."""
        lost = self._replaced | self._out_of_range
        return lost.intersection(self.assigned()) if lost else lost

    async def _rewind(self) -> None:
        """Seek behind the records returned last: a failed call discards what it had read."""
        for place in self._kafka.assignment():
            self._kafka.seek(place, await self._begin_of(place))
        self._astray = False

    async def _begin_of(self, place: Any) -> int:
        """Return the offset to read next: behind the records returned last, else the committed one."""
        known = self._next.get(TopicPartition(*place))
        if known is None and self.group is not None:
            known = await self._kafka.committed(place)
        if known is None:
            known = (await self._kafka.beginning_offsets([place]))[place]
        return int(self._next.get(TopicPartition(*place), known))  # it may have been said meanwhile

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `offset` next."""
        self._next[partition] = offset
        self._on_held(self._kafka.seek, partition, offset)

    async def confirm(self) -> None:
        """Ask the group whether this member still holds what it was assigned."""
        coordinator = self._kafka._coordinator  # noqa: SLF001 - no public way
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                await coordinator.ensure_coordinator_known()
                request = HeartbeatRequest(self.group, coordinator.generation, coordinator.member_id)
                # aiokafka's own heartbeat would act on the answer too, here also on a late one.
                answer = await coordinator._send_req(request)  # noqa: SLF001
        except FAULTS as error:
            raise self._fault(error) from error
        if answer.error_code not in HOLDS:
            why = for_code(answer.error_code)()
            raise self._fault(why if why.retriable else CommitFailedError())

    def pause(self, partition: TopicPartition) -> None:
        """Stop reading a partition."""
        self._on_held(self._kafka.pause, partition)

    def resume(self, partition: TopicPartition) -> None:
        """Read a partition again."""
        self._on_held(self._kafka.resume, partition)

    def _on_held(self, act: Any, partition: TopicPartition, *arguments: int) -> None:
        place = KafkaPartition(*partition)
        if place in self._kafka.assignment():
            act(place, *arguments)

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset that is read next."""
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                return int(await self._kafka.position(KafkaPartition(*partition)))
        except FAULTS as error:
            raise translate(error, f"topic `{partition.topic}`") from error

    async def _give_back(self, partitions: Collection[TopicPartition]) -> None:
        """Let partitions go; a member that is not told of it holds them until the next assignment."""
        for place in partitions:
            self._next.pop(place, None)
        if self._revoked is not None and partitions:
            try:
                await self._revoked(partitions)
            finally:
                self._given_back = self._kafka.assignment()

    def assigned(self) -> Collection[TopicPartition]:
        """Return the partitions held: none from when they were given back until the next assignment."""
        held = self._kafka.assignment()
        if held is self._given_back:
            return frozenset()
        if held is not self._named[0]:
            self._named = held, frozenset(TopicPartition(*place) for place in held)
        return self._named[1]

    async def ends(self) -> Mapping[TopicPartition, int]:
        """Return where each partition held ends now, or each of the topics where none is held."""
        try:
            async with asyncio.timeout(self._settings.publish_timeout_seconds):
                found = await self._ends()
        except FAULTS as error:
            raise translate(error, self._where) from error
        return {TopicPartition(*place): int(offset) for place, offset in found.items()}

    async def _ends(self) -> Mapping[Any, int]:
        kafka = self._kafka
        if held := kafka.assignment():
            await require_whole(kafka._client, min(held).topic)  # noqa: SLF001 - the others are kept alike
            return await kafka.end_offsets(held)  # type: ignore[no-any-return] # aiokafka has no types
        topics = await kafka.topics()  # asks a broker, also where there is none of the topics yet
        known = {topic: kafka.partitions_for_topic(topic) or () for topic in kafka.subscription() & topics}
        places = [KafkaPartition(topic, number) for topic, numbers in known.items() for number in numbers]
        return await kafka.end_offsets(places) if places else {}

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit offsets; those of a partition that has left are its new holder's."""
        now_us = self._clock.now_us()
        offsets = {
            KafkaPartition(*place): wire(CommittedOffset(offset, self._ids.get(place, ""), now_us))
            for place, offset in positions.items()
            if place not in self._replaced
        }
        if not offsets:
            return
        try:
            await self._kafka.commit(offsets)
        except FAULTS as error:
            raise self._fault(error) from error


_SUBSCRIBED: WeakSet[KafkaConsumer] = WeakSet()
"""Those that run a subscription in this process."""


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes on a revocation before the partitions leave."""

    def __init__(self, revoked: Revoked, fresh: set[TopicPartition]) -> None:
        self._revoked = revoked
        self._fresh = fresh

    async def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        await self._revoked([TopicPartition(*place) for place in revoked])

    async def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        """Note which partitions came; where they begin is decided before they are read."""
        self._fresh.update(TopicPartition(*place) for place in assigned)
