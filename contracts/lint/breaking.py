"""Checks a change of a catalogue: what it takes from publishers and readers, and each pair of versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Final

from contracts.catalog import Catalog
from contracts.compatibility import kinds as compatibility
from contracts.compatibility.differences import differences
from contracts.compatibility.impact import reader_of
from contracts.compatibility.modes import DIRECTIONS, Pair, breaks, is_same
from contracts.contract import Contract, ContractVersion, SubscriptionGrant
from contracts.documents.loaded import Loaded, LoadedContract
from contracts.errors import CatalogError
from contracts.finding import Finding, Place, Proof, Rule
from contracts.lint.config import read_config
from contracts.lint.losses import LOSS, CatalogLoss, file_of, losses, promised
from contracts.lint.rules import breaking as rules
from contracts.lint.rules.bumps import break_findings
from contracts.lint.waivers import CheckResult, Waived, apply_waivers, fingerprints
from contracts.processes import flat_map

RULES: Final[tuple[Rule, ...]] = (*rules.RULES, *compatibility.RULES)


@dataclass(frozen=True)
class Before:
    """The catalogue to compare with.

    Attributes:
        catalog: The contracts that could be read.
        unreadable: Subjects with a folder whose contract could not be read.
        waivers: The fingerprints of its waivers.
    """

    catalog: Catalog
    unreadable: tuple[str, ...] = ()
    waivers: frozenset[str] = frozenset()

    @classmethod
    def of(cls, loaded: Loaded) -> Before:
        """What was read of the earlier catalogue."""
        unreadable = tuple(sorted(loaded.subjects - loaded.contracts.keys()))
        return cls(Catalog.of(loaded), unreadable, fingerprints(loaded.root))

    @property
    def faults(self) -> tuple[Finding, ...]:
        """A finding for each unreadable subject."""
        what = "the earlier version of `{}` cannot be read"
        return tuple(rules.UNREADABLE.at(Place(file_of(name)), what.format(name)) for name in self.unreadable)

    def whole(self) -> Catalog:
        """The catalogue, when all of it could be read.

        Raises:
            CatalogError: A contract could not be read.
        """
        if self.faults:
            raise CatalogError(self.faults)
        return self.catalog


def breaking(loaded: Loaded, before: Before, today: date) -> CheckResult:
    """Findings about a change of a catalogue, sorted by place; none when it breaks nothing.

    Args:
        loaded: The catalogue now.
        before: The catalogue to compare with.
        today: The day on which sunsets, grants and waivers are judged.
    """
    config, faults = read_config(loaded.root, {"breaking": [rule.code for rule in RULES]})
    found = [*(finding for _, finding in change_losses(loaded, before, today)), *before.faults]
    known = before.catalog.contracts
    readers = _readers(loaded, before)
    found += flat_map(
        lambda named: _contract(named[1], known.get(named[0]), readers), tuple(loaded.contracts.items())
    )
    reported = [
        finding for finding in found if not config.breaking.silences(finding.code, finding.place.file)
    ]
    judged = apply_waivers(
        reported,
        loaded,
        today,
        check="breaking",
        known=before.waivers,
        elsewhere=partial(_all_breaks, loaded, readers),
    )
    return replace(judged, kept=tuple(sorted({*judged.kept, *faults, *loaded.findings})))


def change_losses(loaded: Loaded, before: Before, today: date) -> list[tuple[CatalogLoss, Finding]]:
    """What a change takes from publishers and readers, each with its finding.

    What cannot be read now is not lost: its own finding says so.
    """
    found = losses(before.catalog, Catalog.of(loaded), today)
    return [(loss, _loss(loss, loaded)) for loss in found if not _is_unread(loss, loaded)]


def waived_breaks(loaded: Loaded, today: date, before: Before | None = None) -> Mapping[Pair, Waived]:
    """Every break between versions of a catalogue that is waived."""
    if not fingerprints(loaded.root):
        return {}
    found = _all_breaks(loaded, _readers(loaded, before))
    judged = apply_waivers(found, loaded, today)
    return {found[each.finding]: each for each in judged.waived}


def waived_changes(loaded: Loaded, before: Before, today: date) -> Mapping[Pair, Waived]:
    """The same after a change; a published version that changed and is waived breaks itself."""
    if not fingerprints(loaded.root):
        return {}
    folders = {entry.folder: subject for subject, entry in loaded.contracts.items()}
    found = dict(waived_breaks(loaded, today, before))
    for each in breaking(loaded, before, today).waived:
        subject = folders.get(each.finding.place.file.rpartition("/")[0])
        if subject is not None and each.finding.code == rules.VERSION_CHANGED.code:
            number = each.finding.about
            found |= {(subject, number, number, direction): each for direction in DIRECTIONS["FULL"]}
    return found


def _all_breaks(loaded: Loaded, readers: list[SubscriptionGrant]) -> dict[Finding, Pair]:
    """The finding of lint about each break between versions of a catalogue."""

    def of(named: tuple[str, LoadedContract]) -> Iterator[tuple[Finding, Pair]]:
        subject, entry = named
        for version in entry.contract.versions:
            for each in break_findings(entry, version, entry.contract.versions, readers):
                found = each.found
                yield each.bump, (subject, found.old.number, found.new.number, found.direction)

    return dict(flat_map(of, tuple(loaded.contracts.items())))


def _readers(loaded: Loaded, before: Before | None) -> list[SubscriptionGrant]:
    """All subscriptions now, and those before: whoever loses one in the same change still runs."""
    now = [each.subscription for each in loaded.subscriptions.values()]
    then = before.catalog.subscriptions.values() if before else ()
    return list(dict.fromkeys((*now, *then)))


def _loss(loss: CatalogLoss, loaded: Loaded) -> Finding:
    return replace(loss.rule.at(_place(loss, loaded), loss.what, about=loss.key), proof=loss.proof)


def _place(loss: CatalogLoss, loaded: Loaded) -> Place:
    subscription = loaded.subscriptions.get(loss.grant) if loss.grant else None
    if subscription is not None:
        return subscription.document.place(loss.field)
    entry = loaded.contracts.get(loss.about)
    if entry is None or entry.document.file != loss.file:
        return Place(loss.file)
    row = next((row.row for row in entry.versions if row.version.number == loss.version), None)
    return entry.document.place(*(("versions", row) if row is not None else ()), loss.field)


def _is_unread(loss: CatalogLoss, loaded: Loaded) -> bool:
    """Whether the document of what seems lost is there, with a fault."""
    faulty = [finding.place.file for finding in loaded.findings]
    if loss.rule is rules.AGENCY_REMOVED:
        return loss.about in loaded.agency_names
    if loss.rule in (rules.CONTRACT_REMOVED, rules.CONTRACT_RENAMED):
        return loss.about in loaded.subjects
    if loss.rule is rules.VERSION_REMOVED:
        return loss.version in {row.number for row in loaded.contracts[loss.about].shape.versions}
    if loss.grant is not None and loss.grant not in loaded.subscriptions:
        return any(file.rpartition("/")[0] == loss.file.rpartition("/")[0] for file in faulty)
    return loss.file in faulty and loss.rule in (rules.SERVICE_REMOVED, rules.CLUSTER)


def _contract(
    entry: LoadedContract, before: Contract | None, readers: list[SubscriptionGrant]
) -> Iterator[Finding]:
    yield from _versions(entry, before, readers)
    yield from _majors(entry, before)
    if before is not None:
        yield from _changed(entry, before, readers)


def _changed(entry: LoadedContract, before: Contract, readers: list[SubscriptionGrant]) -> Iterator[Finding]:
    """Findings about published versions that were changed."""
    now = {row.version.number: row for row in entry.versions}
    for old in before.versions:
        row = now.get(old.number)
        if row is None or (row.version.sha256 == old.sha256 and _same_references(row.version, old)):
            continue
        found = differences(
            old.schema,
            row.version.schema,
            old_references=old.references,
            new_references=row.version.references,
            tolerant=row.version.content_model == "tolerant",
        )
        heavy = [each for each in found if each.kind.narrows or each.kind.widens]
        words = f": {heavy[0].name}, {heavy[0].what}" if heavy else ", but only in descriptions"
        what = f"version {old.number} has changed{words}"
        finding = rules.VERSION_CHANGED.at(row.document.place(), what, about=old.number)
        hit = [each for each in readers if each.topic == old.type] if heavy else []
        yield replace(finding, proof=Proof(LOSS, readers=tuple(map(reader_of, hit)))) if hit else finding


def _same_references(one: ContractVersion, other: ContractVersion) -> bool:
    return json.dumps(one.references, sort_keys=True) == json.dumps(other.references, sort_keys=True)


def _majors(entry: LoadedContract, before: Contract | None) -> Iterator[Finding]:
    """Findings about new major versions: a needless one, or an earlier one without `sunset`."""
    known = {version.major for version in before.versions} if before else set()
    now = entry.contract
    rows = {row.version.major: row for row in entry.versions}
    for major in sorted(rows.keys() - known):
        older = [version for version in now.versions if version.major < major]
        if not older or not known:
            continue
        first = next(version for version in now.versions if version.major == major)
        last = older[-1]
        place = entry.document.place("versions", rows[major].row)
        if last.sunset is None:
            what = f"version {last.major} has no `sunset`, although version {major} is new"
            yield rules.DUAL_PUBLISH.at(place, what)
        as_minor = replace(first, major=last.major, minor=last.minor + 1)
        object.__setattr__(as_minor, "contract", now)
        if not any(breaks(as_minor, older, now.compatibility)) and DIRECTIONS[now.compatibility]:
            what = f"version {first.number} breaks nothing under `{now.compatibility}`"
            yield rules.MAJOR_NEEDLESS.at(place, what)


def _versions(
    entry: LoadedContract, before: Contract | None, readers: list[SubscriptionGrant]
) -> Iterator[Finding]:
    """Findings about each new pair of versions that the mode compares."""
    now = entry.contract
    published = {version.number: version for version in before.versions} if before else {}
    gone = [
        version
        for number, version in published.items()
        if number not in {each.number for each in now.versions}
    ]
    stricter = bool(before and promised(now.compatibility) - promised(before.compatibility))
    reported: dict[tuple[str, str, str], Finding] = {}
    for new in now.versions:
        history = [old for old in (*now.versions, *gone) if old is not new]
        if not stricter and _is_known(new, published):
            history = [old for old in history if not _is_known(old, published)]
        for each in break_findings(entry, new, history, readers):
            reported.setdefault((new.number, *each.key), each.change)
    yield from reported.values()


def _is_known(version: ContractVersion, published: Mapping[str, ContractVersion]) -> bool:
    old = published.get(version.number)
    return old is not None and is_same(old, version)
