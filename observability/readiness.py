"""Whether the monitor's database answers, and whether a monitor keeps it complete.

Law of this file: a database that hangs holds one thread at most, however often somebody asks.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bus import Check
from observability.database.store import Store

BEHIND = timedelta(minutes=1)
"""How long what was written may be missing in the database."""


def behind(read_until: datetime, now: datetime) -> str | None:
    """Return that receipts are missing for longer than `BEHIND`; None if they are not. Pure."""
    if now - read_until <= BEHIND:
        return None
    return f"receipts written after {read_until:%Y-%m-%dT%H:%M:%SZ} are not in the database yet"


class StoreReadiness:
    """Asks a database how far a monitor has come.

    Args:
        store: the database.
        clock: the current time.
    """

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._asking: asyncio.Future[tuple[datetime | None, datetime]] | None = None

    @property
    def checks(self) -> Mapping[str, Check]:
        """Whether the database answers, and a monitor keeps it complete."""
        return {"database": self.database_fault, "receipts": self._receipts_fault}

    async def database_fault(self) -> str | None:
        """Return None; raise what the database answers instead."""
        await self._answer()
        return None

    async def _receipts_fault(self) -> str | None:
        read_until, now = await self._answer()
        return "no monitor has read yet" if read_until is None else behind(read_until, now)

    async def _answer(self) -> tuple[datetime | None, datetime]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.ensure_future(asyncio.to_thread(self._ask))
        return await asyncio.shield(self._asking)

    def _ask(self) -> tuple[datetime | None, datetime]:
        return self._store.read_until(), self._clock()
