"""Watches the books until every case has an outcome, or until nothing moves any more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.demo.books import Books, read_books
from connectors.demo.check import Account, settle
from connectors.demo.children import Children
from connectors.demo.outcome import Ending
from connectors.demo.screen import Moment, Screen
from connectors.demo.timing import Spread
from connectors.demo.wish import Wish
from connectors.demo.witness import Witness
from contracts import Catalog

__all__ = ["Audit"]

LOOK_SECONDS = 0.5
QUIET_SECONDS = 3.0


class Audit:
    """Reads the books again and again.

    Args:
        folder: Of the books.
        run: What this run's references begin with.
        witness: What the bus says.
        catalog: The services and what completes them.
        wish: The options of the run.
        troubles: What goes wrong with the offices, in sentences.
        started: Monotonic time at which the command began.
    """

    ports: Mapping[str, int]

    def __init__(
        self,
        *,
        folder: Path,
        run: str,
        witness: Witness,
        catalog: Catalog,
        wish: Wish,
        troubles: Sequence[str],
        started: float,
    ) -> None:
        self._wish = wish
        self.troubles = troubles
        self._started = started
        self._folder = folder
        self._run = run
        self._witness = witness
        self._services = catalog.services
        self._titles = {name: service.title for name, service in catalog.services.items()}
        self._first_completed: float | None = None

    async def listen(self, *, from_now: bool) -> None:
        """Begin to hear what the bus says.

        Args:
            from_now: Whether what a standing cluster holds already is read and set aside first.
        """
        self._listening = asyncio.create_task(self._witness.listen(from_now=from_now))
        if from_now:
            waiting = asyncio.ensure_future(self._witness.ready())
            await asyncio.wait([waiting, self._listening], return_when=asyncio.FIRST_COMPLETED)
            if self._listening.done():
                waiting.cancel()
                self._listening.result()

    async def stop_listening(self) -> None:
        """Hear no more."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def watch(self, clerks: asyncio.Task[None], children: Children, screen: Screen) -> Ending:
        """Look until the books are settled and quiet, or nothing has moved for `Wish.stall_seconds`.

        Raises:
            ChildDiedError: A child process ended.
        """
        moved, seen = time.monotonic(), ""
        while True:
            children.check()
            for task in (clerks, self._listening):
                if task.done():
                    task.result()
            books, account = await self._look()
            now = time.monotonic()
            if account.total.completed and self._first_completed is None:
                self._first_completed = round(now - self._started, 2)
            fingerprint = self._fingerprint(books, account)
            if fingerprint != seen:
                moved, seen = now, fingerprint
            settled = clerks.done() and not account.lost and self._announced(account)
            patience = QUIET_SECONDS if settled else self._wish.stall_seconds
            ended = clerks.done() and now - moved >= patience
            screen.show(self._moment(account, now - self._started), final=ended)
            if ended:
                return self._ending(books, account, moved - self._started)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> tuple[Books, Account]:
        books = await asyncio.to_thread(read_books, self._folder)
        mine = [effect for effect in books.effects if effect.reference.startswith(self._run)]
        account = settle(
            submissions=books.submissions,
            effects=mine,
            rejections=self._witness.rejections(books.places),
            ends={name: service.ends for name, service in self._services.items()},
        )
        return books, account

    def _announced(self, account: Account) -> bool:
        """Whether the bus has told of every end that the books hold; only then are the times complete."""
        return all(
            self._witness.stopwatch.completed(self._services[name]) >= tally.completed
            for name, tally in account.services.items()
        )

    def _fingerprint(self, books: Books, account: Account) -> str:
        told = [self._witness.stopwatch.completed(service) for service in self._services.values()]
        calls = [(calls.taken, calls.repeated) for calls in books.calls]
        return f"{account.total} {len(books.effects)} {len(books.submissions)} {calls} {told}"

    def _took(self) -> dict[str, Spread]:
        return {
            name: self._witness.stopwatch.transactions(service) for name, service in self._services.items()
        }

    def _moment(self, account: Account, elapsed: float) -> Moment:
        return Moment(account, self._wish.transactions, self._took(), self._titles, elapsed)

    def _ending(self, books: Books, account: Account, elapsed: float) -> Ending:
        stopwatch = self._witness.stopwatch
        return Ending(
            account=account,
            took=self._took(),
            steps={name: stopwatch.steps(service) for name, service in self._services.items()},
            rejections=self._witness.rejections(books.places),
            calls=books.calls,
            titles=self._titles,
            troubles=self.troubles,
            first_completed_seconds=self._first_completed,
            elapsed_seconds=elapsed,
            seed=self._wish.seed,
        )
