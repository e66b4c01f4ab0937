"""The publishing methods of the bus: one event, one without waiting, or many.

Law of this file: an event is taken only where it can be sent, between start and stop and in the event loop of
the bus. Elsewhere the program is told at once: nobody would ever tell it that the event is not on the bus.
"""

import asyncio
from collections.abc import AsyncIterable, Iterable
from typing import Any, Unpack

from bus.caused import caused_at_work, counted, publishing
from bus.draft import Draft, DraftOptions, Receipt
from bus.errors import BufferFullError, UsageError
from bus.event import Event
from bus.publish.publisher import Publisher
from bus.publish.waiting import CountedWaiter, EventWaiter, Waiter
from bus.settings import Settings
from bus.stages.stamp import Stamper
from bus.transport import Sender


class Publishing:
    """Publishes the events of one agency; part of `Bus`."""

    settings: Settings
    system: str
    _transport: Sender
    _publisher: Publisher
    _loop: asyncio.AbstractEventLoop | None = None
    """The event loop in which it publishes; None where it has not begun, or has ended."""
    _not_open = (
        "Expected a bus that has started, got one that has not, or has stopped. Publish inside `async with "
        "bus:`, or between `start` and `stop`"
    )

    def _require_open(self) -> None:
        """Refuse a call that could send nothing.

        Raises:
            UsageError: it comes before the start, after the end, or from another event loop or thread.
        """
        if self._loop is None:
            raise UsageError(self._not_open)
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not self._loop:
            raise UsageError(
                "Expected a call in the event loop of the bus, got one in another loop, thread or forked "
                "process. Let a handler be a coroutine function, since a plain one runs in a thread, or give "
                "the call to the loop of the bus by `asyncio.run_coroutine_threadsafe`. A program without "
                "asyncio uses `bus.SyncBus`"
            )

    @publishing
    async def publish(
        self,
        subject: str,
        data: Any,
        *,
        version: str,
        system: str | None = None,
        cause: Event[Any] | None = None,
        **options: Unpack[DraftOptions],
    ) -> Receipt:
        """Publish one event and return once the broker holds it and its receipt.

        Args:
            subject: the event's name, such as `health.record-opened`.
            data: what happened: a JSON value, a dataclass or a pydantic model.
            version: the version that the data is written in, such as `1.0`.
            system: the agency's system; that of the bus if absent.
            cause: the event that caused this one; its transaction, service and trace go on.
            **options: the fields of `Draft`: `key`, `id`, `time`, `service`, `transaction`, `ce_subject`.

        Returns:
            The receipt: topic, partition, offset, broker time and transaction.

        Raises:
            ContractViolationError: the data breaks the contract; every violation is listed.
            EventTooLargeError: it is larger than the contract allows.
            TopicLimitError: it is larger than its topic in the cluster takes.
            EnvelopeError: an attribute is not allowed.
            ContractError: the catalogue has no such contract or version.
            BusUnavailableError: no acknowledgement within `publish_timeout_seconds`; while the event's
                partitions grow, that time stands still.
            UsageError: the bus has not started, has stopped, or runs in another event loop.
        """
        self._require_open()
        draft = Draft.made(data, **options)
        return await self._publish(self._stamper(subject, version, system), draft, cause)

    async def _publish(self, stamper: Stamper, draft: Draft, cause: Event[Any] | None) -> Receipt:
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._send(stamper, draft, cause, self._waiter(future, cause))
        if future.done():
            return future.result()
        publisher, subject = self._publisher, stamper.subject
        if not publisher.is_open(subject):
            await publisher.opened(subject, self.settings.publish_timeout_seconds)
        publisher.patience.begin(future, subject)
        try:
            return await future
        finally:
            publisher.patience.end(future)

    def submit(
        self,
        subject: str,
        data: Any,
        *,
        version: str,
        system: str | None = None,
        cause: Event[Any] | None = None,
    ) -> "asyncio.Future[Receipt]":
        """Publish one event without waiting; the future gets the receipt, or the error, as `publish` would.

        Args:
            subject: the event's name.
            data: the data, or a `Draft`.
            version: as in `publish`.
            system: as in `publish`.
            cause: as in `publish`.

        Raises:
            RefusedError: the event is wrong; nothing was sent.
            BufferFullError: too many events wait for acknowledgement; await some of them first.
            UsageError: as in `publish`.
        """
        self._require_open()
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        waiting = self._waiter(future, cause)
        stamper = self._stamper(subject, version, system)
        self._send(stamper, Draft.of(data), cause, waiting)
        if type(waiting) is Waiter and self._publisher.is_open(stamper.subject) and not future.done():
            waiting.patience = self._publisher.patience
            waiting.patience.begin(future, subject)
        return future

    def _waiter(self, future: "asyncio.Future[Receipt]", cause: Event[Any] | None) -> Waiter:
        caused = caused_at_work(cause)
        return Waiter(future) if caused is None else CountedWaiter(caused, future)

    def _stamper(self, subject: str, version: str, system: str | None) -> Stamper:
        return self._publisher.stamper(subject, version, self.system if system is None else system)

    def _send(self, stamper: Stamper, draft: Draft, cause: Event[Any] | None, waiting: EventWaiter) -> None:
        if self._transport.unacknowledged + self._publisher.held >= self.settings.max_unacknowledged:
            raise BufferFullError(
                f"Expected fewer than {self.settings.max_unacknowledged} events on their way, got that many. "
                "Await earlier futures first, or use `publish_many`"
            )
        waiting.begin()
        try:
            self._publisher.send(stamper, draft, cause, waiting)
        except BaseException:
            waiting.withdraw()
            raise

    @publishing
    async def publish_many(
        self,
        subject: str,
        items: Iterable[Any] | AsyncIterable[Any],
        *,
        version: str,
        system: str | None = None,
        cause: Event[Any] | None = None,
    ) -> list[Receipt]:
        """Publish many events of one kind, pipelined, and return their receipts in order.

        Args:
            subject: the events' name.
            items: data, or `Draft`s, one per event. Those of a list are all checked before the first is sent;
                those of another iterable, or an async one, are checked and sent one after the other.
            version: as in `publish`.
            system: as in `publish`.
            cause: as in `publish`.

        Raises:
            PublishManyError: an event was refused or not acknowledged. It has the event's index and error,
                and `progress`: the receipts so far, and what may be on the bus. A cancellation, and an error
                of the iterable, have `progress` too.
            UsageError: as in `publish`.
        """
        self._require_open()
        stamper = self._stamper(subject, version, system)
        with counted(caused_at_work(cause)):
            return await self._publisher.send_many(stamper, items, cause, self.settings)
