"""The rule that a minor version breaks nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from contracts.compatibility.modes import Break, breaks
from contracts.compatibility.verdict import NO_WITNESS
from contracts.documents.loaded import LoadedContract, LoadedVersion
from contracts.errors import SchemaUnusableError
from contracts.finding import Finding, Proof, Rule

BUMP: Final = Rule(
    "version-bump-agrees",
    "a minor version must keep the compatibility mode of the contract",
    "publish the change as a new major version, or make it compatible before it is published",
    "BASIC",
)
RULES: Final = (BUMP,)


def check_bumps(entry: LoadedContract) -> Iterator[Finding]:
    """Findings for minor versions that break an earlier one under the contract's compatibility mode."""
    for row in entry.versions:
        try:
            row.version.compile()
            found = list(breaks(row.version, entry.contract.versions, entry.contract.compatibility))
        except SchemaUnusableError:
            continue  # `schema-compiles` reports it
        for each in found:
            yield _finding(entry, row, each)


def _finding(entry: LoadedContract, row: LoadedVersion, found: Break) -> Finding:
    verdict = found.verdict
    undecided = verdict.answer == "undecided"
    does = "may break" if undecided else "breaks"
    old, new = found.old.number, row.shape.number
    what = f"version {new} {does} {old} under {entry.contract.compatibility}: {verdict.reason}"
    place = entry.document.place("versions", row.row, "number")
    witness = None if verdict.witness is NO_WITNESS else json.dumps(verdict.witness, ensure_ascii=False)
    proof = Proof(verdict.answer, witness, found.old_path, found.new_path)
    finding = BUMP.at(place, what, about=f"{old} {new} {found.direction}")
    return replace(finding, proof=proof)
