"""What the handler of one event has published: which ids are taken, and what the broker does not have yet."""

import asyncio
from collections.abc import Coroutine
from inspect import CORO_CREATED, getcoroutinestate
from typing import Any, Protocol

from bus.errors import BusError, UsageError

TURNS = 2
"""Turns of the loop in which a task begins that a handler, or its thread, has just made."""


class Attempt(Protocol):
    """One attempt at publishing an event."""

    @property
    def has_failed(self) -> bool:
        """Whether it failed, or the handler gave it up: the next event like it is the same one."""


class CausedEvents:
    """The events that one handling has published so far."""

    __slots__ = ("_alike", "_all_landed", "_calls", "_fault", "_open")

    def __init__(self) -> None:
        self._alike: dict[str, list[Attempt]] = {}
        self._calls: list[Coroutine[Any, Any, Any]] = []
        self._open = 0
        self._fault: BusError | None = None
        self._all_landed: asyncio.Future[None] | None = None

    def ordinal(self, likeness: str) -> int:
        """Return the ordinal of another event like this: how many are, or may be, on the bus already.

        Args:
            likeness: see `bus.publish.caused_ids.likeness`.
        """
        attempts = self._alike.get(likeness)
        if not attempts:
            return 0
        return next((n for n, one in enumerate(attempts) if one.has_failed), len(attempts))

    def take(self, likeness: str, ordinal: int, attempt: Attempt) -> None:
        """Give an ordinal to an attempt."""
        attempts = self._alike.setdefault(likeness, [])
        attempts[ordinal : ordinal + 1] = [attempt]

    def called(self, call: Coroutine[Any, Any, Any]) -> None:
        """Note a publish that is to be awaited."""
        self._calls.append(call)

    def begin(self) -> None:
        """Count an event that is sent."""
        self._open += 1

    @property
    def is_awaited(self) -> bool:
        """Whether the handler has returned, and its handling waits for what is on its way."""
        return self._all_landed is not None

    def land(self, unseen: BusError | None = None) -> None:
        """Count an event that the broker took, or that failed.

        Args:
            unseen: the error, where the handler was not told of it.
        """
        self._open -= 1
        self._fault = self._fault or unseen
        if not self._open and self._all_landed is not None:
            self._all_landed.set_result(None)

    @property
    def has_landed(self) -> bool:
        """Whether nothing is on its way, every publish was awaited, and no error was left unseen."""
        return not self._open and self._fault is None and not self._forgotten()

    def _forgotten(self) -> list[Coroutine[Any, Any, Any]]:
        return [call for call in self._calls if getcoroutinestate(call) == CORO_CREATED]

    async def landed(self) -> None:
        """Wait until the broker has everything.

        Raises:
            BusError: it has not, and the handler was not told.
            UsageError: the handler has called `event.publish` and not awaited it.
        """
        for _ in range(TURNS):
            if self._forgotten():
                await asyncio.sleep(0)
        if forgotten := self._forgotten():
            for call in forgotten:
                call.close()
            raise UsageError(
                "Expected `await event.publish(...)`, got a call that nothing awaits, and that publishes "
                "nothing - in the handler. Await it in an `async def` handler, or call `event.submit` instead"
            )
        if self._open:
            self._all_landed = asyncio.get_running_loop().create_future()
            try:
                await self._all_landed
            finally:
                self._all_landed = None
        if self._fault is not None:
            raise self._fault
