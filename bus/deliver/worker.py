"""A worker of one partition: handles one event after another, each in a context of its own.

Law of this file: a handler runs in the task of its worker from its first step to its last, so that a timeout
or a task group which it begins is its own. No task is made for an event: the first step of a handler runs at
once, and only if it waits for something does the next worker go on with other keys.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Generic, TypeVar

from bus.event import Event
from bus.record import Record
from bus.times.clock import steady_ns

Result = TypeVar("Result")


class PartitionWorker:
    """One worker."""

    __slots__ = (
        "abandoned", "busy_since_ns", "event", "failed_at", "ignoring", "key", "record", "task", "timed_out",
        "was_cancelled",
    )  # fmt: skip

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self.record: Record | None = None
        """The record in hand, which begins again if the worker fails."""
        self.event: Event[Any] | None = None
        """The event that its handler has; None while none is at work."""
        self.key: bytes | None = None
        """The key whose later records wait for this worker."""
        self.busy_since_ns = 0
        """Steady time at which the handler was called; 0 while none is at work."""
        self.failed_at = ""
        """`file:line` where its last handler failed, if that is known."""
        self.timed_out = False
        self.ignoring = False
        """Whether the handler goes on though it was interrupted."""
        self.abandoned = False
        """Whether it was interrupted because its partition, or the process, leaves."""
        self.was_cancelled = False
        """Whether another than the bus, such as a handler, has cancelled its task: it begins nothing more."""

    def abandon(self) -> None:
        """Interrupt it: its partition, or the process, leaves."""
        if self.task is not None:
            self.abandoned = True
            self.task.cancel()

    def handler_begins(self, event: Event[Any], received_ns: int) -> None:
        """Give an event to the handler."""
        self.event, self.busy_since_ns, self.failed_at = event, received_ns, ""
        self.timed_out = self.ignoring = False

    def handler_ends(self) -> None:
        """Take the event back."""
        self.event, self.busy_since_ns = None, 0

    async def take_back_cancellation(self, task: "asyncio.Task[None]") -> None:
        """Undo what a handler that has ended leaves behind in the task: it is no other event's.

        After an interruption for its time the worker goes on. A cancellation by anybody else may come again
        without end, as that of an `anyio.CancelScope` that was never left.

        Args:
            task: its task, which is asked to end.
        """
        if self.abandoned:
            return
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # of a task that has not waited since
        if not self.timed_out:
            self.was_cancelled = True
        while task.cancelling():
            task.uncancel()

    def interrupt_if_late(self, timeout_seconds: float) -> bool:
        """Cancel the handler if it has run longer than `timeout_seconds`.

        Returns:
            Whether it has now ignored that for as long again.
        """
        since, task = self.busy_since_ns, self.task
        if not since or task is None or steady_ns() - since <= timeout_seconds * 1e9:
            return False
        if not self.timed_out:
            self.timed_out = True
            task.cancel()
            return False
        ignores = not self.ignoring and steady_ns() - since > 2 * timeout_seconds * 1e9
        self.ignoring = self.ignoring or ignores
        return ignores


async def uncancelled(call: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine in a task of its own, and wait for it whatever cancels the current one."""
    task = asyncio.create_task(call)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    return task.result()


def begin(call: Coroutine[Any, Any, Result]) -> "Result | WaitingCall[Result]":
    """Run a coroutine in the current task, with context variables of its own, to where it first waits.

    Returns:
        Its result if its first step is its last, and what goes on with it otherwise.
    """
    run = copy_context().run
    try:
        wanted = run(call.send, None)
    except StopIteration as end:
        result: Result = end.value
        return result
    return WaitingCall(run, call, wanted)


class WaitingCall(Generic[Result]):
    """A coroutine that has begun in a context of its own, and waits."""

    __slots__ = ("_call", "_run", "_wanted")

    def __init__(self, run: Callable[..., Any], call: Coroutine[Any, Any, Result], wanted: Any) -> None:
        self._run = run
        self._call = call
        self._wanted = wanted

    @types.coroutine
    def result(self) -> Generator[Any, Any, Result]:
        """Go on with it to its end."""
        run, call, wanted = self._run, self._call, self._wanted
        try:
            while True:
                try:
                    answer = yield wanted
                except BaseException as error:  # noqa: BLE001 - whatever is thrown in, such as a cancellation
                    wanted = run(call.throw, error)
                else:
                    wanted = run(call.send, answer)
        except StopIteration as end:
            result: Result = end.value
            return result
