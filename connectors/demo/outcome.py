"""Everything the demo has to say at its end, as one value, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from connectors.demo.books import Calls
from connectors.demo.check import Account, Rejection
from connectors.demo.timing import Spread, Step

__all__ = ["Ending", "Reason", "reasons"]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why things were turned away, how often, and where the first of them is found."""

    agency: str
    kind: str
    stage: str
    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of one run.

    Attributes:
        account: The books.
        took: Per service, start event to last end event.
        steps: Per service, its hops.
        rejections: What was turned away.
        calls: The intakes' calls.
        titles: Per service, its title.
        troubles: What went wrong with the offices, in sentences.
        first_completed_seconds: From the command's start to the first completed transaction.
        elapsed_seconds: From the command's start to the end of the account.
        seed: Of the run.
        monitor_completed: How many completed transactions the monitor knows; None when it can't say.
    """

    account: Account
    took: Mapping[str, Spread]
    steps: Mapping[str, Sequence[Step]]
    rejections: Sequence[Rejection]
    calls: Sequence[Calls]
    titles: Mapping[str, str]
    troubles: Sequence[str]
    first_completed_seconds: float | None
    elapsed_seconds: float
    seed: int
    monitor_completed: int | None = None

    def as_json(self) -> dict[str, object]:
        """Return it as JSON values; durations are seconds."""
        account = self.account
        return {
            "summary": account.last_line,
            "clean": account.clean,
            "seed": self.seed,
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "first_completed_seconds": self.first_completed_seconds,
            **asdict(account.total),
            "handled_twice": account.handled_twice,
            "monitor_completed": self.monitor_completed,
            "services": [
                {
                    "service": service,
                    **asdict(tally),
                    "took": asdict(self.took[service]),
                    "hops": [asdict(step) for step in self.steps[service]],
                }
                for service, tally in account.services.items()
            ],
            "dead_letters": [asdict(reason) for reason in reasons(self.rejections)],
            "intakes": [asdict(calls) for calls in self.calls],
            "troubles": list(self.troubles),
            "findings": {
                "lost": list(account.lost),
                "handled_twice": [asdict(effect) for effect in account.doubled],
                "orphans": [asdict(effect) for effect in account.orphans],
                "strays": [asdict(rejection) for rejection in account.strays],
            },
        }


def reasons(rejections: Sequence[Rejection]) -> list[Reason]:
    """Return the rejections by agency and reason, the most frequent first."""
    counted = Counter((each.agency, each.kind, each.stage, each.reason) for each in rejections)
    first = {
        (each.agency, each.kind, each.stage, each.reason): each.where
        for each in sorted(rejections, key=lambda each: each.where, reverse=True)
    }
    return [Reason(*key, count, first[key]) for key, count in counted.most_common()]
