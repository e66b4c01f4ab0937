"""Checks a change of a catalogue: the promises of each contract, and each pair of versions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from contracts.catalog import Catalog
from contracts.compatibility import kinds as compatibility
from contracts.compatibility.differences import differences
from contracts.compatibility.impact import readers_hit
from contracts.compatibility.modes import DIRECTIONS, Break, breaks, is_same
from contracts.compatibility.verdict import NO_WITNESS
from contracts.contract import Compatibility, Contract, ContractVersion
from contracts.documents.loaded import Loaded, LoadedContract
from contracts.errors import CatalogError
from contracts.finding import Finding, Place, Proof, Rule
from contracts.lint.config import read_config
from contracts.lint.rules import breaking as rules
from contracts.lint.waivers import apply_waivers
from contracts.processes import flat_map
from contracts.schema.json_values import steps_of

RULES: Final[tuple[Rule, ...]] = (*rules.RULES, *compatibility.RULES)

_MOST_CAUSES: Final = 20


@dataclass(frozen=True)
class Before:
    """The catalogue to compare with.

    Attributes:
        catalog: The contracts that could be read.
        unreadable: Subjects with a folder whose contract could not be read.
    """

    catalog: Catalog
    unreadable: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[Finding, ...]:
        """A finding for each unreadable subject."""
        what = "the earlier version of `{}` cannot be read"
        return tuple(rules.UNREADABLE.at(Place(_file(name)), what.format(name)) for name in self.unreadable)

    def whole(self) -> Catalog:
        """The catalogue, when all of it could be read.

        Raises:
            CatalogError: A contract could not be read.
        """
        if self.faults:
            raise CatalogError(self.faults)
        return self.catalog


def breaking(loaded: Loaded, before: Before, today: date) -> tuple[Finding, ...]:
    """Findings about a change of a catalogue, sorted by place; empty when it breaks nothing.

    Args:
        loaded: The catalogue now.
        before: The catalogue to compare with.
        today: The day on which sunsets and waivers are judged.
    """
    config, faults = read_config(loaded.root, {"breaking": [rule.code for rule in RULES]})
    found = [*_removed(loaded, before.catalog, today), *before.faults]
    known = before.catalog.contracts
    found += flat_map(
        lambda named: _contract(named[1], known.get(named[0]), loaded, today), tuple(loaded.contracts.items())
    )
    reported = [
        finding for finding in found if not config.breaking.silences(finding.code, finding.place.file)
    ]
    kept = apply_waivers(reported, loaded, today, check="breaking")
    return tuple(sorted({*kept, *faults, *loaded.findings}))


def _removed(loaded: Loaded, before: Catalog, today: date) -> Iterator[Finding]:
    for name in before.agencies:
        if name not in loaded.agency_names:
            place = Place(f"agencies/{name}/agency.yaml")
            yield rules.AGENCY_REMOVED.at(place, f"the agency `{name}` was removed")
    hashes = {
        version.sha256: subject
        for subject, entry in loaded.contracts.items()
        if subject not in before.contracts
        for version in entry.contract.versions
    }
    for subject, contract in before.contracts.items():
        if subject in loaded.subjects or all(version.is_retired(today) for version in contract.versions):
            continue
        place = Place(_file(subject))
        moved = [hashes[version.sha256] for version in contract.versions if version.sha256 in hashes]
        if moved:
            yield rules.CONTRACT_RENAMED.at(place, f"`{subject}` was renamed to `{moved[0]}`", about=subject)
        else:
            yield rules.CONTRACT_REMOVED.at(place, f"`{subject}` was removed", about=subject)


def _contract(
    entry: LoadedContract, before: Contract | None, loaded: Loaded, today: date
) -> Iterator[Finding]:
    yield from _versions(entry, before, loaded)
    yield from _majors(entry, before)
    if before is not None:
        yield from _kept(entry, before, today)
        yield from _promises(entry, before)


def _kept(entry: LoadedContract, before: Contract, today: date) -> Iterator[Finding]:
    """Findings about published versions that were removed or changed."""
    now = {row.version.number: row for row in entry.versions}
    for old in before.versions:
        row = now.get(old.number)
        if row is None:
            if not old.is_retired(today) and old.number not in {
                shape.number for shape in entry.shape.versions
            }:
                place = entry.document.place("versions")
                yield rules.VERSION_REMOVED.at(place, f"version {old.number} was removed", about=old.number)
        elif row.version.sha256 != old.sha256 or not _same_references(row.version, old):
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
            yield rules.VERSION_CHANGED.at(row.document.place(), what, about=old.number)


def _same_references(one: ContractVersion, other: ContractVersion) -> bool:
    return json.dumps(one.references, sort_keys=True) == json.dumps(other.references, sort_keys=True)


def _promises(entry: LoadedContract, before: Contract) -> Iterator[Finding]:
    now, document = entry.contract, entry.document
    if _promised(before.compatibility) - _promised(now.compatibility):
        what = f"`compatibility` changed from `{before.compatibility}` to `{now.compatibility}`"
        yield rules.MODE_LOOSENED.at(document.place("compatibility"), what)
    majors = {version.major for version in before.versions} & {version.major for version in now.versions}
    if not majors:
        return
    if before.key != now.key:
        what = f"the key changed from `{before.key.path}` to `{now.key.path}`"
        yield rules.KEY_CHANGED.at(document.place("key"), what)
    if before.content_model != now.content_model:
        what = f"`content_model` changed from `{before.content_model}` to `{now.content_model}`"
        yield rules.CONTENT_MODEL.at(document.place("content_model"), what)
    if before.versions[-1].assert_formats != now.versions[-1].assert_formats:
        words = (
            ("assertion", "annotation") if now.versions[-1].assert_formats else ("annotation", "assertion")
        )
        what = f"`formats` changed from `{words[1]}` to `{words[0]}`"
        yield rules.FORMATS.at(document.place("formats"), what)
    yield from _sizes(entry, before)


def _sizes(entry: LoadedContract, before: Contract) -> Iterator[Finding]:
    now, document = entry.contract, entry.document
    if now.retention_days < before.retention_days:
        what = f"`retention` changed from {before.retention_days:g} to {now.retention_days:g} days"
        yield rules.RETENTION.at(document.place("retention"), what)
    if now.partitions != before.partitions:
        what = f"`partitions` changed from {before.partitions} to {now.partitions}"
        yield rules.PARTITIONS.at(document.place("partitions"), what)
    if now.max_bytes < before.max_bytes:
        what = f"`max_bytes` changed from {before.max_bytes:,} to {now.max_bytes:,}"
        yield rules.MAX_BYTES.at(document.place("max_bytes"), what)


def _promised(mode: Compatibility) -> frozenset[tuple[str, bool]]:
    transitive = (False, True) if mode.endswith("_TRANSITIVE") else (False,)
    return frozenset((direction, far) for direction in DIRECTIONS[mode] for far in transitive)


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


def _versions(entry: LoadedContract, before: Contract | None, loaded: Loaded) -> Iterator[Finding]:
    """Findings about each new pair of versions that the mode compares."""
    now = entry.contract
    published = {version.number: version for version in before.versions} if before else {}
    gone = [
        version
        for number, version in published.items()
        if number not in {each.number for each in now.versions}
    ]
    stricter = bool(before and _promised(now.compatibility) - _promised(before.compatibility))
    reported: dict[tuple[str, str], Finding] = {}
    for new in now.versions:
        history = [old for old in (*now.versions, *gone) if old is not new]
        if not stricter and _is_known(new, published):
            history = [old for old in history if not _is_known(old, published)]
        for found in breaks(new, history, now.compatibility):
            finding = _finding(entry, found, loaded)
            key = (new.number, f"{finding.code} {found.new_path}")
            reported.setdefault(key, finding)
    yield from reported.values()


def _is_known(version: ContractVersion, published: Mapping[str, ContractVersion]) -> bool:
    old = published.get(version.number)
    return old is not None and is_same(old, version)


def _finding(entry: LoadedContract, found: Break, loaded: Loaded) -> Finding:
    rule, cause = _rule(found)
    readers = readers_hit(found, [each.subscription for each in loaded.subscriptions.values()])
    verdict = found.verdict
    words = (
        f"{found.new.number} breaks {found.old.number} under `{found.new.contract.compatibility}`: {cause}"
    )
    what = f"{words}; it would pass {found.would_pass}"
    place = _place(entry, found.new, found.causes[0].new_path if found.causes else found.new_path)
    proof = Proof(
        verdict.answer,
        None if verdict.witness is NO_WITNESS else json.dumps(verdict.witness),
        found.old_path,
        found.new_path,
        tuple(f"{each.name} {each.words}" for each in found.causes[:_MOST_CAUSES]),
        readers,
    )
    about = f"{found.new.number} {found.old.number} {found.direction} {found.new_path}"
    return replace(rule.at(place, what, about=about), proof=proof)


def _rule(found: Break) -> tuple[Rule, str]:
    if found.verdict.answer == "undecided":
        return compatibility.UNDECIDED, found.verdict.reason.rstrip(".")
    if found.causes:
        cause = found.causes[0]
        return cause.kind.rule, cause.words
    backward = found.direction == "BACKWARD"
    return compatibility.NARROWED if backward else compatibility.WIDENED, found.verdict.reason.rstrip(".")


def _place(entry: LoadedContract, version: ContractVersion, pointer: str | None) -> Place:
    """The target of a pointer in the files of a version; the list of versions when the version is gone."""
    row = next((row for row in entry.versions if row.version.number == version.number), None)
    if row is None:
        return entry.document.place("versions")
    uri, _, fragment = (pointer or "#").partition("#")
    for document in (row.document, *row.references):
        if uri in ("", str(document.value.get("$id", "")).removesuffix("#")):
            return document.place(*steps_of(document.value, fragment))
    return row.document.place()


def _file(subject: str) -> str:
    agency, _, event = subject.partition(".")
    return f"agencies/{agency}/{event}/contract.yaml"
