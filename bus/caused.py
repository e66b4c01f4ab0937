"""What the handler of one event has published: which ids are taken, and what the broker does not have yet."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

from bus.call import Call, marked
from bus.errors import BusError

Params = ParamSpec("Params")
Result = TypeVar("Result")

TURNS = 2
"""Turns of the loop in which a task begins that a handler, or its thread, has just made."""


class Attempt(Protocol):
    """One attempt at publishing an event."""

    @property
    def has_failed(self) -> bool:
        """Whether it failed, or the handler gave it up: the next event like it is the same one."""


class CausedEvents:
    """The events that one handling has published so far."""

    __slots__ = ("_alike", "_all_landed", "_fault", "_open", "calls")

    def __init__(self) -> None:
        self._alike: dict[str, list[Attempt]] = {}
        self.calls: set[Call[Any]] = set()
        """What is called, and not begun."""
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
        return not self._open and self._fault is None and not self.calls

    async def landed(self) -> None:
        """Wait until the broker has everything.

        Raises:
            BusError: it has not, and the handler was not told.
            UsageError: the handler has made a call that publishes, and not awaited it.
        """
        for _ in range(TURNS):
            if self.calls:
                await asyncio.sleep(0)
        if forgotten := [call.forgotten() for call in tuple(self.calls)]:
            raise forgotten[0]
        if self._open:
            self._all_landed = asyncio.get_running_loop().create_future()
            try:
                await self._all_landed
            finally:
                self._all_landed = None
        if self._fault is not None:
            raise self._fault


class Handled(Protocol):
    """An event that a handler has, or had."""

    @property
    def handled_by(self) -> str | None:
        """The subscription whose handler has it now."""

    def causes(self) -> CausedEvents:
        """Return what its handler has published so far, to add to it."""


HANDLED: ContextVar[Handled | None] = ContextVar("govbus-handled", default=None)
"""The event whose handler runs here: in its task, the tasks that it makes, and its thread."""


def publishing(
    function: Callable[Params, Coroutine[Any, Any, Result]],
) -> Callable[Params, Coroutine[Any, Any, Result]]:
    """Let a coroutine method that publishes tell where nothing awaits it; see `bus/call.py`.

    A method's object may have `calls` of its own.
    """

    @wraps(function)
    def call(*positional: Params.args, **named: Params.kwargs) -> Coroutine[Any, Any, Result]:
        calls = getattr(positional[0], "calls", None) if positional else None
        if calls is None and (caused := caused_at_work(named.get("cause"))) is not None:
            calls = caused.calls
        return Call(function.__name__, function(*positional, **named), calls)

    typed: Callable[Params, Coroutine[Any, Any, Result]] = marked(call)
    return typed


def caused_at_work(cause: Any) -> CausedEvents | None:
    """Return what counts a publish: that of the event that caused it, or in whose handler it is.

    None if no handler of either is at work.
    """
    event: Handled | None = cause if getattr(cause, "handled_by", None) is not None else HANDLED.get()
    return None if event is None or event.handled_by is None else event.causes()


@contextmanager
def counted(caused: CausedEvents | None) -> Iterator[None]:
    """Let a handling end after the block, and fail with it where nobody else sees that."""
    if caused is None:
        yield
        return
    caused.begin()
    unseen: BusError | None = None
    try:
        yield
    except BusError as error:
        unseen = error if caused.is_awaited else None
        raise
    finally:
        caused.land(unseen)
