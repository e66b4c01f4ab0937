"""Publishing inside a handler.

Law of this file: a handling ends when the broker has everything that was published in it. The receipts are
gathered by then, and travel with the commit, ahead of the offset of the event. What was submitted and failed
fails the handling, as an `event.publish` that failed would.
"""

import asyncio
from collections.abc import Awaitable
from typing import Any, Unpack

from bus.caused import CausedEvents
from bus.draft import Draft, DraftOptions, Receipt
from bus.errors import BusError, BusUnavailableError, UsageError
from bus.event import Event
from bus.publish.publication import Publication
from bus.publish.publisher import Publisher
from bus.publish.surface import Publishing
from bus.publish.waiting import CountedWaiter, Waiter
from bus.settings import Settings
from bus.transport import Sender

SUBMITTED_EVENTS = 5_000
"""How many submitted events of a subscription may be on their way before there is no room for more."""


class HandlerPublishing(Publishing):
    """Publishes for the handlers of one subscription.

    Args:
        settings: limits.
        system: the agency's system.
        publisher: prepares and sends the events.
        transport: what it sends them by.
    """

    def __init__(self, settings: Settings, system: str, publisher: Publisher, transport: Sender) -> None:
        self.settings, self.system = settings, system
        self._publisher, self._transport = publisher, transport
        self._loop = asyncio.get_running_loop()
        self._submitted = 0
        self._rooms: list[asyncio.Future[None]] = []

    def _waiter(self, future: "asyncio.Future[Receipt]", cause: Event[Any] | None) -> Waiter:
        if cause is None or cause.handled_by is None:  # its handler has ended, and nothing of it is committed
            return super()._waiter(future, cause)
        return _Answered(cause.causes(), future)

    def submit_caused(
        self,
        subject: str,
        data: Any,
        *,
        version: str,
        system: str | None = None,
        cause: Event[Any],
        **options: Unpack[DraftOptions],
    ) -> Awaitable[None]:
        """Publish without an answer; see `Event.submit`."""
        self._require_open()
        if cause.handled_by is None:
            raise UsageError(
                "Expected an event whose handler is at work, got one whose handler has ended - at "
                "`event.submit`. Await `event.publish`, or await the task in the handler"
            )
        waiting = _Submitted(cause.causes(), self)
        self._send(self._stamper(subject, version, system), Draft.made(data, **options), cause, waiting)
        room: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._submitted < SUBMITTED_EVENTS:
            room.set_result(None)
        else:
            self._rooms.append(room)
        return room

    def submitted(self, count: int) -> None:
        """Count submitted events on their way, and tell those who wait for room."""
        self._submitted += count
        if self._rooms and self._submitted <= SUBMITTED_EVENTS // 2:
            rooms, self._rooms = self._rooms, []
            for room in rooms:
                if not room.done():
                    room.set_result(None)

    async def landed(self, event: Event[Any]) -> None:
        """Wait until the broker has what the handler of an event has published.

        Raises:
            BusError: it has not, and the handler was not told.
        """
        if event.caused is None or event.caused.has_landed:
            return  # it published nothing, or awaited each: no timer for that
        seconds = self.settings.publish_timeout_seconds
        await self._publisher.released(seconds)
        try:
            async with asyncio.timeout(seconds):
                await event.caused.landed()
        except TimeoutError:
            raise BusUnavailableError(
                f"Expected an acknowledgement of what the handler published within {seconds} s, got none"
            ) from None


class _Answered(CountedWaiter):
    """Waits for an event whose receipt travels with the commit of its cause."""

    __slots__ = ()
    for_receipt = False


class _Submitted:
    """Waits for an event of which the handler wants to hear nothing."""

    __slots__ = ("_caused", "_publishing")
    for_receipt = False

    def __init__(self, caused: CausedEvents, publishing: HandlerPublishing) -> None:
        self._caused = caused
        self._publishing = publishing

    def begin(self) -> None:
        self._caused.begin()
        self._publishing.submitted(1)

    def withdraw(self) -> None:
        self._caused.land()
        self._publishing.submitted(-1)

    def settled(self, publication: Publication, error: BusError | None) -> bool:
        del publication
        self._caused.land(error)
        self._publishing.submitted(-1)
        return True

    def has_given_up(self, publication: Publication) -> bool:
        del publication
        return False
