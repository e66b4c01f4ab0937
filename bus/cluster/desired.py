"""The cluster that a catalogue describes: topics, access per agency, quotas. Pure.

Law: deny by default. A principal has the rights listed here and no others; further rights are granted in the
catalogue. `read` and `write` include Describe, and `write` includes what an idempotent producer needs.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from bus.grants.topics import expectations
from bus.topics import (
    AUDIT_CONFIG,
    AUDIT_TOPIC,
    BROKER_TIME,
    CLOCK_CONFIG,
    CLOCK_TOPIC,
    MAX_EVENT_BYTES,
    MONITOR_GROUP,
    RECEIPTS_TOPICS,
    REGISTRY_TOPIC,
    TopicSpec,
    audit_topic,
    checkpoints_topic,
    dead_letter_topic,
    parked_topic,
    receipts_topic,
    topic_of,
    topics_of,
)
from contracts import (
    Access,
    Catalog,
    CatalogParts,
    ClusterState,
    ContractError,
    PlanScope,
    RegistryEntry,
    SubscriptionGrant,
    TopicState,
    copies_for,
    counts_of,
    registered_parts,
)

MONITOR = "govbus-monitor"
"""The user that reads the receipts of all agencies; it may read no event."""
OWN_TOPICS = frozenset({REGISTRY_TOPIC, AUDIT_TOPIC, CLOCK_TOPIC})

PUBLISH_BYTES_PER_SECOND, READ_BYTES_PER_SECOND = 10_485_760, 52_428_800
"""Quotas of each agency on each broker, where neither the catalogue nor the cluster says."""
MIN_INSYNC = "min.insync.replicas"
_REGISTRY = {**BROKER_TIME, "cleanup.policy": "compact", "max.message.bytes": str(4 * MAX_EVENT_BYTES)}
OPERATORS_TOPICS = (
    TopicSpec(REGISTRY_TOPIC, 1, _REGISTRY),
    TopicSpec(AUDIT_TOPIC, 1, AUDIT_CONFIG),
    TopicSpec(CLOCK_TOPIC, 1, CLOCK_CONFIG),
)
"""What operators and the monitor write to."""

_EVENT_TOPIC = re.compile(r"([a-z0-9-]+\.[a-z0-9-]+)\.v[1-9][0-9]*")
_AGENCY_TOPIC = re.compile(
    r"([a-z0-9-]+)\.(?:audit|checkpoints|dead-letters|parked|receipts|[a-z0-9-]+\.v[1-9][0-9]*)"
)


def principal(user: str) -> str:
    """Return the name of a user in Kafka's access lists."""
    return f"User:{user}"


def desired_state(
    catalog: Catalog,
    today: date,
    entries: Mapping[str, RegistryEntry] | None = None,
    found: ClusterState | None = None,
) -> ClusterState:
    """Return the cluster that a catalogue describes.

    Args:
        catalog: the contracts and subscriptions.
        today: the date on which grants must be in force.
        entries: of the registry topic; None if it is left alone.
        found: the cluster as it is; it decides about copies where the catalogue does not.
    """
    access = {grant for agency in catalog.agencies for grant in _own(catalog, agency)}
    reads = {
        (subscription.consumer, topic)
        for subscription in catalog.subscriptions.values()
        if subscription.holds_on(today) and subscription.consumer in catalog.agencies
        for topic in _readable(catalog, subscription, today)
    }
    access |= {_may("read", agency, "topic", topic) for agency, topic in reads}
    found = found or ClusterState()
    policy = catalog.cluster
    quota = {
        name: float(said or _usual_quota(catalog, found, name) or default)
        for name, said, default in (
            ("producer_byte_rate", policy.publish_bytes_per_second, PUBLISH_BYTES_PER_SECOND),
            ("consumer_byte_rate", policy.read_bytes_per_second, READ_BYTES_PER_SECOND),
        )
    }
    return ClusterState(
        topics=desired_topics(catalog, found),
        counts={subject: contract.partitions for subject, contract in catalog.contracts.items()},
        access=frozenset(access | set(_monitor(catalog))),
        quotas=dict.fromkeys(catalog.agencies, quota),
        entries=entries,
        parts=CatalogParts(
            frozenset(catalog.agencies),
            frozenset((grant.consumer, grant.subject) for grant in catalog.subscriptions.values()),
            frozenset(catalog.services),
        ),
        subscribed=frozenset(topic for _, topic in reads),
    )


def _usual_quota(catalog: Catalog, found: ClusterState, name: str) -> float:
    """What more than half of the agencies have; 0 if there is no such value."""
    held = Counter(found.quotas.get(agency, {}).get(name, 0.0) for agency in catalog.agencies)
    return next((rate for rate, agencies in held.items() if 2 * agencies > len(catalog.agencies)), 0.0)


def parts_in_force(found: ClusterState, registered: Mapping[str, RegistryEntry] | None) -> CatalogParts:
    """Return the documents that the cluster goes by.

    Args:
        found: the cluster as it is. Where there is no registry, what agencies may do tells which there are,
            and what they subscribe to.
        registered: the registry topic; None if it is left alone.
    """
    if (parts := registered_parts(registered or {})).agencies:
        return parts
    access = [one for one in found.access or () if one.resource == "topic" and not one.prefixed]
    agencies = frozenset(
        match[1]
        for one in access
        if one.principal == principal(MONITOR) and (match := RECEIPTS_TOPICS.match(one.name))
    )
    reads = ((one.principal.removeprefix("User:"), one.name) for one in access if one.operation == "read")
    return CatalogParts(
        agencies,
        frozenset(
            (consumer, event[1])
            for consumer, topic in reads
            if consumer in agencies and (event := _EVENT_TOPIC.fullmatch(topic))
        ),
    )


def desired_topics(catalog: Catalog, found: ClusterState) -> dict[str, TopicState]:
    """Return every topic of a catalogue, by name, with its copies.

    Args:
        catalog: the contracts.
        found: the cluster as it is. Where the catalogue says nothing of copies, no topic has fewer than now.
    """
    specs = {spec.name: spec for spec in (*topics_of(catalog), *OPERATORS_TOPICS)}
    copies = copies_for(catalog.cluster, found, specs)
    policy = catalog.cluster
    topics = {}
    for spec in specs.values():
        replicas, in_sync = copies.replicas, copies.in_sync
        if (now := found.topics.get(spec.name)) is not None:
            if policy.replication_factor is None:
                replicas = max(replicas, now.replicas)
            if policy.min_insync_replicas is None:
                in_sync = max(in_sync, int(now.config.get(MIN_INSYNC, found.default_copies.in_sync)))
        config = {**spec.config, MIN_INSYNC: str(in_sync)}
        topics[spec.name] = TopicState(spec.name, spec.partitions, config, replicas)
    return topics


def _own(catalog: Catalog, agency: str) -> Iterator[Access]:
    """The rights of every agency: publish its own events, write receipts, commit its own offsets."""
    for contract in catalog.contracts.values():
        if contract.agency == agency:
            for major in {version.major for version in contract.versions}:
                yield _may("write", agency, "topic", topic_of(contract.subject, major))
    for topic, operations in (
        (dead_letter_topic(agency), ("read", "write")),
        (parked_topic(agency), ("read", "write")),
        (receipts_topic(agency), ("read", "write")),
        (checkpoints_topic(agency), ("read", "write")),
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


def _monitor(catalog: Catalog) -> Iterator[Access]:
    for agency in catalog.agencies:
        yield _may("read", MONITOR, "topic", receipts_topic(agency))
        yield from _told_of(dead_letter_topic(agency))
    for contract in catalog.contracts.values():
        for major in {version.major for version in contract.versions}:
            yield from _told_of(topic_of(contract.subject, major))
    yield _may("read", MONITOR, "topic", REGISTRY_TOPIC)
    yield _may("write", MONITOR, "topic", CLOCK_TOPIC)
    yield _may("read", MONITOR, "group", MONITOR_GROUP, prefixed=True)


def _told_of(topic: str) -> Iterator[Access]:
    """The rights to ask where a topic ends, and whose times it keeps, without a look at an event."""
    yield _may("describe", MONITOR, "topic", topic)
    yield _may("describe-configs", MONITOR, "topic", topic)


def _may(operation: str, user: str, resource: str, name: str, *, prefixed: bool = False) -> Access:
    return Access(principal(user), resource, name, prefixed, operation)


def counts_in_force(
    catalog: Catalog, found: ClusterState, registered: Mapping[str, RegistryEntry] | None
) -> dict[str, int]:
    """Return over how many partitions the publishers of each event spread its keys now.

    Args:
        catalog: the catalogue in hand.
        found: the cluster as it is.
        registered: the registry topic; None if it is left alone. What it does not say, the topics do, as far
            as they have fewer partitions than the catalogue wants.
    """
    counts = {}
    for subject, contract in catalog.contracts.items():
        topics = (topic_of(subject, major) for major in {version.major for version in contract.versions})
        held = [found.topics[topic].partitions for topic in topics if topic in found.topics]
        counts[subject] = min([contract.partitions, *held])
    return counts | counts_of((registered or {}).values())


def scope_of(catalog: Catalog, registered: Iterable[str]) -> PlanScope:
    """Return which topics and principals the catalogue decides about.

    Args:
        catalog: the catalogue.
        registered: keys of the registry topic; it still has the agencies that left the catalogue.
    """
    once = {key.removeprefix("agency/") for key in registered if key.startswith("agency/")}
    agencies = frozenset({*catalog.agencies, *once})

    def owns(topic: str) -> bool:
        match = _AGENCY_TOPIC.fullmatch(topic)
        return topic in OWN_TOPICS or (match is not None and match[1] in agencies)

    principals = frozenset(map(principal, (*agencies, MONITOR)))
    return PlanScope(agencies, owns, principals, frozenset(catalog.cluster.spared_principals or ()))
