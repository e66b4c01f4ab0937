"""Rules about the life cycle of contracts: version numbers, deprecation, and use."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date
from typing import Final

from contracts.documents.loaded import Loaded, LoadedContract
from contracts.finding import Finding, Rule
from contracts.paths import Step

FILE_NAME: Final = Rule(
    "version-file-name",
    "people look for the schema of a version under its number",
    "name the file `v<major>.<minor>.json`",
)
NEXT: Final = Rule(
    "version-next",
    "a gap in the numbers suggests a missing version that may still be in use",
    "number versions without gaps: from `1.0`, minor by minor, major by major",
    "BASIC",
)
SCHEMA_ID: Final = Rule(
    "schema-id-once",
    "an `$id` must identify one schema: with two, references are ambiguous",
    "give each version its own `$id`, such as `urn:govbus:contract:<subject>:<version>`",
    "BASIC",
)
MODE: Final = Rule(
    "compatibility-promised",
    "with `NONE`, any change may break any reader",
    "choose a mode such as `BACKWARD_TRANSITIVE`, and publish breaking changes as a new major version",
)
SUNSET: Final = Rule(
    "deprecated-version-sunset",
    "readers of a deprecated version must know how long it is published",
    "add `sunset`, the last day on which it is published",
)
SUNSET_PASSED: Final = Rule(
    "sunset-passed",
    "after its sunset nobody is responsible for a version, but its topic still exists",
    "remove the version once it has no readers, or agree on a later day with its readers",
)
WINDOW: Final = Rule(
    "major-window",
    "publishing two major versions is double work, so it needs an end date",
    "mark the older versions `deprecated: true` with a `sunset`",
)
SUCCESSOR: Final = Rule(
    "deprecated-has-successor",
    "readers of a deprecated version need a version to move to",
    "add the version that replaces it",
)
ORPHAN: Final = Rule(
    "event-used",
    "an event that no service and no reader uses is published for nothing",
    "use it in a service, add a subscription, or remove the contract",
    severity="warning",  # the last reader may be revoked; that is no fault of the contract
)
DEPRECATED: Final = Rule(
    "reference-not-deprecated",
    "users of a deprecated version will have to change again",
    "refer to the version that replaces it",
)
RULES: Final = (
    *(FILE_NAME, NEXT, SCHEMA_ID, MODE),
    *(SUNSET, SUNSET_PASSED, WINDOW, SUCCESSOR, ORPHAN, DEPRECATED),
)


def check_lifecycle(entry: LoadedContract, today: date) -> Iterator[Finding]:
    """Findings about the versions of one contract.

    Args:
        entry: The contract.
        today: The day to compare with each `sunset`.
    """
    yield from _numbers(entry)
    yield from _ids(entry)
    yield from _deprecation(entry, today)
    if entry.shape.compatibility == "NONE":
        yield MODE.at(entry.document.place("compatibility"), "`NONE` promises nothing")


def check_references(loaded: Loaded) -> Iterator[Finding]:
    """Findings about unused events, and about uses of deprecated versions."""
    used = {subscription.subscription.subject for subscription in loaded.subscriptions.values()}
    for entry in loaded.services.values():
        service = entry.service
        named: list[tuple[tuple[Step, ...], str]] = [(("start",), service.start)]
        named += [(("milestones", row, "event"), hop.event) for row, hop in enumerate(service.milestones)]
        used.update(subject for _, subject in named)
        for steps, subject in named:
            if _is_deprecated(loaded, subject):
                place = entry.document.place(*steps)
                yield DEPRECATED.at(place, f"every version of `{subject}` is deprecated")
    for subscribed in loaded.subscriptions.values():
        subject, major = subscribed.subscription.subject, subscribed.subscription.major
        if _is_deprecated(loaded, subject, major):
            place = subscribed.document.place("version")
            yield DEPRECATED.at(place, f"version {major} of `{subject}` is deprecated")
    yield from _orphans(loaded, used)


def _orphans(loaded: Loaded, used: Collection[str]) -> Iterator[Finding]:
    for subject, entry in loaded.contracts.items():
        if subject not in used:
            what = f"no service and no subscription uses `{subject}`"
            # An event is published before anybody can ask to read it.
            yield replace(ORPHAN.at(entry.document.place("subject"), what), severity="warning")


def _is_deprecated(loaded: Loaded, subject: str, major: int | None = None) -> bool:
    entry = loaded.contracts.get(subject)
    rows = [row for row in entry.versions if major in (None, row.version.major)] if entry else []
    latest = max(rows, key=lambda row: (row.version.major, row.version.minor), default=None)
    return latest is not None and latest.shape.deprecated


def _numbers(entry: LoadedContract) -> Iterator[Finding]:
    numbers = sorted((row.version.major, row.version.minor) for row in entry.versions)
    for row in entry.versions:
        major, minor = row.version.major, row.version.minor
        wanted = f"v{row.shape.number}.json"
        if row.shape.file != wanted:
            place = entry.document.place("versions", row.row, "file")
            yield FILE_NAME.at(
                place, f"version {row.shape.number} is in `{row.shape.file[:200]}`, not in `{wanted}`"
            )
        # The oldest may have been removed after their sunset: only gaps between versions count.
        below = [each for each in numbers if each[0] == major and each[1] < minor]
        older = [each[0] for each in numbers if each[0] < major]
        if (below and below[-1][1] != minor - 1) or (not below and older and older[-1] != major - 1):
            place = entry.document.place("versions", row.row, "number")
            yield NEXT.at(place, f"the version before {row.shape.number} is missing")


def _ids(entry: LoadedContract) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for row in entry.versions:
        for document in (row.document, *row.references):
            named = document.value.get("$id")
            if isinstance(named, str) and seen.setdefault(named, document.sha256) != document.sha256:
                what = "another schema of the contract has the same `$id`"
                yield SCHEMA_ID.at(document.place("$id"), what)


def _deprecation(entry: LoadedContract, today: date) -> Iterator[Finding]:
    newest = max(row.version.major for row in entry.versions)
    last = max((row.version.major, row.version.minor) for row in entry.versions)
    latest = {row.version.major: row for row in sorted(entry.versions, key=lambda row: row.version.minor)}
    for row in entry.versions:
        version, place = row.version, entry.document.place("versions", row.row, "number")
        if version.deprecated and version.sunset is None:
            yield SUNSET.at(place, f"version {version.number} is deprecated without `sunset`")
        if version.deprecated and (version.major, version.minor) == last:
            yield SUCCESSOR.at(place, f"version {version.number} is deprecated, but has no successor")
        if version.sunset and version.sunset < today:
            where = entry.document.place("versions", row.row, "sunset")
            yield SUNSET_PASSED.at(where, f"the sunset of version {version.number} has passed")
        if version.major < newest and row is latest[version.major] and not version.deprecated:
            yield WINDOW.at(
                place, f"version {version.number} is not deprecated, although version {newest} replaces it"
            )
