"""The versions of a contract, each compared with the one before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

from contracts.compatibility.deciding import NO_WITNESS
from contracts.compatibility.modes import judge
from contracts.contract import Contract, ContractVersion


@dataclass(frozen=True, slots=True)
class VersionStep:
    """One version, compared with the one before.

    Attributes:
        before: The number of the version before; None for the first.
        answer: The verdict: whether readers of this version can read events of the one before.
        reason: The reason, in one sentence.
        witness: A generated event that shows the break, as JSON.
        places: The places of the break, as JSON pointers into the old and new schemas.
    """

    version: ContractVersion
    before: str | None
    answer: str
    reason: str
    witness: str | None
    places: tuple[str, ...]


def history_of(contract: Contract) -> tuple[VersionStep, ...]:
    """All versions of a contract, newest first."""
    versions = contract.versions
    steps = [VersionStep(versions[0], None, "first", "The first version.", None, ())]
    steps += [_step(old, new) for old, new in pairwise(versions)]
    return tuple(reversed(steps))


def _step(old: ContractVersion, new: ContractVersion) -> VersionStep:
    verdict = judge(old, new)
    shown = verdict.witness is not NO_WITNESS
    places = (place for place in (verdict.old_path, verdict.new_path) if place is not None)
    return VersionStep(
        version=new,
        before=old.number,
        answer=verdict.answer,
        reason=verdict.reason,
        witness=json.dumps(verdict.witness, ensure_ascii=False, indent=2) if shown else None,
        places=tuple(dict.fromkeys(places)),
    )
