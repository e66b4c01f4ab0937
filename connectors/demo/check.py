"""The account at the end: the books of the start systems against the books of the receiving systems. Pure.

Law: accepted = completed + refused + dead-lettered + lost. A case is completed if each end effect of its
service is in the receiving books; else it is refused or dead-lettered if a dead letter says so; else it is
lost. An effect that is in the books more than once was handled twice. The receipts of the bus do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Account", "Effect", "Rejection", "State", "Submission", "Tally", "settle"]

State = Literal["completed", "refused", "dead-lettered", "lost"]


@dataclass(frozen=True, slots=True)
class Submission:
    """A case in the books of the system where it began."""

    service: str
    reference: str


@dataclass(frozen=True, slots=True)
class Effect:
    """A fact in the books of a receiving system, named by the subject its event has."""

    subject: str
    reference: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something that the bus rejected, with its reason.

    Attributes:
        kind: `refused` if an agency's own event broke its contract, else `dead-lettered`.
        agency: Whose dead letter it is.
        reason: One of the bus' closed reasons.
        stage: The stage that rejected it.
        where: Where it came from, as `file:line`, `table:position` or `topic:offset`.
        reference: Its case; None if unknown.
    """

    kind: Literal["refused", "dead-lettered"]
    agency: str
    reason: str
    stage: str
    where: str
    reference: str | None


@dataclass(frozen=True, slots=True)
class Tally:
    """The sums of one service, or of all; `accepted` is the sum of the other four."""

    accepted: int = 0
    completed: int = 0
    refused: int = 0
    dead_lettered: int = 0
    lost: int = 0

    @property
    def open(self) -> int:
        """How many have no outcome: open while the demo runs, lost at its end."""
        return self.lost


@dataclass(frozen=True, slots=True)
class Account:
    """How every case ended.

    Attributes:
        states: Each reference with its state.
        services: Each service with its sums.
        total: The sums over all services.
        lost: The references without any outcome.
        doubled: The effects that are in the books more than once.
        orphans: Effects whose case is in no start system.
        strays: Rejections of no known case.
    """

    states: Mapping[str, State]
    services: Mapping[str, Tally]
    total: Tally
    lost: tuple[str, ...]
    doubled: tuple[Effect, ...]
    orphans: tuple[Effect, ...]
    strays: tuple[Rejection, ...]

    @property
    def clean(self) -> bool:
        """Whether every case is accounted for exactly once."""
        return not (self.lost or self.doubled or self.orphans or self.strays)

    @property
    def handled_twice(self) -> int:
        """How many cases have an effect that is in the books more than once."""
        return len({effect.reference for effect in self.doubled})

    @property
    def last_line(self) -> str:
        """The sentence the demo ends with."""
        total = self.total
        return (
            f"accepted {total.accepted}, completed {total.completed}, refused {total.refused}, "
            f"dead-lettered {total.dead_lettered}, {total.lost} lost, {self.handled_twice} handled twice"
        )


def settle(
    *,
    submissions: Iterable[Submission],
    effects: Iterable[Effect],
    rejections: Collection[Rejection],
    ends: Mapping[str, Collection[str]],
) -> Account:
    """Return how every submitted case ended.

    Args:
        submissions: What is in the start systems' books; a case entered twice is one case.
        effects: What is in the receiving systems' books.
        rejections: What the bus rejected.
        ends: Per service, the subjects whose effects complete it.
    """
    services = {submission.reference: submission.service for submission in submissions}
    counted = Counter(effects)
    rejected: dict[str | None, Rejection] = {}
    for rejection in sorted(rejections, key=lambda each: each.kind, reverse=True):
        rejected.setdefault(rejection.reference, rejection)
    states: dict[str, State] = {}
    for reference, service in services.items():
        if all(counted[Effect(end, reference)] for end in ends[service]):
            states[reference] = "completed"
        elif reference in rejected:
            states[reference] = rejected[reference].kind
        else:
            states[reference] = "lost"
    return Account(
        states=states,
        services={service: _tally(states, services, service) for service in ends},
        total=_tally(states, services, None),
        lost=tuple(reference for reference, state in states.items() if state == "lost"),
        doubled=tuple(effect for effect, times in counted.items() if times > 1),
        orphans=tuple(effect for effect in counted if effect.reference not in services),
        strays=tuple(each for each in rejections if each.reference not in services),
    )


def _tally(states: Mapping[str, State], services: Mapping[str, str], service: str | None) -> Tally:
    counted = Counter(state for reference, state in states.items() if service in (None, services[reference]))
    return Tally(
        accepted=counted.total(),
        completed=counted["completed"],
        refused=counted["refused"],
        dead_lettered=counted["dead-lettered"],
        lost=counted["lost"],
    )
