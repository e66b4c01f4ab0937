"""The cluster that a catalogue describes: topics, access per agency, quotas. Pure.

Law: deny by default. A principal has the rights listed here and no others; further rights are granted in the
catalogue. `read` and `write` include Describe, and `write` includes what an idempotent producer needs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from bus.deliver.versions import expectations
from bus.receipts.receipts import RECEIPTS_TOPIC
from bus.settings import Settings
from bus.topics import (
    AUDIT_TOPIC,
    CHECKPOINTS_TOPIC,
    MAX_EVENT_BYTES,
    REGISTRY_TOPIC,
    audit_topic,
    dead_letter_topic,
    parked_topic,
    topic_of,
    topics_of,
)
from contracts import (
    Access,
    Catalog,
    ClusterState,
    ContractError,
    PlanScope,
    RegistryEntry,
    SubscriptionGrant,
    TopicState,
)

MONITOR = "govbus-monitor"
"""The user that reads receipts; it may read no event."""
OWN_TOPICS = frozenset({RECEIPTS_TOPIC, CHECKPOINTS_TOPIC, REGISTRY_TOPIC, AUDIT_TOPIC})

_EVENT_TOPIC = re.compile(r"([a-z0-9-]+)\.(?:audit|dead-letters|parked|[a-z0-9-]+\.v[1-9][0-9]*)")


def principal(user: str) -> str:
    """Return the name of a user in Kafka's access lists."""
    return f"User:{user}"


def desired_state(
    catalog: Catalog, settings: Settings, today: date, entries: Mapping[str, RegistryEntry] | None
) -> ClusterState:
    """Return the cluster that a catalogue describes.

    Args:
        catalog: the contracts and subscriptions.
        settings: copies, quotas.
        today: the date on which grants must be in force.
        entries: of the registry topic; None if it is left alone.
    """
    access = {grant for agency in catalog.agencies for grant in _own(catalog, agency)}
    access |= {
        _may("read", subscription.consumer, "topic", topic)
        for subscription in catalog.subscriptions.values()
        if subscription.holds_on(today) and subscription.consumer in catalog.agencies
        for topic in _readable(catalog, subscription, today)
    }
    quota = {
        "producer_byte_rate": float(settings.agency_publish_bytes_per_second),
        "consumer_byte_rate": float(settings.agency_read_bytes_per_second),
    }
    return ClusterState(
        topics={topic.name: topic for topic in _topics(catalog, settings)},
        access=frozenset(access | set(_monitor())),
        quotas=dict.fromkeys(catalog.agencies, quota),
        entries=entries,
    )


def _topics(catalog: Catalog, settings: Settings) -> Iterator[TopicState]:
    copies = {"min.insync.replicas": str(settings.min_insync_replicas)}
    for spec in topics_of(catalog):
        yield TopicState(spec.name, spec.partitions, {**spec.config, **copies})
    room = {
        **copies,
        "max.message.bytes": str(4 * MAX_EVENT_BYTES),
        "message.timestamp.type": "LogAppendTime",
    }
    yield TopicState(REGISTRY_TOPIC, 1, {**room, "cleanup.policy": "compact"})
    yield TopicState(AUDIT_TOPIC, 1, {**room, "retention.ms": "-1"})


def _own(catalog: Catalog, agency: str) -> Iterator[Access]:
    """The rights of every agency: publish its own events, write receipts, commit its own offsets."""
    for contract in catalog.contracts.values():
        if contract.agency == agency:
            for major in {version.major for version in contract.versions}:
                yield _may("write", agency, "topic", topic_of(contract.subject, major))
    for topic, operations in (
        (dead_letter_topic(agency), ("read", "write")),
        (parked_topic(agency), ("read", "write")),
        (RECEIPTS_TOPIC, ("write",)),
        (CHECKPOINTS_TOPIC, ("read", "write")),
        (REGISTRY_TOPIC, ("read",)),
        (audit_topic(agency), ("read", "write")),
    ):
        for operation in operations:
            yield _may(operation, agency, "topic", topic)
    yield _may("read", agency, "group", f"{agency}.", prefixed=True)
    yield _may("write", agency, "transactional-id", f"{agency}.", prefixed=True)


def _readable(catalog: Catalog, subscription: SubscriptionGrant, today: date) -> Iterable[str]:
    """The topic of a subscription, and those of older versions whose events are upcast to it."""
    try:
        return expectations(catalog, subscription.subject, subscription.major, today)
    except ContractError:
        return ()  # lint tells that there is no such event


def _monitor() -> Iterator[Access]:
    yield _may("read", MONITOR, "topic", RECEIPTS_TOPIC)
    yield _may("read", MONITOR, "topic", REGISTRY_TOPIC)
    yield _may("read", MONITOR, "group", "govbus.monitor", prefixed=True)


def _may(operation: str, user: str, resource: str, name: str, *, prefixed: bool = False) -> Access:
    return Access(principal(user), resource, name, prefixed, operation)


def scope_of(catalog: Catalog, registered: Iterable[str], settings: Settings) -> PlanScope:
    """Return which topics and principals the catalogue decides about.

    Args:
        catalog: the catalogue.
        registered: keys of the registry topic; it still has the agencies that left the catalogue.
        settings: which principals to leave alone.
    """
    once = {key.removeprefix("agency/") for key in registered if key.startswith("agency/")}
    agencies = frozenset({*catalog.agencies, *once})

    def owns(topic: str) -> bool:
        match = _EVENT_TOPIC.fullmatch(topic)
        return topic in OWN_TOPICS or (match is not None and match[1] in agencies)

    principals = frozenset(map(principal, (*agencies, MONITOR)))
    return PlanScope(agencies, owns, principals, frozenset(settings.spared_principals))
