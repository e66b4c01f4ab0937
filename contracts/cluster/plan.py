"""Plans the changes that make a cluster match the catalogue. Pure: two states in, ordered changes out.

Law: nothing that others rely on is reduced or removed without leave that names it, and impossible changes are
refused before any change is made. Access that the catalogue does not grant is removed first, without
permission, unless the catalogue looks like another or a broken one (`contracts.cluster.lost`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Final, Literal, TypeAlias

from contracts.cluster.lost import LEAVE, LostPart, losses, lost_policy
from contracts.cluster.state import Access, ClusterState, RegistryEntry, TopicState
from contracts.cluster.weakening import FOR_EVER, RETENTION, weakenings

Action: TypeAlias = Literal["+", "~", "-"]
Kind: TypeAlias = Literal["catalogue", "topic", "access", "quota", "growth", "entry", "offsets"]

OFFSETS_RETENTION: Final = "offsets.retention.minutes"
"""How long brokers keep the offsets of a group that has stopped."""
ALL: Final = "all"
"""Leave for every change."""
_NEVER_MINUTES: Final = 2**31 - 1
"""The highest that Kafka takes, 4,085 years."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One change to make.

    Attributes:
        action: `+` create, `~` change, `-` remove.
        kind: What is changed.
        name: The name of what is changed.
        what: Each difference, as `setting: before -> after`.
        why: The reason, or the effect on others.
        refusal: Why the change is refused; empty when it is not.
        leave: What `--allow-destroy` must name for it, for a growth with `--grow`; empty where leave changes
            nothing.
        topic: The desired topic.
        access: The grant to add or remove.
        entry: The entry to write.
        counts: For a growth, the partitions in force and those wanted.
    """

    action: Action
    kind: Kind
    name: str
    what: tuple[str, ...] = ()
    why: str = ""
    refusal: str = ""
    leave: str = ""
    topic: TopicState | None = None
    access: Access | None = None
    quota: Mapping[str, float | None] = field(default_factory=dict)
    config: Mapping[str, str | None] = field(default_factory=dict)
    entry: RegistryEntry | None = None
    counts: tuple[int, int] = (0, 0)

    def as_json(self) -> dict[str, object]:
        """The change as a flat JSON object."""
        return {
            "action": self.action, "kind": self.kind, "name": self.name, "what": list(self.what),
            "why": self.why, "refusal": self.refusal or None, "leave": self.leave or None,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes in their order, the number of unchanged items, and notes on what was not compared.

    `left` holds differences that `apply` leaves, since they do no harm or only the brokers' own configuration
    mends them; `verify` reports them.
    """

    changes: tuple[PlannedChange, ...]
    unchanged: int
    notes: tuple[str, ...] = ()
    left: tuple[PlannedChange, ...] = ()

    @property
    def refusals(self) -> tuple[PlannedChange, ...]:
        """The changes that are impossible or need permission."""
        return tuple(change for change in self.changes if change.refusal)


@dataclass(frozen=True, slots=True)
class PlanScope:
    """What a plan manages; everything else in the cluster is left alone.

    Attributes:
        agencies: All present and former agencies of the catalogue.
        owns_topic: Whether a topic of that name belongs to the bus or an agency.
        principals: Principals whose grants all come from the catalogue.
        spared: Principals of the operators, whose grants are left alone; an agency is none of them.
    """

    agencies: frozenset[str]
    owns_topic: Callable[[str], bool]
    principals: frozenset[str]
    spared: frozenset[str] = frozenset()

    def owns(self, access: Access, topics: frozenset[str]) -> bool:
        """Whether the catalogue decides about a grant found in the cluster."""
        if access.principal in self.principals:
            return True
        if access.principal in self.spared:
            return False
        if access.resource == "topic":
            return any(access.covers(topic) for topic in topics)
        if access.resource in ("group", "transactional-id"):
            if access.prefixed or access.name == "*":
                starts = (f"{agency}." for agency in self.agencies)
                return access.name == "*" or any(
                    start.startswith(access.name) or access.name.startswith(start) for start in starts
                )
            return access.name.partition(".")[0] in self.agencies
        return False


def compare_states(
    desired: ClusterState,
    observed: ClusterState,
    scope: PlanScope,
    *,
    allow_destroy: Collection[str] = (),
    grow: bool = False,
) -> Plan:
    """Return the changes that make the cluster match the catalogue.

    Args:
        desired: The state in the catalogue.
        observed: The state of the cluster.
        scope: What the catalogue manages.
        allow_destroy: Which changes have leave to take something from others, each as `KIND:NAME`, where `*`
            stands for any text; `all` is leave for all. They are removed topics and versions, what makes a
            topic keep or protect less, lower quotas, and what a catalogue lost since it was applied.
        grow: Allow pausing publishers while the partitions of their events grow.
    """
    topics = frozenset(name for name in {*desired.topics, *observed.topics} if scope.owns_topic(name))
    wanted = desired.access if observed.access is not None else None
    found = frozenset(access for access in observed.access or () if scope.owns(access, topics))
    gone = sorted(name for name in topics if name in observed.topics and name not in desired.topics)
    withdrawn = sorted(found - (wanted or frozenset()))
    changes = [
        *(_revoked(access) for access in withdrawn),
        *_topics(desired, observed),
        *(_granted(access) for access in sorted((wanted or frozenset()) - found)),
        *_quotas(desired, observed, scope),
        *_growths(desired, observed, grow=grow),
        *_entries(desired, observed),
        *(_topic_gone(observed.topics[name]) for name in gone),
    ]
    compared = len(desired.topics) + len(wanted or ()) + len(desired.quotas)
    compared += 0 if observed.entries is None else len(desired.entries or ())
    unchanged = compared - sum(change.action != "-" for change in changes)
    strangers = [access for access in withdrawn if access.principal not in scope.principals]
    lost = [_asked(_lost(loss), allow_destroy) for loss in losses(desired, observed, strangers) if changes]
    notes = [f"{loss.name}: {what}" for loss in lost if not loss.refusal for what in loss.what]
    asked = [_asked(change, allow_destroy) for change in changes]
    changes = [*(loss for loss in lost if loss.refusal), *asked]
    notes += [
        f"`--allow-destroy {one}` allows nothing of this plan"
        for one in allow_destroy
        if one != ALL and not any(fnmatchcase(change.leave, one) for change in (*lost, *asked))
    ]
    left = (*_added_by_others(desired, observed), *_forgotten_early(desired, observed))
    return Plan(tuple(changes), unchanged, tuple(notes), left)


def _asked(change: PlannedChange, allowed: Collection[str]) -> PlannedChange:
    """Give a change the leave that names it, or say how to name it."""
    if LEAVE not in change.refusal:
        return change
    leave = f"{change.kind}:{change.name}"
    if any(one == ALL or fnmatchcase(leave, one) for one in allowed):
        return replace(change, refusal="", leave=leave)
    return replace(change, refusal=change.refusal.replace(LEAVE, f"--allow-destroy {leave}"), leave=leave)


def _lost(loss: LostPart) -> PlannedChange:
    return PlannedChange("~", "catalogue", loss.name, loss.what, "", loss.refusal)


def _granted(access: Access) -> PlannedChange:
    what = (f"may {access.operation}",)
    return PlannedChange("+", "access", f"{access.principal} {access.pattern}", what, access=access)


def _revoked(access: Access) -> PlannedChange:
    what = (f"may no longer {access.operation}",)
    why = "the catalogue does not grant it"
    return PlannedChange("-", "access", f"{access.principal} {access.pattern}", what, why, access=access)


def _topics(desired: ClusterState, observed: ClusterState) -> Iterator[PlannedChange]:
    for name, topic in sorted(desired.topics.items()):
        found = observed.topics.get(name)
        if found is None:
            settings = (f"{key}: {_shown(key, value)}" for key, value in sorted(topic.config.items()))
            what = [f"partitions: {topic.partitions}", f"replicas: {topic.replicas}", *settings]
            refusal = _impossible(topic, observed)
            yield PlannedChange("+", "topic", name, tuple(what), refusal=refusal, topic=topic)
        elif change := _changed(topic, found, observed):
            yield change


def _changed(topic: TopicState, found: TopicState, observed: ClusterState) -> PlannedChange | None:
    keys = sorted({*topic.config, *found.config})
    config = {key: topic.config.get(key) for key in keys if topic.config.get(key) != found.config.get(key)}
    # Fewer partitions than there are do no harm: publishers use those that the catalogue says.
    partitions = max(found.partitions, topic.partitions)
    counts = {"partitions": (found.partitions, partitions), "replicas": (found.replicas, topic.replicas)}
    what = [f"{name}: {before} -> {after}" for name, (before, after) in counts.items() if before != after]
    what += [
        f"{key}: {_shown(key, found.config.get(key))} -> {_shown(key, new)}" for key, new in config.items()
    ]
    if not what:
        return None
    refusal = _impossible(topic, observed) if topic.replicas != found.replicas else ""
    weaker = list(dict.fromkeys(weakenings(found.config, topic.config, observed.defaults)))
    if topic.replicas < found.replicas:
        weaker.insert(0, "fewer brokers would hold each event")
    if not refusal and weaker:
        refusal = f"{', '.join(weaker)}: `{LEAVE}` allows it"
    return PlannedChange("~", "topic", topic.name, tuple(what), "", refusal, topic=topic, config=config)


def _growths(desired: ClusterState, observed: ClusterState, *, grow: bool) -> Iterator[PlannedChange]:
    registered = observed.entries is not None
    for subject, wanted in sorted(desired.counts.items()):
        found = observed.counts.get(subject, wanted)
        what: tuple[str, ...] = (f"partitions: {found} -> {wanted}",)
        refusal = leave = ""
        if wanted == found and subject not in observed.paused:
            continue
        if wanted == found:
            what, why = (), "a growth was not ended: publishers go on with as many partitions as before"
        elif wanted < found:
            why = ""
            refusal = "Kafka cannot remove partitions: increase `partitions` in the contract again"
        elif registered:
            why = "publishers wait until every subscriber has caught up: order per key is kept"
            refusal = "" if grow else "publishers would have to wait: `--grow` allows it"
        else:
            why = "order per key is kept only if publishers are stopped and subscribers have caught up"
            leave = f"growth:{subject}"
            option = LEAVE if grow else f"--allow-destroy {leave}"
            refusal = (
                "without the registry (GOVBUS_REGISTRY_KEY) nobody can make publishers wait: stop them, "
                f"let every subscriber catch up, then `--grow {option}` allows it"
            )
        yield PlannedChange("~", "growth", subject, what, why, refusal, leave, counts=(found, wanted))


def _added_by_others(desired: ClusterState, observed: ClusterState) -> Iterator[PlannedChange]:
    for name, topic in sorted(desired.topics.items()):
        found = observed.topics.get(name)
        if found is not None and found.partitions > topic.partitions:
            what = (f"partitions: {topic.partitions} -> {found.partitions}",)
            why = (
                f"somebody else added partitions; publishers go on with {topic.partitions}, subscribers read "
                "all, and order per key is kept"
            )
            yield PlannedChange("~", "topic", name, what, why, topic=found)


def _forgotten_early(desired: ClusterState, observed: ClusterState) -> Iterator[PlannedChange]:
    """Brokers that forget where a stopped subscriber was while its topic still has its events."""
    read = (desired.topics[name] for name in sorted(desired.subscribed & desired.topics.keys()))
    longest = max(read, key=_kept_minutes, default=None)
    if longest is None:
        return
    needed = _kept_minutes(longest)
    short = {broker: got for broker, got in observed.offsets_retention_minutes.items() if got < needed}
    if not short:
        return
    what = []
    for got in sorted(set(short.values())):
        brokers = sorted(broker for broker in short if short[broker] == got)
        named = f"broker{'' if len(brokers) == 1 else 's'} {', '.join(map(str, brokers))}"
        what.append(f"{got} -> {needed} on {named}")
    kept, lost_after = duration(int(longest.config[RETENTION])), duration(min(short.values()) * 60_000)
    why = (
        f"`{longest.name}` keeps events longer ({kept}), and a subscriber that is stopped for {lost_after} "
        "loses its place: it begins at its last mark, with `exactly_once` it waits for an operator"
    )
    yield PlannedChange("~", "offsets", OFFSETS_RETENTION, tuple(what), why, topic=longest)


def _kept_minutes(topic: TopicState) -> int:
    """How long a topic keeps its events, rounded up."""
    kept_ms = int(topic.config[RETENTION])
    return _NEVER_MINUTES if kept_ms == FOR_EVER else min(-(-kept_ms // 60_000), _NEVER_MINUTES)


def _impossible(topic: TopicState, observed: ClusterState) -> str:
    """Why a topic cannot get its copies, with or without permission."""
    if topic.replicas == 1 < observed.brokers:
        return (
            f"one copy on {observed.brokers} brokers is lost with its broker: set `replication_factor` in "
            "`cluster.yaml` to 2 or more"
        )
    if topic.replicas > observed.brokers:
        return (
            f"{topic.replicas} copies need as many brokers, and the cluster has {observed.brokers}: start "
            "the others, or lower `replication_factor` in `cluster.yaml`"
        )
    return ""


def _shown(key: str, value: str | None) -> str:
    if value is None:
        return "the broker's default"
    if key == RETENTION:
        return duration(int(value))
    return value


def duration(milliseconds: int) -> str:
    """A length of time as text, such as `30 days`."""
    if milliseconds == FOR_EVER:
        return "forever"
    for unit, name in ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second")):
        if milliseconds >= unit and milliseconds % unit == 0:
            count = milliseconds // unit
            return f"{count:,} {name}{'' if count == 1 else 's'}"
    return f"{milliseconds} ms"


def _topic_gone(topic: TopicState) -> PlannedChange:
    why, refusal = "no contract of the catalogue needs it", f"its events would be lost: `{LEAVE}` allows it"
    return PlannedChange("-", "topic", topic.name, (), why, refusal, topic=topic)


def _quotas(desired: ClusterState, observed: ClusterState, scope: PlanScope) -> Iterator[PlannedChange]:
    for user in sorted({*desired.quotas, *observed.quotas}):
        if user not in desired.quotas and f"User:{user}" not in scope.principals:
            continue
        wanted, found = desired.quotas.get(user, {}), observed.quotas.get(user, {})
        keys = sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key))
        if keys:
            before = {key: f"{_rate(found[key])} -> " if key in found else "" for key in keys}
            what = tuple(f"{key}: {before[key]}{_rate(wanted.get(key))}" for key in keys)
            action: Action = "+" if not found else "-" if not wanted else "~"
            lower = any(found[key] > wanted[key] for key in keys if key in found and key in wanted)
            refusal = f"the agency could publish or read less: `{LEAVE}` allows it" if lower else ""
            quota = {key: wanted.get(key) for key in keys}
            yield PlannedChange(action, "quota", f"User:{user}", what, "", refusal, quota=quota)


def _rate(value: float | None) -> str:
    return "none" if value is None else f"{value:,.0f} bytes/s"


def _entries(desired: ClusterState, observed: ClusterState) -> Iterator[PlannedChange]:
    if desired.entries is None or observed.entries is None:
        return
    for key, entry in sorted(desired.entries.items(), key=lambda item: _order(item[0])):
        found = observed.entries.get(key)
        if found is None:
            yield PlannedChange("+", "entry", key, entry=entry)
        elif found.fault:
            yield PlannedChange("~", "entry", key, (), f"{found.fault}: written again", entry=entry)
        elif found.content != entry.content:
            refusal = lost_policy(found, entry)
            if found.sha256 != entry.sha256:
                refusal = "a published version never changes: publish the change as a new version"
            yield PlannedChange("~", "entry", key, (), "", refusal, entry=entry)
    for key in sorted({*observed.entries} - {*desired.entries}, key=_order, reverse=True):
        found = observed.entries[key]
        if found.withdrawn:
            continue
        published = key.startswith("version/") and not found.fault
        refusal = f"a published version would be withdrawn: `{LEAVE}` allows it" if published else ""
        why = found.fault or "it is not in the catalogue"
        yield PlannedChange("-", "entry", key, (), why, refusal, entry=found)


def _order(key: str) -> tuple[int, str]:
    kinds = ("catalog", "agency", "version", "contract", "service", "subscription")
    kind = key.partition("/")[0]
    return (kinds.index(kind) if kind in kinds else len(kinds), key)
