"""What the monitor says of a run, read as an operator would: with `govbus transactions list --json`.

The times come from here. The number of completed transactions is shown beside the account and decides nothing
in it.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connectors.demo.processes import GOVBUS, DemoProcesses
from contracts import Service

__all__ = ["HopTimes", "MonitorQuery", "MonitorReport", "Spread", "spread"]

COMMAND = (*GOVBUS, "transactions", "list", "--json", "--limit")
MOST = 10_000
OTHERS = 1_000
PAUSE_SECONDS = 10.0
IN_FLIGHT = frozenset({"open", "late", "agency-silent"})
"""States of a transaction that may still end."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles in seconds by the nearest rank; None where nothing was measured."""

    count: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class HopTimes:
    """The times of one hop of a service.

    Attributes:
        after: The event it waits for.
        event: The event it ends with.
        took: From the one to the other.
        queue: How long the first event was on the bus before its subscriber received it.
        handle: How long the subscriber's delivery took, with all retries.
    """

    after: str
    event: str
    took: Spread
    queue: Spread
    handle: Spread


def spread(seconds: Collection[float]) -> Spread:
    """Return the percentiles of durations in seconds."""
    ordered = sorted(seconds)

    def rank(percent: int) -> float | None:
        return round(ordered[-(-len(ordered) * percent // 100) - 1], 6) if ordered else None

    return Spread(len(ordered), rank(50), rank(95), rank(99))


class MonitorReport:
    """The transactions of one run. Pure.

    Args:
        transactions: Those that `govbus transactions list --json` printed; None: it has not answered.
        cut: Whether the run may have more.

    Attributes:
        answered: Whether the monitor has answered.
        cut: Whether the run may have more transactions than the report.
    """

    def __init__(self, transactions: Sequence[Mapping[str, Any]] | None, *, cut: bool = False) -> None:
        self.answered = transactions is not None
        self.cut = cut
        self._services: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for transaction in transactions or ():
            self._services[transaction["service"]].append(transaction)

    def count(self, state: str) -> int | None:
        """Return how many transactions are in a state, None if the report does not list all of the run."""
        return self._count({state})

    @property
    def in_flight(self) -> int | None:
        """How many transactions may still end, None if the report does not list all of the run."""
        return self._count(IN_FLIGHT)

    def _count(self, states: Collection[str]) -> int | None:
        if self.cut or not self.answered:
            return None
        transactions = [found for service in self._services.values() for found in service]
        return len([found for found in transactions if found["state"] in states])

    def completed(self, service: Service) -> int:
        """Return how many transactions of a service are completed."""
        return self.took(service).count

    def took(self, service: Service) -> Spread:
        """Return how long completed transactions of a service took, from start event to last end event."""
        return spread(
            [
                transaction["duration_ms"] / 1000
                for transaction in self._services[service.name]
                if transaction["state"] == "completed"
            ]
        )

    def hops(self, service: Service) -> list[HopTimes]:
        """Return the times of a service's hops, in the order of its definition."""
        return [
            self._hop(service.name, milestone.after or service.start, milestone.event, milestone.agency)
            for milestone in service.milestones
        ]

    def _hop(self, service: str, after: str, event: str, agency: str) -> HopTimes:
        took, queue, handle = [], [], []
        for transaction in self._services[service]:
            published = _published(transaction)
            if after not in published or event not in published:
                continue
            took.append((published[event] - published[after]).total_seconds())
            for hop in transaction["hops"]:
                if (hop["subject"], hop["subscriber"]) == (after, agency):
                    queue.append(hop["queue_ms"] / 1000)
                    if hop["outcome"] == "ack":
                        handle.append(hop["handle_ms"] / 1000)
        return HopTimes(after, event, spread(took), spread(queue), spread(handle))


def _published(transaction: Mapping[str, Any]) -> dict[str, datetime]:
    """Return when each event of a transaction was first published."""
    published: dict[str, datetime] = {}
    for hop in transaction["hops"]:
        if hop["subscriber"] is not None or hop["outcome"] == "published":
            at = datetime.fromisoformat(hop["published"])
            published[hop["subject"]] = min(at, published.get(hop["subject"], at))
    return published


class MonitorQuery:
    """Asks the monitor's database for the transactions of one run.

    The newest come first; `OTHERS` leaves room for those of a cluster that is used by others too.

    Args:
        processes: Where the command runs.
        database: The SQLAlchemy URL of the database; a password in it stays off the command line.
        run: What the ids of the transactions begin with.
        count: How many the run has.

    Attributes:
        report: The latest answer.
    """

    def __init__(self, processes: DemoProcesses, database: str, run: str, count: int) -> None:
        self._processes = processes
        self._environment = {"GOVBUS_DATABASE": database}
        self._run = run
        self._limit = min(MOST, count + OTHERS)
        self._begun = asyncio.Event()
        self.report = MonitorReport(None)

    def begin(self) -> None:
        """Let `poll` begin; until something is completed it would only take time from the other processes."""
        self._begun.set()

    async def poll(self) -> None:
        """Read again and again, until cancelled."""
        await self._begun.wait()
        while True:
            await self.read()
            await asyncio.sleep(PAUSE_SECONDS)

    async def read(self) -> None:
        """Read the report; keep the last one when the monitor has no answer."""
        command = (*COMMAND, str(self._limit))
        output = await self._processes.output(*command, environment=self._environment)
        if output is not None:
            found = json.loads(output)
            mine = [transaction for transaction in found if transaction["id"].startswith(self._run)]
            self.report = MonitorReport(mine, cut=len(mine) == self._limit)
