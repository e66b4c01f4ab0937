"""Grants of a running program: a subscription ends when its grant does.

Law of this file: a grant that is missing is looked for a second time before a subscription ends. A document
that moves, as by a new name, is withdrawn and added in two entries of the registry.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from bus.errors import NotGrantedError

LOOK_SECONDS = 30.0
"""How often grants are looked at where no catalogue is new: they end by the day, too."""
SETTLE_SECONDS = 10.0
"""How long the rest of an `apply` may take to come."""


class GrantWatch:
    """Ends the subscriptions of one program whose grant is over.

    Args:
        missing: returns the subscriptions that are not granted now, by name, and why.
        end: ends a subscription.
    """

    def __init__(
        self,
        missing: Callable[[], Mapping[str, NotGrantedError]],
        end: Callable[[str, NotGrantedError], None],
    ) -> None:
        self._missing = missing
        self._end = end
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.create_task(self._run())

    def changed(self) -> None:
        """Look now: the catalogue is another."""
        self._changed.set()

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._changed.wait()
            self._changed.clear()
            if not (first := self._missing()):
                continue
            await asyncio.sleep(SETTLE_SECONDS)
            for name, error in self._missing().items():
                if name in first:
                    self._end(name, error)
