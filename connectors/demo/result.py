"""Everything the demo has to say, as one value, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from connectors.demo.books import Calls
from connectors.demo.check import Account, Rejection
from connectors.demo.monitor_query import MonitorReport
from connectors.demo.options import DemoOptions
from contracts import Service

__all__ = ["DemoResult", "ReasonCount"]


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """Why events were rejected, how often, and where the first of them is found."""

    agency: str
    kind: str
    stage: str
    reason: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What one run has come to so far.

    Attributes:
        account: The account of the books.
        report: What the monitor says.
        services: The services by name.
        rejections: What was rejected.
        calls: The calls at the intakes.
        faults: What goes wrong with the offices, in sentences.
        first_completed_seconds: From the command's start to the first completed case.
        elapsed_seconds: From the command's start to the last change.
        options: Of the run.
    """

    account: Account
    report: MonitorReport
    services: Mapping[str, Service]
    rejections: Sequence[Rejection]
    calls: Sequence[Calls]
    faults: Sequence[str]
    first_completed_seconds: float | None
    elapsed_seconds: float
    options: DemoOptions

    @property
    def monitor_completed(self) -> int | None:
        """How many completed transactions the monitor has; None when it did not list all of the run."""
        if self.report.cut or not self.report.answered:
            return None
        return sum(self.report.completed(service) for service in self.services.values())

    @property
    def reported(self) -> bool:
        """Whether the report has the end of every case that has one, or as many as it can have."""
        total, completed, in_flight = self.account.total, self.monitor_completed, self.report.in_flight
        if completed is None or in_flight is None:
            return self.report.cut
        return completed >= total.completed and in_flight <= total.lost

    def reasons(self) -> list[ReasonCount]:
        """Return the rejections by agency and reason, the most frequent first."""
        counted = Counter((each.agency, each.kind, each.stage, each.reason) for each in self.rejections)
        first = {
            (each.agency, each.kind, each.stage, each.reason): each.where
            for each in sorted(self.rejections, key=lambda each: each.where, reverse=True)
        }
        return [ReasonCount(*key, count, first[key]) for key, count in counted.most_common()]

    def as_json(self) -> dict[str, object]:
        """Return it as JSON values; durations are seconds."""
        account = self.account
        return {
            "summary": account.last_line,
            "clean": account.clean,
            "seed": self.options.seed,
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "first_completed_seconds": self.first_completed_seconds,
            **asdict(account.total),
            "handled_twice": account.handled_twice,
            "monitor_completed": self.monitor_completed,
            "monitor_stuck": self.report.count("stuck"),
            "monitor_open": self.report.count("open"),
            "services": [
                {
                    "service": name,
                    **asdict(tally),
                    "took": asdict(self.report.took(self.services[name])),
                    "hops": [asdict(hop) for hop in self.report.hops(self.services[name])],
                }
                for name, tally in account.services.items()
            ],
            "dead_letters": [asdict(reason) for reason in self.reasons()],
            "intakes": [asdict(calls) for calls in self.calls],
            "troubles": list(self.faults),
            "findings": {
                "lost": list(account.lost),
                "handled_twice": [asdict(effect) for effect in account.doubled],
                "orphans": [asdict(effect) for effect in account.orphans],
                "strays": [asdict(rejection) for rejection in account.strays],
            },
        }
