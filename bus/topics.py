"""Names and settings of topics and groups, and the partition of a key. Pure."""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from bus.receipts.receipts import RECEIPTS_PARTITIONS
from contracts import Catalog

REGISTRY_TOPIC = "govbus.registry"
"""Compacted topic of the signed catalogue; running processes follow it."""
AUDIT_TOPIC = "govbus.audit"
"""Who changed the cluster, when, from which commit, and how; kept for ever."""

MONITOR_GROUP = "govbus.monitor"
"""The consumer group of monitors; those with the same database share the partitions."""

CLOCK_TOPIC = "govbus.clock"
"""The broker's time of a record to it is the time now, for who has no topic of an agency; nobody reads it."""

MAX_EVENT_BYTES = 1_048_576
"""The largest data any contract may allow."""
MAX_RECORD_BYTES = 2 * MAX_EVENT_BYTES
"""The largest record of a topic: room for the headers, which Kafka counts too."""

REPLAY = ".replay."
"""Stands between a subscription's name and a replay's id in the name of the replay's own subscription."""

DAY_MS = 86_400_000
BROKER_TIME = {"message.timestamp.type": "LogAppendTime"}
"""Latency, retention and compaction go by the broker's clock, so every topic has this."""
BY_TIME_ALONE = {"cleanup.policy": "delete", "retention.bytes": "-1"}
"""What a broker gives to topics that do not say it may remove events before their time."""
AUDIT_CONFIG = {
    **BY_TIME_ALONE,
    **BROKER_TIME,
    "max.message.bytes": str(4 * MAX_EVENT_BYTES),
    "retention.ms": "-1",
}
CLOCK_CONFIG = {**BY_TIME_ALONE, **BROKER_TIME, "retention.ms": str(DAY_MS)}
DEAD_LETTER_RETENTION_DAYS = 30
RECEIPT_RETENTION_DAYS = 30


def is_replay(subscription: str) -> bool:
    """Return whether a subscription is that of a replay, which ends with its window."""
    return REPLAY in subscription


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """A topic that the catalogue needs."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


def topic_of(subject: str, major: int) -> str:
    """Return the topic that holds one major version of one event."""
    return f"{subject}.v{major}"


def dead_letter_topic(agency: str) -> str:
    """Return the topic of the events an agency could not handle."""
    return f"{agency}.dead-letters"


def parked_topic(agency: str) -> str:
    """Return the topic of an agency's parked events."""
    return f"{agency}.parked"


def audit_topic(agency: str) -> str:
    """Return the topic that records what an agency's operators did, when and why; kept for ever."""
    return f"{agency}.audit"


def receipts_topic(agency: str) -> str:
    """Return the topic of an agency's receipts; only it may write there."""
    return f"{agency}.receipts"


RECEIPTS_TOPICS = re.compile(r"([a-z][a-z0-9-]*)\.receipts$")
"""The receipts topics of all agencies; the group is the agency that writes there."""


def checkpoints_topic(agency: str) -> str:
    """Return the compacted topic of the checkpoints of an agency's connectors; it is closed to others."""
    return f"{agency}.checkpoints"


def group_of(agency: str, subscription: str) -> str:
    """Return the consumer group of one subscription of one agency."""
    return f"{agency}.{subscription}"


def topics_of(catalog: Catalog) -> list[TopicSpec]:
    """Return every topic a catalogue needs, those of the bus itself included."""
    specs = []
    for contract in catalog.contracts.values():
        for major in sorted({version.major for version in contract.versions}):
            topic = topic_of(contract.subject, major)
            specs.append(_spec(topic, contract.partitions, contract.retention_days))
    specs += [_spec(dead_letter_topic(name), 1, DEAD_LETTER_RETENTION_DAYS) for name in catalog.agencies]
    specs += [TopicSpec(audit_topic(name), 1, AUDIT_CONFIG) for name in catalog.agencies]
    specs += [_parked(name) for name in catalog.agencies]
    specs += [
        _spec(receipts_topic(name), RECEIPTS_PARTITIONS, RECEIPT_RETENTION_DAYS) for name in catalog.agencies
    ]
    specs += [
        TopicSpec(checkpoints_topic(name), 1, {**BROKER_TIME, "cleanup.policy": "compact"})
        for name in catalog.agencies
    ]
    return specs


def _parked(agency: str) -> TopicSpec:
    return TopicSpec(
        parked_topic(agency),
        1,  # in one order, what is parked and what is released
        {
            **BROKER_TIME,
            "cleanup.policy": "compact",
            # An event as its own topic takes it, and how it stands.
            "max.message.bytes": str(3 * MAX_EVENT_BYTES),
        },
    )


def _spec(name: str, partitions: int, retention_days: float) -> TopicSpec:
    return TopicSpec(
        name,
        partitions,
        {
            **BY_TIME_ALONE,
            **BROKER_TIME,
            "retention.ms": str(int(retention_days * DAY_MS)),
            "max.message.bytes": str(MAX_RECORD_BYTES),
        },
    )


MURMUR2_SEED = 0x9747B28C
"""Kafka's own (`Utils.murmur2`)."""


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, the same as Kafka's own Java producer would.

    Formula: `toPositive(murmur2(key)) % partitions`, as in
    `org.apache.kafka.clients.producer.internals.BuiltInPartitioner`.
    """
    return (_murmur2(key, MURMUR2_SEED) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes, seed: int) -> int:
    """Return the 32-bit MurmurHash2 of `data`."""
    mixing, mask = 0x5BD1E995, 0xFFFFFFFF
    whole = len(data) & ~3
    digest = seed ^ len(data)
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        scaled = word * mixing & mask
        digest = (digest * mixing & mask) ^ ((scaled ^ scaled >> 24) * mixing & mask)
    rest = data[whole:]
    if rest:
        digest = (digest ^ int.from_bytes(rest, "little")) * mixing & mask
    digest = (digest ^ digest >> 13) * mixing & mask
    return digest ^ digest >> 15


try:
    from murmurhash2 import murmurhash2 as _murmur2  # ten times as fast
except ImportError:  # no wheel for this machine
    _murmur2 = lru_cache(maxsize=65_536)(murmur2)
