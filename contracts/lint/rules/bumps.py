"""The rule that a minor version breaks nobody, and the findings about each break.

Law: lint tells of a break by the version that makes it, `breaking` by what changed in the schema. Both are
the same fault, so each finding names the other as its twin, and one waiver serves both.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.compatibility import kinds
from contracts.compatibility.impact import readers_hit
from contracts.compatibility.modes import Break, breaks
from contracts.compatibility.verdict import NO_WITNESS
from contracts.contract import ContractVersion, SubscriptionGrant
from contracts.documents.loaded import Loaded, LoadedContract
from contracts.errors import SchemaUnusableError
from contracts.finding import Finding, Place, Proof, Rule
from contracts.schema.json_values import steps_of

BUMP: Final = Rule(
    "version-bump-agrees",
    "a minor version must keep the compatibility mode of the contract",
    "publish the change as a new major version, or make it compatible before it is published",
    "BASIC",
)
RULES: Final = (BUMP,)

_MOST_CAUSES: Final = 20


@dataclass(frozen=True, slots=True)
class BreakFinding:
    """One break, as each check tells it.

    Attributes:
        found: The break.
        change: The finding of `breaking`.
        bump: The finding of lint.
    """

    found: Break
    change: Finding
    bump: Finding

    @property
    def key(self) -> tuple[str, str]:
        """The same for breaks of several versions by one change."""
        return self.change.code, self.found.new_path or ""


def check_bumps(entry: LoadedContract, loaded: Loaded) -> Iterator[Finding]:
    """Findings for minor versions that break an earlier one under the contract's compatibility mode."""
    readers = [each.subscription for each in loaded.subscriptions.values()]
    for row in entry.versions:
        try:
            row.version.compile()
            found = break_findings(entry, row.version, entry.contract.versions, readers)
        except SchemaUnusableError:
            continue  # `schema-compiles` reports it
        yield from (each.bump for each in found)


def break_findings(
    entry: LoadedContract,
    version: ContractVersion,
    history: Sequence[ContractVersion],
    readers: Collection[SubscriptionGrant],
) -> list[BreakFinding]:
    """Every break by one version of a contract, newest first.

    Args:
        entry: The contract.
        version: The version.
        history: The versions that it may break.
        readers: All subscriptions.
    """
    found = [
        _finding(entry, each, readers) for each in breaks(version, history, entry.contract.compatibility)
    ]
    twins = {
        each.key: tuple(
            identity
            for other in found
            if other.key == each.key
            for identity in (other.change.identity, other.bump.identity)
        )
        for each in found
    }
    return [
        BreakFinding(
            each.found,
            replace(each.change, twins=twins[each.key]),
            replace(each.bump, twins=twins[each.key]),
        )
        for each in found
    ]


def _finding(entry: LoadedContract, found: Break, readers: Collection[SubscriptionGrant]) -> BreakFinding:
    verdict = found.verdict
    proof = Proof(
        verdict.answer,
        None if verdict.witness is NO_WITNESS else json.dumps(verdict.witness),
        found.old_path,
        found.new_path,
        readers=readers_hit(found, readers),
    )
    return BreakFinding(found, _change(entry, found, proof), _bump(entry, found, proof))


def _bump(entry: LoadedContract, found: Break, proof: Proof) -> Finding:
    does = "may break" if found.verdict.answer == "undecided" else "breaks"
    old, new, mode = found.old.number, found.new.number, entry.contract.compatibility
    what = f"version {new} {does} {old} under {mode}: {found.verdict.reason}"
    row = next((row.row for row in entry.versions if row.version is found.new), 0)
    place = entry.document.place("versions", row, "number")
    return replace(BUMP.at(place, what, about=f"{old} {new} {found.direction}"), proof=proof)


def _change(entry: LoadedContract, found: Break, proof: Proof) -> Finding:
    rule, cause = _rule(found)
    old, new = found.old.number, found.new.number
    words = f"{new} breaks {old} under `{entry.contract.compatibility}`: {cause}"
    place = _place(entry, found.new, found.causes[0].new_path if found.causes else found.new_path)
    causes = tuple(f"{each.name} {each.words}" for each in found.causes[:_MOST_CAUSES])
    about = f"{new} {old} {found.direction} {found.new_path}"
    finding = rule.at(place, f"{words}; it would pass {found.would_pass}", about=about)
    return replace(finding, proof=replace(proof, differences=causes))


def _rule(found: Break) -> tuple[Rule, str]:
    if found.verdict.answer == "undecided":
        return kinds.UNDECIDED, found.verdict.reason.rstrip(".")
    if found.causes:
        cause = found.causes[0]
        return cause.kind.rule, cause.words
    backward = found.direction == "BACKWARD"
    return kinds.NARROWED if backward else kinds.WIDENED, found.verdict.reason.rstrip(".")


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
