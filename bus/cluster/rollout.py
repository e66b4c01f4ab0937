"""Planning and applying a catalogue to a cluster.

Law: nothing is done if anything is refused. Each step leaves the cluster consistent and may be repeated, so
an `apply` that was killed is finished by the next one. Who began and who finished is in `govbus.audit`.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

import orjson
from uuid_utils import uuid7

from bus.cluster.desired import counts_in_force, desired_state, scope_of
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
    Catalog,
    Plan,
    PlannedChange,
    RegistryEntry,
    SigningKey,
    TrustedKeys,
    compare_states,
    growths_of,
    is_alone,
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
        settings: the cluster; from the `GOVBUS_*` variables if absent.
        allow_destroy: allow deleting topics and published versions, and weaker topics.
        grow: allow pausing publishers while the partitions of their events grow.
        grow_seconds: how long one growth may take, pauses included.
        tell: called with who holds a growth up.
        committed: when the catalogue's commit was made, in seconds since the epoch; 0 if that is not known.
    """

    def __init__(
        self,
        folder: Path,
        *,
        catalog: Catalog | None = None,
        settings: Settings | None = None,
        allow_destroy: bool = False,
        grow: bool = False,
        grow_seconds: float = GROW_SECONDS,
        tell: Callable[[str], None] = lambda _: None,
        committed: int = 0,
    ) -> None:
        self._settings = settings or Settings()
        self._folder = folder
        self._catalog = catalog or Catalog.open(folder)
        if not self._catalog.agencies:  # every right in the cluster would be withdrawn
            raise UsageError(f"Expected a catalogue with agencies, got one without - at `{folder}`")
        self._allow_destroy = allow_destroy
        self._grow = grow
        self._grow_seconds = grow_seconds
        self._tell = tell
        self._committed = committed
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
        observed = await cluster.observe()
        notes = endings(self._catalog, today)
        found = None
        if self._trusted is None:
            notes.append("the registry is not managed: neither registry_key nor registry_public_key is set")
        else:
            found = await read_registry(transport, self._trusted)
        if observed.access is None:
            notes.append(
                "the cluster has no authorizer: everybody may do everything, and access is not managed"
            )
        entries = None if found is None else registry_entries(self._folder)
        desired = desired_state(self._catalog, today, entries, observed)
        scope = scope_of(self._catalog, found or ())
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
            committed=max((entry.committed for entry in (found or {}).values()), default=0),
        )
        desired = replace(desired, committed=self._committed)
        plan = compare_states(desired, observed, scope, allow_destroy=self._allow_destroy, grow=self._grow)
        return replace(plan, notes=tuple(notes))

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
        identity = str(uuid7())
        made: list[PlannedChange] = []
        await _account(transport, identity, author, "begun", plan.changes)
        outcome = "failed"
        try:
            for step in _steps(plan):
                await self._do(cluster, transport, step, author)
                made += step
                for change in step:
                    done(change)
            await _in_force(cluster, plan)
            outcome = "done"
        finally:
            await _account(transport, identity, author, outcome, made)

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
            case "offsets":
                pass  # only among what is left: it is the brokers' own configuration

    async def _grow_event(self, transport: Transport, change: PlannedChange, author: Author) -> None:
        if self._key is None:  # nobody waits for a registry that there is not
            return
        key, (before, after) = self._key, change.counts

        async def write(entry: RegistryEntry) -> int:
            value = key.sign(entry, datetime.now(UTC), author.commit)
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


async def _account(
    transport: Transport,
    identity: str,
    author: Author,
    phase: str,
    changes: list[PlannedChange] | tuple[PlannedChange, ...],
) -> None:
    said = {
        "apply": identity,
        "phase": phase,
        "by": author.name,
        "commit": author.commit,
        "at": datetime.now(UTC).isoformat(),
        "changes": [change.as_json() for change in changes],
    }
    await deliver(transport, AUDIT_TOPIC, identity.encode(), orjson.dumps(said))


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
