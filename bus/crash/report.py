"""What all runs have come to, a line for each fault and guarantee. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bus.crash.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what struck, under which guarantee and seed, and what it came to."""

    fault: str
    guarantee: str
    seed: int
    verdict: Verdict
    subscription: str = ""
    """Whose, in a run of an agency's program."""

    def as_json(self) -> dict[str, Any]:
        """Return it for a machine."""
        said = asdict(self)
        return {**said, **said.pop("verdict")}


@dataclass(frozen=True, slots=True)
class Line:
    """All runs of one fault under one guarantee."""

    fault: str
    guarantee: str
    runs: int
    accepted: int
    lost: int
    twice: int
    out_of_order: int
    most_again: int
    restart_p95_seconds: float | None
    broken_seeds: tuple[int, ...]
    subscription: str = ""
    dead_letters: int = 0
    waiting: int = 0
    unreached: int = 0


def summarize(runs: Sequence[Run]) -> list[Line]:
    """Return a line for each fault, guarantee and subscription, in the order they came."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.fault, run.guarantee, run.subscription), []).append(run)
    return [_line(*what, found) for what, found in groups.items()]


def _line(fault: str, guarantee: str, subscription: str, runs: Sequence[Run]) -> Line:
    verdicts = [run.verdict for run in runs]
    restarts = sorted(one.restart_seconds for one in verdicts if one.restart_seconds is not None)
    return Line(
        fault,
        guarantee,
        len(runs),
        sum(one.accepted for one in verdicts),
        sum(one.lost for one in verdicts),
        sum(one.twice for one in verdicts),
        sum(one.out_of_order for one in verdicts),
        max(one.again for one in verdicts),
        restarts[min(len(restarts) - 1, int(len(restarts) * 0.95))] if restarts else None,
        tuple(run.seed for run in runs if run.verdict.broken),
        subscription,
        sum(one.dead_letters for one in verdicts),
        sum(one.waiting for one in verdicts),
        sum(one.unreached for one in verdicts),
    )
