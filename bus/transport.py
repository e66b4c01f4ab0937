"""What the bus needs of a cluster: implemented by Kafka in `bus/kafka/`, in memory in `bus/testing.py`."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol, Self

from bus.errors import BusError
from bus.record import Headers, Record, TopicPartition
from bus.standing import CommittedOffset, Standing
from bus.times.clock import BrokerClock
from bus.times.group_times import GroupTimes

CLIENT_ID = "govbus"
"""The name that Kafka clients of the bus give themselves."""

Revoked = Callable[[Collection[TopicPartition]], Awaitable[None]]
"""Called before partitions leave this consumer; what it awaits still happens under the old ownership."""


Measure = Callable[[str, int, float, str | None], None]
"""Takes the topic, the number of records, the seconds they took, and the class of the error, if any."""


class Outgoing(ABC):
    """A record on its way out. It is acknowledged, alone or with others of its batch, or failed, once.

    Subclasses define what follows; both are called in the event loop and must not block.
    """

    __slots__ = ("headers", "key", "partition", "topic", "value")

    def __init__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
        partition: int | None = None,
    ) -> None:
        self.topic = topic
        self.key = key
        self.value = value
        self.headers = headers
        self.partition = partition

    @abstractmethod
    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:
        """Called with the record's partition and offset; `timestamp` is broker time in milliseconds.

        `offset` is -1 if the broker confirms a repeated batch whose offset it no longer knows.
        """

    @classmethod
    def all_acknowledged(cls, records: Sequence[Self], partition: int, offset: int, timestamp: int) -> None:
        """Called with the records of a batch, all of this class; they lie one behind the other from `offset`.

        Args:
            records: at least one.
            partition: their partition.
            offset: that of the first, or -1 as in `acknowledged`.
            timestamp: broker time in milliseconds.
        """
        for at, record in enumerate(records, offset):
            record.acknowledged(partition, at if offset >= 0 else -1, timestamp)

    @abstractmethod
    def failed(self, error: BusError) -> None:
        """Called with the reason why the record was not acknowledged."""


class Consumer(Protocol):
    """One member of a consumer group."""

    async def start(self) -> None:
        """Join the group; reading begins at the committed offsets, or at the earliest record."""

    async def close(self) -> None:
        """Leave the group; calls the revocation callback first."""

    async def poll(
        self, timeout_seconds: float, max_records: int
    ) -> Mapping[TopicPartition, Sequence[Record]]:
        """Return the next records by partition, or nothing after `timeout_seconds`.

        Raises:
            BusUnavailableError: no broker answers.
            InstanceTakenError: a newer process runs under the name of this one.
        """

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Read `offset` next from `partition`."""

    async def confirm(self) -> None:
        """Ask the group whether this member is still the one that holds what it was assigned.

        Raises:
            BusUnavailableError: it is not, until it has joined again; or the cluster does not answer.
            InstanceTakenError: a newer process runs under the name of this one.
        """

    def require_name(self) -> None:
        """Fail, without asking, where it was heard that a newer process runs under the name of this one.

        Raises:
            InstanceTakenError: it does.
        """

    def pause(self, partition: TopicPartition) -> None:
        """Return no records of `partition` until it is resumed."""

    def resume(self, partition: TopicPartition) -> None:
        """Return records of `partition` again."""

    async def position(self, partition: TopicPartition) -> int:
        """Return the offset that is read next, behind aborted records and markers."""

    def assigned(self) -> Collection[TopicPartition]:
        """Return the partitions this member holds: none between a revocation and the next assignment."""

    async def ends(self) -> Mapping[TopicPartition, int]:
        """Ask where each partition held ends now, or each of the topics where none is held.

        Raises:
            BusUnavailableError: the cluster does not answer for all of them, or could take no commit.
        """

    async def standings(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, Standing]:
        """Return how the group stands in partitions; what is read from now on is of the topics they name.

        Raises:
            BusUnavailableError: the cluster does not answer, or a topic is not there.
        """

    def displaced(self) -> Collection[TopicPartition]:
        """Return the partitions whose position means nothing any more, until `standings` is asked for them.

        Their topic was made again, or the record at the position is gone. A consumer that belongs to no
        subscription goes on at the first record by itself.
        """

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Commit the next offset of each partition, but none of a topic that was made again since.

        Raises:
            BusUnavailableError: it could not be done now, or a partition is no longer held; the events
                come again, here or elsewhere.
        """


class Offsets(Protocol):
    """What a cluster says of its topics to who may describe them.

    Each method raises `BusUnavailableError` if the cluster does not answer in time.
    """

    async def partitions(self, topics: Collection[str]) -> Mapping[str, int]:
        """Return how many partitions each topic has, 0 if it is not there.

        One of which this user may not know is left out.
        """

    async def begins(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the offset of each partition's first record."""

    async def ends(self, places: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Return the high watermark of each partition, open transactions included."""

    async def offsets_at(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Return the offset of each partition's first record at or after a time (ms), else its end."""

    async def are_undated(self, topics: Collection[str]) -> Mapping[str, bool]:
        """Return whether each topic keeps the times that publishers give, instead of the brokers'.

        A topic that is not there, or whose settings this user may not know, is left out.
        """


class Sender(Protocol):
    """Sends records.

    Attributes:
        answer_seconds: how long whoever waits for an acknowledgement waits: `publish_timeout_seconds`.
    """

    answer_seconds: float

    @property
    def unacknowledged(self) -> int:
        """Records handed to `send` that have neither been acknowledged nor failed."""

    def send(self, outgoing: Outgoing) -> None:
        """Take a record to send, in order per partition; never blocks."""


class Transactional(Sender, Protocol):
    """A transactional producer: its records are committed together, or not at all."""

    @property
    def fault(self) -> BusError | None:
        """Why its open transaction can only be aborted; None where nothing of it was refused."""

    async def start(self) -> None:
        """Take over the transactional id: the previous holder can commit nothing more.

        Raises:
            BusUnavailableError: no broker answers.
            AccessDeniedError: the cluster does not allow this transactional id.
        """

    async def begin(self) -> None:
        """Begin a transaction.

        Raises:
            FencedError: another process has taken over.
        """

    async def drain(self) -> None:
        """Wait until every record handed over is acknowledged or failed."""

    async def commit(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit all records, and with them the offsets of a group.

        Args:
            group: the consumer group; it may be empty if `positions` are.
            positions: the next offset of each partition, and of which topic.

        Raises:
            FencedError: another process has taken over; nothing is committed.
            BusError: it is not known whether they are committed; read the committed offsets.
        """

    async def abort(self) -> None:
        """Abort; what cannot be aborted now is aborted when the next holder starts."""

    async def stop(self) -> None:
        """Disconnect."""


class Transport(Sender, Protocol):
    """A cluster."""

    clock: BrokerClock

    async def start(self, measure: Measure | None = None) -> None:
        """Connect; `measure` is called for every acknowledged or failed batch.

        Raises:
            BusUnavailableError: no broker answers.
        """

    async def drain(self) -> None:
        """Wait until every record handed over is acknowledged or failed."""

    async def stop(self) -> None:
        """Disconnect; unacknowledged records fail."""

    def consumer(
        self,
        group: str,
        topics: Sequence[str],
        revoked: Revoked | None = None,
        times: GroupTimes | None = None,
    ) -> Consumer:
        """Return a member of `group`, not yet started.

        Args:
            group: the consumer group.
            topics: what it reads.
            revoked: called before partitions leave.
            times: how long that may take; those of a member without handlers if absent.
        """

    def reader(self, topic: str) -> Consumer:
        """Return a consumer of a whole topic from its beginning, in no group; not yet started."""

    async def require_topics(self, topics: Collection[str]) -> None:
        """Check that topics exist.

        Raises:
            TopicMissingError: one does not.
        """

    async def read_all(self, topic: str) -> Sequence[Record]:
        """Return every record a topic holds now, oldest first."""

    async def ends(self, topic: str) -> Mapping[TopicPartition, int]:
        """Return the high watermark of each partition, open transactions included."""

    async def require_whole(self, topic: str) -> None:
        """Check that a topic can be read and written now.

        Raises:
            BusUnavailableError: brokers are away without which it cannot; the message names them.
        """

    async def fetch(self, place: TopicPartition, offset: int) -> Record:
        """Return one record that is known to exist.

        Raises:
            BusUnavailableError: it could not be read in time.
        """

    def transactional(self, identity: str) -> Transactional:
        """Return a transactional producer under an id that one process holds at a time; not yet started."""

    async def offsets_at(self, topic: str, timestamp: int) -> Mapping[TopicPartition, int]:
        """Return the offset of each partition's first record at or after broker time `timestamp` (ms).

        If there is none, it is the offset that the next record will have.
        """

    async def topic_ids(self, topics: Collection[str]) -> Mapping[str, str]:
        """Return the id of each topic that exists; a topic that is made again has another one.

        Raises:
            AccessDeniedError: this user may not know of one.
        """

    async def bounds(self, topic: str) -> Mapping[TopicPartition, tuple[int, int]]:
        """Return the first offset that each partition still has, and where what is committed ends."""

    def read(self, windows: Mapping[TopicPartition, tuple[int, int]]) -> AsyncIterator[Record]:
        """Yield the committed records from the first to before the second offset of each partition.

        The second is at most that of `bounds`.
        """

    async def committed(self, group: str, topic: str) -> Mapping[TopicPartition, int]:
        """Return the offset at which a group reads on in each partition; 0 if it has not begun."""

    async def preset(self, group: str, positions: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit the offsets at which a group without members will begin.

        Raises:
            BusUnavailableError: it could not be done.
        """
