"""Kafka's unit, a record: bytes at an offset of a partition. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka headers: names may repeat, values may be null or binary."""


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Record(Protocol):
    """A record that a consumer returns, from any client."""

    @property
    def topic(self) -> str:
        """The topic it was read from."""

    @property
    def partition(self) -> int:
        """The partition it was read from."""

    @property
    def offset(self) -> int:
        """Its position in the partition."""

    @property
    def timestamp(self) -> int:
        """Broker time (LogAppendTime) in milliseconds since the epoch."""

    @property
    def key(self) -> bytes | None:
        """The partition key."""

    @property
    def value(self) -> bytes | None:
        """The data; null is a tombstone."""

    @property
    def headers(self) -> Headers:
        """The headers in the order they were written."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as a plain value, for the in-memory cluster and for tests."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(slots=True, eq=False)
class FetchedRecord:
    """A record of a subscription, as it was read.

    Many wait while handlers do. To the garbage collector each is one object: it keeps no note of a dictionary
    that holds text and bytes alone, while pairs would be another dozen.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    named: Headers | Mapping[str, bytes | None]
    """The headers by name, in their order; as they came where a name comes twice."""

    @property
    def headers(self) -> Headers:
        """The headers in the order they were written."""
        return tuple(self.named.items()) if isinstance(self.named, Mapping) else self.named


class Position(NamedTuple):
    """Where a record landed, and the broker's time of it in milliseconds."""

    topic: str
    partition: int
    offset: int
    timestamp: int
