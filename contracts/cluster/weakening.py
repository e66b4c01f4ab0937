"""Which change of a topic's setting takes something from those who rely on it. Pure.

Law: every setting of a Kafka topic is decided here. One that the table does not list may take anything, so
changing it needs permission like a change that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

Weaker: TypeAlias = Callable[[str, str], bool]
"""Whether the second value is weaker than the first."""

RETENTION: Final = "retention.ms"
MIN_INSYNC: Final = "min.insync.replicas"
FOR_EVER: Final = -1


def _number(value: str) -> float:
    return float("inf") if int(value) == FOR_EVER else int(value)


def _lower(before: str, after: str) -> bool:
    return _number(after) < _number(before)


def _higher(before: str, after: str) -> bool:
    return _number(after) > _number(before)


def _becomes(weak: str) -> Weaker:
    return lambda _, after: after == weak


def _removes_more(before: str, after: str) -> bool:
    """`compact` removes older events of a key, `delete` events past their retention."""
    return bool(set(after.split(",")) - set(before.split(",")))


def _never(_before: str, _after: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class TopicSetting:
    """One setting of a topic.

    Attributes:
        default: Kafka's own default, where the cluster shows no other.
        weaker: Which change needs permission.
        effect: What that change does.
    """

    default: str
    weaker: Weaker = _never
    effect: str = ""


SETTINGS: Final[Mapping[str, TopicSetting]] = {
    RETENTION: TopicSetting("604800000", _lower, "events would be deleted earlier"),
    "retention.bytes": TopicSetting("-1", _lower, "events would be deleted earlier"),
    "cleanup.policy": TopicSetting("delete", _removes_more, "events would be deleted that are kept now"),
    "min.compaction.lag.ms": TopicSetting("0", _lower, "events would be compacted earlier"),
    "delete.retention.ms": TopicSetting("86400000", _lower, "readers would miss deletions"),
    "remote.storage.enable": TopicSetting("false", _becomes("false"), "events in remote storage would go"),
    MIN_INSYNC: TopicSetting("1", _lower, "an acknowledged event would be on fewer brokers"),
    "unclean.leader.election.enable": TopicSetting(
        "false", _becomes("true"), "acknowledged events could be lost with a broker"
    ),
    "flush.messages": TopicSetting("9223372036854775807", _higher, "events would be flushed later"),
    "flush.ms": TopicSetting("9223372036854775807", _higher, "events would be flushed later"),
    "max.message.bytes": TopicSetting("1048588", _lower, "events that are published now would be refused"),
    "message.timestamp.type": TopicSetting(
        "CreateTime", _becomes("CreateTime"), "times would be those of the publishers' clocks"
    ),
    "message.timestamp.before.max.ms": TopicSetting(
        "9223372036854775807", _lower, "events that are published now would be refused"
    ),
    "message.timestamp.after.max.ms": TopicSetting(
        "3600000", _lower, "events that are published now would be refused"
    ),
    # How the broker stores and copies: nobody gains or loses an event by it.
    "compression.gzip.level": TopicSetting("-1"),
    "compression.lz4.level": TopicSetting("9"),
    "compression.type": TopicSetting("producer"),
    "compression.zstd.level": TopicSetting("3"),
    "file.delete.delay.ms": TopicSetting("60000"),
    "follower.replication.throttled.replicas": TopicSetting(""),
    "index.interval.bytes": TopicSetting("4096"),
    "leader.replication.throttled.replicas": TopicSetting(""),
    "local.retention.bytes": TopicSetting("-2"),
    "local.retention.ms": TopicSetting("-2"),
    "max.compaction.lag.ms": TopicSetting("9223372036854775807"),
    "min.cleanable.dirty.ratio": TopicSetting("0.5"),
    "preallocate": TopicSetting("false"),
    "segment.bytes": TopicSetting("1073741824"),
    "segment.index.bytes": TopicSetting("10485760"),
    "segment.jitter.ms": TopicSetting("0"),
    "segment.ms": TopicSetting("604800000"),
}


def weakenings(
    before: Mapping[str, str], after: Mapping[str, str], defaults: Mapping[str, str]
) -> Iterator[str]:
    """Yield what each change between two sets of settings takes from others.

    Args:
        before: The settings of a topic as they are.
        after: Those that it would get.
        defaults: The cluster's own defaults, as far as they are known.
    """
    for name in sorted({*before, *after}):
        if before.get(name) == after.get(name):
            continue
        setting = SETTINGS.get(name)
        if setting is None:
            yield f"what `{name}` does is not known here"
            continue
        default = defaults.get(name, setting.default)
        if setting.weaker(before.get(name, default), after.get(name, default)):
            yield setting.effect
