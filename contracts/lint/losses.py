"""What a change of a catalogue takes from those who publish and read by it. Pure.

Law: what a running publisher or reader could do the day before and can no longer do is told, with who loses
it. Only what is in force counts: nobody loses a version after its `sunset`, or a grant after its `expires`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from typing import Any, Final

from contracts.catalog import Catalog
from contracts.compatibility.impact import reader_of
from contracts.compatibility.modes import DIRECTIONS
from contracts.contract import (
    ClusterPolicy,
    Compatibility,
    Contract,
    ContractVersion,
    SubscriptionGrant,
)
from contracts.finding import Proof, Rule
from contracts.lint.rules import breaking as rules
from contracts.paths import parse_path
from contracts.versions.conversion import Conversion

LOSS: Final = "loss"
"""The verdict of a proof that names who loses something."""
_AMOUNTS: Final = (
    "publish_bytes_per_second",
    "read_bytes_per_second",
    "replication_factor",
    "min_insync_replicas",
)


@dataclass(frozen=True, slots=True)
class CatalogLoss:
    """Something that publishers or readers had, and that a change takes from them.

    Attributes:
        rule: The promise that is not kept.
        about: The event, service, agency or document that it concerns.
        what: What is lost.
        file: The document that says so, or said so, from the catalogue's root.
        field: The field of the document.
        version: The row of `versions` that the field is in; empty when it is in none.
        grant: Consumer and name of the subscription whose document it is.
        readers: Who loses it by reading.
        publishers: The agencies that lose it by publishing.
        key: Tells it from other losses of the same rule and document; by default `what`.
    """

    rule: Rule
    about: str
    what: str
    file: str
    field: str = ""
    version: str = ""
    grant: tuple[str, str] | None = None
    readers: tuple[SubscriptionGrant, ...] = ()
    publishers: tuple[str, ...] = ()
    key: str = ""

    @property
    def proof(self) -> Proof | None:
        """Who loses it; None when it takes nothing from anybody."""
        if not self.readers and not self.publishers:
            return None
        decides = self.about.partition(".")[0] if self.rule is rules.SUBSCRIPTION else None
        readers = tuple(reader_of(each) for each in self.readers)
        return Proof(LOSS, readers=readers, publishers=self.publishers, decided_by=decides)


def losses(before: Catalog, now: Catalog, today: date) -> Iterator[CatalogLoss]:
    """Everything that a change takes from publishers and readers.

    Args:
        before: The catalogue before.
        now: The catalogue now.
        today: The day on which sunsets and grants are judged.
    """
    held = [grant for grant in before.subscriptions.values() if grant.holds_on(today)]
    yield from _agencies(before, now, held)
    yield from _services(before, now)
    yield from _cluster(before, now)
    for subject, contract in before.contracts.items():
        readers = tuple(grant for grant in held if grant.subject == subject)
        if subject in now.contracts:
            yield from _contract(_Change(contract, now.contracts[subject], readers, today))
        else:
            yield from _gone(contract, before, now, readers, today)
    for grant in held:
        owned = before.contracts.get(grant.subject)
        if owned is None or not _is_over(owned, grant.major, today):
            yield from _grant(grant, before, now, today)


def file_of(subject: str) -> str:
    """The contract of a subject, from the catalogue's root."""
    agency, _, event = subject.partition(".")
    return f"agencies/{agency}/{event}/contract.yaml"


def _agencies(before: Catalog, now: Catalog, held: Collection[SubscriptionGrant]) -> Iterator[CatalogLoss]:
    for name in before.agencies:
        if name not in now.agencies:
            readers = tuple(grant for grant in held if grant.owner == name)
            file, what = f"agencies/{name}/agency.yaml", f"the agency `{name}` was removed"
            yield CatalogLoss(rules.AGENCY_REMOVED, name, what, file, readers=readers, publishers=(name,))


def _services(before: Catalog, now: Catalog) -> Iterator[CatalogLoss]:
    for name, service in before.services.items():
        if name not in now.services:
            publishers = {service.start.partition(".")[0], *(hop.agency for hop in service.milestones)}
            file, what = f"services/{name}.yaml", f"the service `{name}` was removed"
            yield CatalogLoss(rules.SERVICE_REMOVED, name, what, file, publishers=tuple(sorted(publishers)))


def _cluster(before: Catalog, now: Catalog) -> Iterator[CatalogLoss]:
    old, new, file = before.cluster, now.cluster, "cluster.yaml"
    everybody = tuple(before.agencies)
    for field in _AMOUNTS:
        had, has = getattr(old, field), getattr(new, field)
        if had is not None and has is not None and has < had:
            what = f"`{field}` changed from {had:,} to {has:,}"
            yield CatalogLoss(rules.CLUSTER, file, what, file, field, publishers=everybody, key=field)
    for principal in _spared(old) - _spared(new):
        what = f"`{principal}` is no longer among the `spared_principals`, so its access ends"
        yield CatalogLoss(rules.CLUSTER, file, what, file, "spared_principals", key=principal)


def _spared(policy: ClusterPolicy) -> frozenset[str]:
    return frozenset(policy.spared_principals or ())


def _gone(
    contract: Contract, before: Catalog, now: Catalog, readers: tuple[SubscriptionGrant, ...], today: date
) -> Iterator[CatalogLoss]:
    subject = contract.subject
    if all(version.is_retired(today) for version in contract.versions):
        return
    hashes = {
        version.sha256: each.subject
        for each in now.contracts.values()
        if each.subject not in before.contracts
        for version in each.versions
    }
    moved = [hashes[version.sha256] for version in contract.versions if version.sha256 in hashes]
    rule = rules.CONTRACT_RENAMED if moved else rules.CONTRACT_REMOVED
    what = f"`{subject}` was renamed to `{moved[0]}`" if moved else f"`{subject}` was removed"
    publishers = (contract.agency,)
    yield CatalogLoss(
        rule, subject, what, file_of(subject), readers=readers, publishers=publishers, key=subject
    )


@dataclass(frozen=True, slots=True)
class _Change:
    """One contract before and now, and who read it."""

    before: Contract
    now: Contract
    readers: tuple[SubscriptionGrant, ...]
    today: date

    @property
    def versions(self) -> list[tuple[ContractVersion, ContractVersion]]:
        """The versions that are still there, before and now."""
        now = {version.number: version for version in self.now.versions}
        return [(old, now[old.number]) for old in self.before.versions if old.number in now]

    @property
    def majors(self) -> list[int]:
        """The major versions that are still there."""
        return sorted({old.major for old in self.before.versions} & {new.major for new in self.now.versions})

    def reading(self, major: int) -> tuple[SubscriptionGrant, ...]:
        """Who reads a major version."""
        return tuple(grant for grant in self.readers if grant.major == major)

    def loss(self, rule: Rule, what: str, **more: Any) -> CatalogLoss:
        """A loss that the contract's document decides."""
        return CatalogLoss(rule, self.now.subject, what, file_of(self.now.subject), **more)


def _contract(change: _Change) -> Iterator[CatalogLoss]:
    yield from _versions(change)
    yield from _sunsets(change)
    yield from _conversions(change)
    before, now = change.before, change.now
    if promised(before.compatibility) - promised(now.compatibility):
        what = f"`compatibility` changed from `{before.compatibility}` to `{now.compatibility}`"
        yield change.loss(rules.MODE_LOOSENED, what, field="compatibility", readers=change.readers)
    if change.majors:
        yield from _promises(change)
        yield from _protection(change)


def _versions(change: _Change) -> Iterator[CatalogLoss]:
    there = {version.number for version in change.now.versions}
    for old in change.before.versions:
        if old.number not in there and not old.is_retired(change.today):
            yield change.loss(
                rules.VERSION_REMOVED,
                f"version {old.number} was removed",
                field="versions",
                version=old.number,
                readers=change.reading(old.major),
                publishers=(change.now.agency,),
                key=old.number,
            )


def _sunsets(change: _Change) -> Iterator[CatalogLoss]:
    """A version that ends earlier: its publishers are refused, and its readers get nothing more."""
    latest = [(change.before.version(major), change.now.version(major)) for major in change.majors]
    fresh = [
        (old, new)
        for old, new in latest
        if new.number not in {each.number for each in change.before.versions}
    ]
    for old, new in (*change.versions, *fresh):
        ends = new.sunset
        if ends is None or old.is_retired(change.today) or (old.sunset is not None and ends >= old.sunset):
            continue
        readers = change.reading(new.major) if new is change.now.version(new.major) else ()
        had = "" if old.sunset is None else f" instead of {old.sunset}"
        late = new.is_retired(change.today)
        rule = rules.SUNSET_EARLIER if late or old.sunset is not None else rules.SUNSET_NEAR
        if rule is rules.SUNSET_EARLIER or new.is_ending(change.today):
            yield change.loss(
                rule,
                f"version {new.number} {'ended' if late else 'ends'} on {ends}{had}",
                field="sunset",
                version=new.number,
                readers=readers,
                publishers=(change.now.agency,),
                key=new.number,
            )


def _conversions(change: _Change) -> Iterator[CatalogLoss]:
    yield from _downcasts(change)
    yield from _upcasts(change)
    now = {_ends(each): each for version in change.now.versions for each in _of(version)}
    for version in change.before.versions:
        for old in _of(version):
            new = now.get(_ends(old))
            if new is not None and new.template != old.template:
                kind = "upcast" if version.upcast is old else "downcast"
                readers = change.reading(int(old.target.partition(".")[0]))
                what = f"the {kind} from {old.source} to {old.target} changed"
                more: dict[str, Any] = {"field": kind, "version": version.number, "readers": readers}
                yield change.loss(rules.CONVERSION_CHANGED, what, key=f"{old.source} {old.target}", **more)


def _of(version: ContractVersion) -> list[Conversion]:
    return [each for each in (version.upcast, version.downcast) if each is not None]


def _ends(conversion: Conversion) -> tuple[str, str]:
    return conversion.source, conversion.target


def _downcasts(change: _Change) -> Iterator[CatalogLoss]:
    """Readers of an older major version that get what publishers of a newer one send, and no longer do."""
    old = {version.number: version for version in change.before.versions}
    lost: dict[tuple[int, int], list[str]] = {}
    for new in change.now.versions:
        known = old.get(new.number) or _latest(change.before, new.major)
        if known is None or new.is_retired(change.today):
            continue
        reached = {route.target.major for route in change.now.companions(new)}
        for major in {route.target.major for route in change.before.companions(known)} - reached:
            if major in change.majors and not _is_over(change.before, major, change.today):
                lost.setdefault((new.major, major), []).append(new.number)
    for (newer, major), numbers in lost.items():
        yield change.loss(
            rules.CONVERSION_REMOVED,
            f"events published as {', '.join(numbers)} no longer reach readers of version {major}",
            field="downcast",
            version=numbers[-1],
            readers=change.reading(major),
            key=f"{newer} {major}",
        )


def _latest(contract: Contract, major: int) -> ContractVersion | None:
    return next((each for each in reversed(contract.versions) if each.major == major), None)


def _is_over(contract: Contract, major: int, today: date) -> bool:
    latest = _latest(contract, major)
    return latest is not None and latest.is_retired(today)


def _upcasts(change: _Change) -> Iterator[CatalogLoss]:
    """Readers of a version that get events of an older one, and no longer do, or not converted."""
    ended = change.today - timedelta(days=change.before.retention_days)
    lost: dict[tuple[int, int], list[str]] = {}
    for (old, new), major in product(change.versions, change.majors):
        if old.major > major or old.is_retired(ended):
            continue
        had = change.before.upcasts(old, change.before.version(major))
        has = change.now.upcasts(new, change.now.version(major))
        # Within a major version, data that has no conversion stays as it is.
        if had is not None and (
            (old.major < major and has is None) or (had.steps and not (has and has.steps))
        ):
            lost.setdefault((old.major, major), []).append(new.number)
    for (older, major), numbers in lost.items():
        ends = "are no longer converted for" if older == major else "no longer reach"
        yield change.loss(
            rules.CONVERSION_REMOVED,
            f"events of {', '.join(numbers)} {ends} readers of version {major}",
            field="upcast",
            version=change.now.version(major).number,
            readers=change.reading(major),
            key=f"{older} {major} up",
        )


def _promises(change: _Change) -> Iterator[CatalogLoss]:
    before, now, readers, publishers = change.before, change.now, change.readers, (change.now.agency,)
    if before.key != now.key:
        what = f"the key changed from `{before.key.path}` to `{now.key.path}`"
        yield change.loss(rules.KEY_CHANGED, what, field="key", readers=readers)
    if before.content_model != now.content_model:
        what = f"`content_model` changed from `{before.content_model}` to `{now.content_model}`"
        yield change.loss(
            rules.CONTENT_MODEL, what, field="content_model", readers=readers, publishers=publishers
        )
    if before.versions[-1].assert_formats != now.versions[-1].assert_formats:
        had, has = (
            ("annotation", "assertion") if now.versions[-1].assert_formats else ("assertion", "annotation")
        )
        what = f"`formats` changed from `{had}` to `{has}`"
        yield change.loss(rules.FORMATS, what, field="formats", readers=readers, publishers=publishers)
    if now.retention_days < before.retention_days:
        what = f"`retention` changed from {before.retention_days:g} to {now.retention_days:g} days"
        yield change.loss(rules.RETENTION, what, field="retention", readers=readers)
    if now.partitions != before.partitions:
        what = f"`partitions` changed from {before.partitions} to {now.partitions}"
        yield change.loss(rules.PARTITIONS, what, field="partitions", readers=readers)
    if now.max_bytes < before.max_bytes:
        what = f"`max_bytes` changed from {before.max_bytes:,} to {now.max_bytes:,}"
        yield change.loss(rules.MAX_BYTES, what, field="max_bytes", publishers=publishers)


def _protection(change: _Change) -> Iterator[CatalogLoss]:
    """How readers must treat the data: they go by what was declared when they were approved."""
    before, now = change.before, change.now
    for field in ("classification", "other_fields"):
        had, has = getattr(before, field), getattr(now, field)
        if had != has:
            what = f"`{field}` changed from `{had or 'nothing'}` to `{has or 'nothing'}`"
            yield change.loss(rules.CLASSIFICATION, what, field=field, readers=change.readers)
    if gone := sorted(before.personal_fields.keys() - now.personal_fields.keys()):
        what = f"no longer among the `personal_fields`: {_listed(gone)}"
        yield change.loss(rules.CLASSIFICATION, what, field="personal_fields", readers=change.readers)


def promised(mode: Compatibility) -> frozenset[tuple[str, bool]]:
    """What a compatibility mode promises: each direction, and whether to versions further back too."""
    transitive = (False, True) if mode.endswith("_TRANSITIVE") else (False,)
    return frozenset((direction, far) for direction in DIRECTIONS[mode] for far in transitive)


def _grant(grant: SubscriptionGrant, before: Catalog, now: Catalog, today: date) -> Iterator[CatalogLoss]:
    """What one subscription no longer allows; the first reason is enough where it allows nothing more."""
    new = now.subscriptions.get((grant.consumer, grant.name))
    loses = f"`{grant.consumer}` loses `{grant.topic}`"
    if new is None:
        rule = rules.GRANT if _has_moved(grant, before, now) else rules.SUBSCRIPTION
        yield _granted(grant, rule, f"{loses}: {_removal(grant, before, now)}", "")
    elif (new.subject, new.major) != (grant.subject, grant.major):
        what = f"{loses}: subscription `{grant.name}` is for `{new.topic}` now"
        yield _granted(grant, rules.SUBSCRIPTION, what, "version")
    elif not new.holds_on(today):
        is_over = new.expires is not None and new.expires < today
        why = f"ended on {new.expires}" if is_over else "is no longer approved"
        field = "expires" if is_over else "approved_by"
        yield _granted(grant, rules.SUBSCRIPTION, f"{loses}: subscription `{grant.name}` {why}", field)
    else:
        yield from _narrowed(grant, new, loses)


def _has_moved(grant: SubscriptionGrant, before: Catalog, now: Catalog) -> bool:
    """Whether the reader had, and has, a newer major version beside the one that it gives up."""
    return any(
        (other.consumer, other.subject) == (grant.consumer, grant.subject) and other.major > grant.major
        for key, other in before.subscriptions.items()
        if now.subscriptions.get(key) == other
    )


def _removal(grant: SubscriptionGrant, before: Catalog, now: Catalog) -> str:
    for key, other in now.subscriptions.items():
        if key not in before.subscriptions and (other.consumer, other.topic) == (grant.consumer, grant.topic):
            return f"subscription `{grant.name}` was renamed to `{other.name}`, whose group begins anew"
    return f"subscription `{grant.name}` was removed"


def _narrowed(grant: SubscriptionGrant, new: SubscriptionGrant, loses: str) -> Iterator[CatalogLoss]:
    if new.expires is not None and (grant.expires is None or new.expires < grant.expires):
        had = "no day" if grant.expires is None else grant.expires
        what = f"{loses} on {new.expires} instead of {had}: subscription `{grant.name}`"
        yield _granted(grant, rules.SUBSCRIPTION, what, "expires")
    if gone := [field for field in grant.fields or ("$",) if not _covers(new.fields, field)]:
        shown = _listed(gone) if gone != ["$"] else "every field"
        what = f"`{grant.consumer}` may no longer use {shown} of `{grant.topic}`: subscription `{grant.name}`"
        yield _granted(grant, rules.GRANT, what, "fields")
    if new.purpose != grant.purpose:
        purposes = f"for `{new.purpose}`, no longer for `{grant.purpose}`"
        what = f"`{grant.consumer}` may use `{grant.topic}` {purposes}: subscription `{grant.name}`"
        yield _granted(grant, rules.GRANT, what, "purpose")


def _granted(grant: SubscriptionGrant, rule: Rule, what: str, field: str) -> CatalogLoss:
    file = f"agencies/{grant.consumer}/subscriptions/{grant.subject}.yaml"
    name, key = (grant.consumer, grant.name), f"{grant.consumer} {grant.name} {field}"
    return CatalogLoss(rule, grant.subject, what, file, field, grant=name, readers=(grant,), key=key)


def _covers(fields: Collection[str], path: str) -> bool:
    wanted = parse_path(path)
    return not fields or any(wanted[: len(steps)] == steps for steps in map(parse_path, fields))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
