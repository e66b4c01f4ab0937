"""Reads the books of the legacy systems until every case has an outcome or nothing changes any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bus import HealthWatch
from connectors.demo.books import read_books
from connectors.demo.check import settle
from connectors.demo.dead_letters import DeadLetterReader
from connectors.demo.monitor_query import MonitorQuery
from connectors.demo.options import DemoOptions
from connectors.demo.processes import DemoProcesses
from connectors.demo.result import DemoResult
from connectors.demo.screen import Screen
from contracts import Service

__all__ = ["Audit"]

QUIET_SECONDS = 3.0
AGAIN_SECONDS = 0.5
START_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Audit:
    """Holds the books at both ends of each service against each other.

    Attributes:
        folder: Of the books.
        run: What the references of this run begin with.
        services: The services by name.
        letters: The dead letters of the run.
        monitor: The monitor, for the times.
        faults: What goes wrong with the offices, in sentences.
        options: Of the demo.
        started: Monotonic time at which the command began.
        health: What the run needs; while some of it is away, no case is given up.
    """

    folder: Path
    run: str
    services: Mapping[str, Service]
    letters: DeadLetterReader
    monitor: MonitorQuery
    faults: Sequence[str]
    options: DemoOptions
    started: float
    health: HealthWatch

    async def watch(self, processes: DemoProcesses, screen: Screen, clerks: asyncio.Task[None]) -> DemoResult:
        """Look until every case has an outcome, or nothing has changed for `DemoOptions.stall_seconds`.

        Args:
            processes: Must all run meanwhile.
            screen: Where the progress is shown.
            clerks: Ends when every case is entered.

        Raises:
            DemoError: A process ended.
        """
        polling = asyncio.create_task(self.monitor.poll())
        changed, seen, first_completed = time.monotonic(), "", None
        try:
            while True:
                await self.letters.read()
                processes.check()
                for task in (clerks, polling):
                    if task.done():
                        task.result()
                result, state = await self._look(first_completed)
                first_completed = result.first_completed_seconds
                if state != seen or not self.health.report.ready:
                    changed, seen = time.monotonic(), state
                ended = clerks.done() and time.monotonic() - changed >= self._patience(result)
                screen.show(result, final=ended)
                if ended:
                    break
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)
        return await self._with_times(replace(result, elapsed_seconds=changed - self.started))

    def _patience(self, result: DemoResult) -> float:
        """Return how many seconds without a change end the run."""
        if not result.account.lost:
            return QUIET_SECONDS
        if not result.rejections and not any(calls.taken for calls in result.calls):
            return max(START_SECONDS, self.options.stall_seconds)  # the connectors may still be starting
        return self.options.stall_seconds

    async def _with_times(self, result: DemoResult) -> DemoResult:
        """Return the result with the monitor's report, once that has every case's end or is too late."""
        until = time.monotonic() + self.options.stall_seconds
        while True:
            await self.monitor.read()
            result = replace(result, report=self.monitor.report)
            if result.reported or time.monotonic() > until:
                return result
            await asyncio.sleep(AGAIN_SECONDS)

    async def _look(self, first_completed: float | None) -> tuple[DemoResult, str]:
        """Return how things are, and what of it changes as long as something happens."""
        books = await asyncio.to_thread(read_books, self.folder)
        rejections = self.letters.rejections(books.places)
        account = settle(
            submissions=books.submissions,
            effects=[effect for effect in books.effects if effect.reference.startswith(self.run)],
            rejections=rejections,
            ends={name: service.ends for name, service in self.services.items()},
        )
        elapsed = time.monotonic() - self.started
        if account.total.completed and first_completed is None:
            first_completed = round(elapsed, 2)
            self.monitor.begin()
        result = DemoResult(
            account=account,
            report=self.monitor.report,
            services=self.services,
            rejections=rejections,
            calls=books.calls,
            faults=self.faults,
            first_completed_seconds=first_completed,
            elapsed_seconds=elapsed,
            options=self.options,
        )
        return result, str((account.total, len(books.effects), books.calls))
