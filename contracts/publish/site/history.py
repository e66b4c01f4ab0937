"""How a contract changed: each version with the verdict on the step to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

from contracts.compatibility.deciding import NO_WITNESS
from contracts.compatibility.modes import judge
from contracts.contract import Contract, ContractVersion


@dataclass(frozen=True, slots=True)
class VersionStep:
    """One version, and what changed from the one before it.

    Attributes:
        before: The number of the version before; None for the first.
        answer: Whether who reads this version can read what was written under the one before.
        reason: Why, in one sentence.
        witness: An event as JSON, made up, that shows the break.
        places: Where it breaks, as JSON pointers into the old schema and the new.
    """

    version: ContractVersion
    before: str | None
    answer: str
    reason: str
    witness: str | None
    places: tuple[str, ...]


def history_of(contract: Contract) -> tuple[VersionStep, ...]:
    """Every version of a contract, newest first."""
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
