"""What a cluster has, or should have, as values: topics, access, quotas, the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic: its partitions, all settings that differ from the broker's defaults, and its copies.

    `replicas` is the number of copies of the partition that has the fewest.
    """

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1


@dataclass(frozen=True, slots=True)
class Copies:
    """The brokers that hold each event, and how many of them must before it counts as acknowledged."""

    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True, order=True)
class Access:
    """One operation that one principal may do on a resource.

    Attributes:
        principal: In Kafka's form, `User:<agency>`.
        resource: `topic`, `group`, `transactional-id` or `cluster`.
        name: The name of the resource, or a prefix of it.
        prefixed: Whether `name` is a prefix.
        operation: `read`, `write`, `describe`, ..., as Kafka names it, in lower case.
        host: The client's host; `*` means any.
    """

    principal: str
    resource: str
    name: str
    prefixed: bool
    operation: str
    host: str = "*"

    def covers(self, name: str) -> bool:
        """Whether it applies to a resource of this name."""
        return self.name in ("*", name) or (self.prefixed and name.startswith(self.name))

    @property
    def pattern(self) -> str:
        """The resource as text, with `*` after a prefix."""
        return f"{self.resource} {self.name}{'*' if self.prefixed else ''}"


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """One entry of the registry topic.

    Attributes:
        key: Its kind and name, such as `version/health.record-opened/1.0`.
        content: Its content as canonical JSON; empty when it is not trusted.
        sha256: For a version, the hash of its schema; otherwise empty.
        withdrawn: Whether it marks the key as removed.
        fault: Why the entry in the topic is not trusted; empty when it is.
        timestamp: When the broker took it, in its milliseconds since the epoch; 0 if it is not from a topic.
        committed: When the commit of the catalogue was made from which it was signed, in seconds since the
            epoch; 0 if that is not known.
    """

    key: str
    content: bytes
    sha256: str = ""
    withdrawn: bool = False
    fault: str = ""
    timestamp: int = field(default=0, compare=False)
    committed: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class CatalogParts:
    """The documents of a catalogue, by name: those in hand, or those that the cluster still goes by.

    Attributes:
        agencies: Its agencies.
        subscriptions: Consumer and subject of each subscription, whether its approval holds today or not.
        services: Its services.
    """

    agencies: frozenset[str] = frozenset()
    subscriptions: frozenset[tuple[str, str]] = frozenset()
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AppliedCatalog:
    """What was recorded when a catalogue was applied.

    Attributes:
        commit: Its commit; empty if that is not known.
        committed: When that was made, in seconds since the epoch; 0 if that is not known.
        spared: The principals whose access was left alone; None if nobody knows.
    """

    commit: str = ""
    committed: int = 0
    spared: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ClusterState:
    """The desired or actual state of a cluster.

    Attributes:
        topics: By name.
        access: All grants; None when the cluster has no authorizer.
        quotas: Bytes per second by user, then by Kafka's name of the quota.
        entries: The registry topic by key; None without a key to check signatures.
        unread: How many entries the registry topic has that nobody can check without a key.
        parts: The documents of the catalogue.
        brokers: How many there are.
        default_copies: What the brokers give a topic for which nobody says otherwise.
        defaults: What the brokers give to settings that a topic does not have, as far as it is known.
        counts: The partitions of each event that its publishers use, by subject.
        paused: The subjects whose publishers wait for a growth that nobody has ended.
        commit: The newest commit of the catalogue; empty if that is not known.
        committed: When the newest commit of the catalogue was made, in seconds since the epoch; 0 if that is
            not known.
        contains_applied: Whether the commit in hand contains the one that was applied last; None if git
            does not know.
        spared: Principals of the operators, whose access was left alone so far; None if nobody knows.
        subscribed: The topics that subscriptions read.
        offsets_retention_minutes: How long each broker keeps the offsets of a group that has stopped, by its
            number; without those that do not tell.
    """

    topics: Mapping[str, TopicState] = field(default_factory=dict)
    access: frozenset[Access] | None = frozenset()
    quotas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    entries: Mapping[str, RegistryEntry] | None = None
    unread: int = 0
    parts: CatalogParts = CatalogParts()
    brokers: int = 1
    default_copies: Copies = Copies(1, 1)
    defaults: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    commit: str = ""
    committed: int = 0
    contains_applied: bool | None = None
    spared: frozenset[str] | None = frozenset()
    subscribed: frozenset[str] = frozenset()
    offsets_retention_minutes: Mapping[int, int] = field(default_factory=dict)
