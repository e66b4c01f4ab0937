"""Planning and applying a catalogue to a cluster.

Law: nothing is done if anything is refused. Each step leaves the cluster consistent and may be repeated, so
an `apply` that was killed is finished by the next one. Who began and who finished is in `govbus.audit`.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache, partial
from itertools import groupby
from pathlib import Path

from uuid_utils import uuid7

from bus.cluster.audit import last_applied, record_apply
from bus.cluster.desired import (
    counts_in_force,
    desired_state,
    desired_topics,
    parts_in_force,
    scope_of,
)
from bus.cluster.growing import GROW_SECONDS, Growing
from bus.cluster.readers import Readers
from bus.cluster.registry import read_registry
from bus.errors import UsageError
from bus.kafka.cluster import Cluster
from bus.kafka.groups import Groups
from bus.kafka.lock import SESSION_MS, held
from bus.kafka.transport import KafkaTransport
from bus.settings import Settings
from bus.table import deliver
from bus.times.sunsets import endings
from bus.topics import AUDIT_TOPIC, REGISTRY_TOPIC
from bus.transport import Transport
from contracts import (
    LEASE_MS,
    AppliedCatalog,
    Catalog,
    ClusterPolicy,
    ClusterState,
    Plan,
    PlannedChange,
    RegistryEntry,
    SigningKey,
    TrustedKeys,
    compare_states,
    growths_of,
    is_alone,
    registered_policy,
    registry_entries,
    settled_growth,
    withdrawal,
    write_registry_folder,
)

LOCK = "govbus.apply"
GROW_SESSION_MS = LEASE_MS * 3 // 2
"""Longer than a lease: who lost the lock in a growth can switch no more when the next one takes it."""
LOCK_WAIT_SECONDS = 20.0
IN_FORCE_SECONDS = 30.0
LOOK_SECONDS = 0.1
CLOCK_SECONDS = 3600.0
"""How far the clock of whoever applies may be off; it says which day it is."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who applies, and from which commit of the catalogue, for the audit."""

    name: str
    commit: str = ""


class Rollout:
    """One catalogue folder and one cluster.

    Args:
        folder: the catalogue.
        catalog: the same, where it was read already.
        entries: makes its entries of the registry, where it was read already; called at most once.
        settings: the cluster; from the `GOVBUS_*` variables if absent.
        allow_destroy: which changes may take something from others; see `compare_states`.
        grow: allow pausing publishers while the partitions of their events grow.
        grow_seconds: how long one growth may take, pauses included.
        tell: called with who holds a growth up.
        now: the time of this machine's clock, in seconds since the epoch.
        committed: when the catalogue's commit was made, in seconds since the epoch; 0 if that is not known.
        contains: whether the catalogue's commit is or contains another one; None if that is not known.
    """

    def __init__(
        self,
        folder: Path,
        *,
        catalog: Catalog | None = None,
        entries: Callable[[], Mapping[str, RegistryEntry]] | None = None,
        settings: Settings | None = None,
        allow_destroy: Collection[str] = (),
        grow: bool = False,
        grow_seconds: float = GROW_SECONDS,
        tell: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.time,
        committed: int = 0,
        contains: Callable[[str], bool | None] = lambda _: None,
    ) -> None:
        self._settings = settings or Settings()
        self._entries = cache(entries or partial(registry_entries, folder))
        self._catalog = catalog or Catalog.open(folder)
        if not self._catalog.agencies:  # every right in the cluster would be withdrawn
            raise UsageError(f"Expected a catalogue with agencies, got one without - at `{folder}`")
        self._allow_destroy = allow_destroy
        self._grow = grow
        self._grow_seconds = grow_seconds
        self._tell = tell
        self._now = now
        self._committed = committed
        self._contains = contains
        self._key = SigningKey.read(self._settings.registry_key) if self._settings.registry_key else None
        self._trusted = _trusted(self._settings, self._key)

    def author(self, name: str, commit: str) -> Author:
        """Return who applies."""
        return Author(name, commit)

    async def plan(self, today: date) -> Plan:
        """Return what would change; nothing is changed.

        Raises:
            BusError: the cluster cannot be reached, or does not allow Describe.
        """
        async with Cluster.open(self._settings) as cluster, _connected(self._settings) as transport:
            return await self._plan(cluster, transport, today)

    async def _plan(self, cluster: Cluster, transport: Transport, today: date) -> Plan:
        observed = await cluster.observe(desired_topics(self._catalog, ClusterState()))
        notes = endings(self._catalog, today)
        last = await last_applied(transport)
        registry = await read_registry(transport, self._trusted or TrustedKeys({}))
        found = None if self._trusted is None else registry
        if found is None:
            notes.append("the registry is not managed: neither registry_key nor registry_public_key is set")
        if last.committed and not self._committed:
            notes.append(
                "git does not know this catalogue: nobody can tell whether it is older than the last"
            )
        if observed.access is None:
            notes.append(
                "the cluster has no authorizer: everybody may do everything, and access is not managed"
            )
        entries = None if found is None else self._entries()
        desired = desired_state(self._catalog, today, entries, observed)
        parts = parts_in_force(observed, found)
        scope = scope_of(self._catalog, {*registry, *(f"agency/{name}" for name in parts.agencies)})
        policy = self._catalog.cluster
        if is_alone(observed) and (policy.replication_factor or 1) > 1:
            notes.append(
                f"the cluster is one broker: topics get one copy, not the {policy.replication_factor} of "
                "`cluster.yaml`"
            )
        growths = growths_of((found or {}).values()).values()
        observed = replace(
            observed,
            entries=found,
            counts=counts_in_force(self._catalog, observed, found),
            paused=frozenset(growth.subject for growth in growths if growth.is_paused),
            commit=last.commit,
            committed=last.committed or max((entry.committed for entry in registry.values()), default=0),
            unread=len(registry) if found is None else 0,
            parts=parts,
            spared=_spared(last, registry, policy),
        )
        contains = self._contains(last.commit) if last.commit else None
        desired = replace(desired, committed=self._committed, contains_applied=contains)
        plan = compare_states(desired, observed, scope, allow_destroy=self._allow_destroy, grow=self._grow)
        return replace(plan, notes=(*plan.notes, *notes))

    async def apply(
        self, today: date, author: Author, done: Callable[[PlannedChange], None] = lambda _: None
    ) -> Plan:
        """Apply the catalogue to the cluster, or nothing of it if anything is refused; return the plan.

        Args:
            today: the date on which grants must be in force.
            author: who applies.
            done: called after each change.

        Raises:
            BusError: the cluster cannot be reached, or another `apply` runs; repeat it.
            UsageError: the key that signs is missing, or this machine's clock is wrong.
        """
        async with Cluster.open(self._settings) as cluster, _connected(self._settings) as transport:
            plan = await self._plan(cluster, transport, today)
            if plan.refusals or not plan.changes:
                return plan
            if self._key is None and any(change.kind == "entry" for change in plan.changes):
                raise UsageError(
                    "Expected the key that signs entries of the registry - at GOVBUS_REGISTRY_KEY"
                )
            for change in plan.changes:
                if change.kind == "topic" and change.name == AUDIT_TOPIC and change.topic:
                    await cluster.make_topics([change.topic])
            lock = held(
                self._settings,
                group=LOCK,
                topic=AUDIT_TOPIC,
                wait_seconds=LOCK_WAIT_SECONDS,
                session_ms=GROW_SESSION_MS if self._grow else SESSION_MS,
            )
            async with lock:
                # What another `apply` did meanwhile need not be done again.
                plan = await self._plan(cluster, transport, today)
                if not plan.refusals:
                    await self._audited(cluster, transport, plan, author, done)
                return plan

    async def _audited(
        self,
        cluster: Cluster,
        transport: Transport,
        plan: Plan,
        author: Author,
        done: Callable[[PlannedChange], None],
    ) -> None:
        made: list[PlannedChange] = []
        spared = frozenset(self._catalog.cluster.spared_principals or ())
        what = AppliedCatalog(author.commit, self._committed, spared)
        record = partial(record_apply, transport, author.name, what=what, identity=str(uuid7()))
        begun = await record("begun", plan.changes)
        outcome = "failed"
        try:
            if abs(ahead_seconds := self._now() - begun) > CLOCK_SECONDS:
                # By its date grants would be withdrawn that hold, or given that have ended.
                raise UsageError(
                    f"Expected the brokers' time, got a clock that is off by {ahead_seconds:+,.0f} s - on "
                    "this machine; nothing was changed"
                )
            for step in _steps(plan):
                await self._do(cluster, transport, step, author)
                made += step
                for change in step:
                    done(change)
            await _in_force(cluster, plan)
            outcome = "done"
        finally:
            await record(outcome, made)

    async def _do(
        self, cluster: Cluster, transport: Transport, step: tuple[PlannedChange, ...], author: Author
    ) -> None:
        first = step[0]
        match first.kind:
            case "access":
                access = [change.access for change in step if change.access]
                await (cluster.grant(access) if first.action == "+" else cluster.revoke(access))
            case "quota":
                await cluster.set_quotas(first.name.removeprefix("User:"), dict(first.quota))
            case "topic":
                await _change_topic(cluster, first)
            case "growth":
                await self._grow_event(transport, first, author)
            case "entry":
                await self._write(transport, first, author)
            case "offsets" | "catalogue":
                pass  # what is left to the brokers' own configuration, and what is refused

    async def _grow_event(self, transport: Transport, change: PlannedChange, author: Author) -> None:
        if self._key is None:  # nobody waits for a registry that there is not
            return
        key, (before, after) = self._key, change.counts

        async def write(entry: RegistryEntry) -> int:
            value = key.sign(entry, datetime.now(UTC), author.commit, self._committed)
            place = await deliver(transport, REGISTRY_TOPIC, entry.key.encode(), value, partition=0)
            return place.timestamp

        if before == after:
            await write(settled_growth(change.name, before))
            return
        async with Groups.open(self._settings) as groups:
            readers = Readers(groups, transport, self._catalog, change.name)
            growing = Growing(
                change.name, before, after, write=write, holders=readers.holders, tell=self._tell
            )
            await growing.run(self._grow_seconds)

    async def _write(self, transport: Transport, change: PlannedChange, author: Author) -> None:
        assert change.entry is not None and self._key is not None  # noqa: S101, PT018 - looked at before
        entry = change.entry
        if change.action == "-" and entry.fault:
            await deliver(transport, REGISTRY_TOPIC, change.name.encode(), None, partition=0)
            return
        if change.action == "-":
            entry = withdrawal(entry)
        value = self._key.sign(entry, datetime.now(UTC), author.commit, self._committed)
        await deliver(transport, REGISTRY_TOPIC, change.name.encode(), value, partition=0)


def _spared(
    last: AppliedCatalog, registry: Mapping[str, RegistryEntry], policy: ClusterPolicy
) -> frozenset[str] | None:
    """The principals that were left alone so far; None if neither cluster nor catalogue says."""
    said = [] if policy.spared_principals is None else [frozenset[str]()]
    if last.spared is not None:
        said.append(last.spared)
    if (registered := registered_policy(registry)) is not None:
        said.append(frozenset(registered.spared_principals or ()))
    return frozenset().union(*said) if said else None


def _trusted(settings: Settings, key: SigningKey | None) -> TrustedKeys | None:
    if settings.registry_public_key is not None:
        return TrustedKeys.read(settings.registry_public_key)
    return key.trusted if key is not None else None


class _connected:  # noqa: N801 - used as a block
    def __init__(self, settings: Settings) -> None:
        self._transport = KafkaTransport(settings)

    async def __aenter__(self) -> Transport:
        await self._transport.start()
        return self._transport

    async def __aexit__(self, *_: object) -> None:
        await self._transport.stop()


def _steps(plan: Plan) -> Iterator[tuple[PlannedChange, ...]]:
    """The changes in order; those of the access list in groups."""
    for (kind, _), changes in groupby(plan.changes, key=lambda change: (change.kind, change.action)):
        if kind == "access":
            yield tuple(changes)
        else:
            yield from ((change,) for change in changes)


async def _in_force(cluster: Cluster, plan: Plan) -> None:
    """Wait until a broker enforces the new access list, a moment after it is written."""
    given = {change.access for change in plan.changes if change.access and change.action == "+"}
    taken = {change.access for change in plan.changes if change.access and change.action == "-"}
    async with asyncio.timeout(IN_FORCE_SECONDS):
        while given or taken:
            found = await cluster.access() or frozenset()
            given, taken = given - found, taken & found
            await asyncio.sleep(LOOK_SECONDS if given or taken else 0)


async def _change_topic(cluster: Cluster, change: PlannedChange) -> None:
    assert change.topic is not None  # noqa: S101 - a change of a topic holds it
    if change.action == "+":
        await cluster.make_topics([change.topic])
    elif change.action == "-":
        await cluster.delete_topic(change.name)
    else:
        partitions, replicas = (
            any(what.startswith(f"{name}: ") for what in change.what) for name in ("partitions", "replicas")
        )
        await cluster.change_topic(
            change.topic, dict(change.config), partitions=partitions, replicas=replicas
        )


def live(folder: Path) -> Path:
    """Write the registry topic as a catalogue into an empty folder; return the folder.

    Raises:
        BusError: the cluster cannot be reached.
        UsageError: no key of the registry is set.
    """

    async def read() -> Mapping[str, RegistryEntry]:
        settings = Settings()
        key = SigningKey.read(settings.registry_key) if settings.registry_key else None
        trusted = _trusted(settings, key)
        if trusted is None:
            raise UsageError("Expected the keys of the registry - at GOVBUS_REGISTRY_PUBLIC_KEY")
        async with _connected(settings) as transport:
            return await read_registry(transport, trusted)

    write_registry_folder(asyncio.run(read()).values(), folder)
    return folder
