"""Publishing from a program without asyncio: a view of Django or Flask, a Celery task, a script.

Law of this file: one event loop, in one thread of its own, does the work, and each call waits for it. Both
begin with the first event, not when the bus is made: servers and Celery fork workers from a process that
has made it, and neither threads nor connections live on in a fork. Each process has its own.
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from itertools import islice
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack
from weakref import finalize

from bus.bus import Bus
from bus.caused import HANDLED
from bus.draft import DraftOptions, Receipt
from bus.errors import UsageError
from bus.process.loop_thread import LoopThread
from bus.settings import Settings
from bus.transport import Transport
from contracts import Catalog

Result = TypeVar("Result")

AT_ONCE = 500
"""Items of an iterable that go to the event loop together."""

_TURN = threading.Lock()
"""Held while a process begins, or ends, its connection; never while anything is awaited."""
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    # No thread of the parent can hold it in the child, where nobody would ever release it.
    os.register_at_fork(before=_TURN.acquire, after_in_parent=_TURN.release, after_in_child=_TURN.release)

_OF_PARENTS: list[Any] = []
"""What a fork copied. To free it would touch the parent's: both share the watch on its sockets."""


@dataclass(frozen=True, slots=True)
class Running:
    """A bus, the event loop that it runs in, and the process that this loop is in."""

    bus: Bus
    loop: asyncio.AbstractEventLoop
    thread: LoopThread[Bus] | None
    """The thread of the loop; None where the loop is another's, as in a test."""
    process: int

    @property
    def has_failed(self) -> bool:
        """Whether the bus could not start."""
        return self.thread is not None and self.thread.has_failed


class SyncBus:
    """Publishes the events of one agency by plain calls, from any thread of a program without asyncio.

    It connects with the first event, or at `start` or `with`, in each process for itself: one that was made
    before Gunicorn, uWSGI or Celery fork serves all their workers. It disconnects when the process ends.

    Args:
        agency: the agency's name in the catalogue.
        system: the agency's system; it is part of every event's `source`.
        settings: the cluster and limits; from the `GOVBUS_*` variables if absent.
        catalog: the contracts; those that the settings name if absent.

    Raises:
        UsageError: the catalogue has no such agency.
    """

    def __init__(
        self,
        agency: str,
        *,
        system: str = "main",
        settings: Settings | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        self._make = partial(Bus, agency, system=system, settings=settings, catalog=catalog)
        self.catalog = self._make().catalog
        self._running: Running | None = None
        self._end: finalize[..., Any] | None = None
        """Ends the thread: at `stop`, when nobody has this bus any more, or when the process ends."""

    def start(self) -> None:
        """Connect now, so that a wrong setting is told when the program starts.

        Raises:
            BusUnavailableError: no broker answers.
            TopicMissingError: a topic does not exist yet.
            AccessDeniedError: the cluster refuses this agency.
            UsageError: in an event loop.
        """
        self._connected()

    def stop(self) -> None:
        """Send what was published, and disconnect; the next event connects again."""
        with _TURN:
            end, self._running, self._end = self._end, None, None
        if end is not None:
            end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def attach(self, transport: Transport) -> Bus:
        """Return the bus, not started, by which this one publishes from now on in the running event loop.

        Args:
            transport: the connection to a cluster, as one in memory.

        Raises:
            UsageError: it is connected.
        """
        if self._running is not None:
            raise UsageError("Expected a bus that is not connected, got one that is - at `attach`")
        bus = self._make(transport=transport)
        self._running = Running(bus, asyncio.get_running_loop(), None, os.getpid())
        return bus

    def publish(
        self,
        subject: str,
        data: Any,
        *,
        version: str,
        system: str | None = None,
        **options: Unpack[DraftOptions],
    ) -> Receipt:
        """Publish one event and return once the broker holds it and its receipt.

        Args:
            subject: the event's name, such as `health.record-opened`.
            data: what happened: a JSON value, a dataclass or a pydantic model.
            version: the version that the data is written in, such as `1.0`.
            system: the agency's system; that of the bus if absent.
            **options: the fields of `Draft`: `key`, `id`, `time`, `service`, `transaction`, `ce_subject`.

        Returns:
            The receipt: topic, partition, offset, broker time and transaction.

        Raises:
            BusError: as `Bus.publish`, and as `start`.
            UsageError: in an event loop, which it would block.
        """
        return _result(
            self._begin(lambda bus: bus.publish(subject, data, version=version, system=system, **options))[1]
        )

    def publish_many(
        self, subject: str, items: Iterable[Any], *, version: str, system: str | None = None
    ) -> list[Receipt]:
        """Publish many events of one kind, pipelined, and return their receipts in order.

        Args:
            subject: the events' name.
            items: data, or `Draft`s, one per event. Those of a list are all checked before the first is sent;
                another iterable, such as rows of a database, is read in the thread that calls.
            version: as in `publish`.
            system: as in `publish`.

        Raises:
            PublishManyError: an event was refused or not acknowledged. It has the event's index and error,
                and `progress`: the receipts so far, and what may be on the bus.
            BusError: as `publish`.
        """
        many = partial(Bus.publish_many, subject=subject, version=version, system=system)
        if isinstance(items, Collection):
            return _result(self._begin(lambda bus: many(bus, items=items))[1])
        asked: SimpleQueue[asyncio.Future[list[Any]] | None] = SimpleQueue()
        loop, future = self._begin(lambda bus: many(bus, items=_handed(asked)))
        future.add_done_callback(lambda _: asked.put(None))
        _hand(loop, iter(items), asked)
        return _result(future)

    def _begin(
        self, call: Callable[[Bus], Coroutine[Any, Any, Result]]
    ) -> "tuple[asyncio.AbstractEventLoop, Future[Result]]":
        """Begin a call in the loop of the bus, in the context of the caller, with its span."""
        while True:
            running = self._connected()
            with _TURN:
                if self._running is not running:  # another thread has stopped it
                    continue
                context = copy_context()
                context.run(HANDLED.set, None)  # of a handler of another loop nothing is counted here
                begin = asyncio.run_coroutine_threadsafe
                return running.loop, context.run(begin, _called(call, running.bus), running.loop)

    def _connected(self) -> Running:
        _require_no_loop()
        with _TURN:
            running = self._running
            if running is not None and running.process != os.getpid():
                _OF_PARENTS.append(running)
                running = None
            if running is None or running.has_failed:
                bus = self._make()
                thread = LoopThread(bus, f"govbus-{bus.agency}")
                running = self._running = Running(bus, thread.loop, thread, os.getpid())
                self._end = finalize(self, thread.end)
                thread.begin()
        if running.thread is not None:
            running.thread.entered()
        return running


def _require_no_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "Expected a call outside of event loops, got one inside, which would block all that runs in it. Use "
        "`Bus` there, or `await asyncio.to_thread(...)`"
    )


async def _called(call: Callable[[Bus], Coroutine[Any, Any, Result]], bus: Bus) -> Result:
    return await call(bus)


def _result(future: "Future[Result]") -> Result:
    try:
        return future.result()
    except BaseException:  # of the call, or an interrupt of this thread
        future.cancel()
        raise


async def _handed(asked: "SimpleQueue[asyncio.Future[list[Any]] | None]") -> AsyncIterator[Any]:
    """Ask the thread that has the items for the next of them, until there are none."""
    while True:
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        asked.put(future)
        if not (some := await future):
            return
        for item in some:
            yield item


def _hand(
    loop: asyncio.AbstractEventLoop,
    items: Iterator[Any],
    asked: "SimpleQueue[asyncio.Future[list[Any]] | None]",
) -> None:
    """Hand items over as they are asked for, until nobody asks."""
    while (future := asked.get()) is not None:
        try:
            some = list(islice(items, AT_ONCE))
        except Exception as error:  # noqa: BLE001 - the call ends with it, and says how far it came
            loop.call_soon_threadsafe(_fail, future, error)
        else:
            loop.call_soon_threadsafe(_give, future, some)


def _give(future: "asyncio.Future[list[Any]]", some: list[Any]) -> None:
    if not future.done():
        future.set_result(some)


def _fail(future: "asyncio.Future[list[Any]]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
