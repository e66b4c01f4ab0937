"""The promise of a sink: how an event enters a legacy system, and when its offset may be committed.

The order in which the runner calls a sink:

    connect --> write --> (outcome to the bus) --> write ... --> close
       ^          |
       +----------+ NotConnectedError

What survives a process that dies, point by point:

| dies                                          | lost | on restart                                      |
|-----------------------------------------------|------|-------------------------------------------------|
| before `write`                                | none | the event comes again                           |
| while the target takes it                     | none | the event comes again with the same id          |
| after the target took it, before the commit   | none | the event comes again with the same id          |
| after the commit                              | none | nothing                                         |

So a sink writes to its target at least once, and effectively once where the target drops an event whose
`SinkRecord.id` it has; every sink sends the id.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel

from connectors.source import Json


@dataclass(frozen=True, slots=True)
class SinkRecord:
    """One event, translated for the target.

    Attributes:
        id: The event's id, unique within its source, the same at every attempt: the idempotency key.
        body: What is written, as JSON.
        type: The event's type with its major version, `civil-registry.birth-registered.v1`.
        transaction: The transaction the event belongs to, if any.
        attempt: 1 for the first time the event is offered.
        trace_headers: The W3C trace context of the write, as headers of a request; empty if there is none.
    """

    id: str
    body: Json
    type: str
    transaction: str | None = None
    attempt: int = 1
    trace_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Applied:
    """The target has the event.

    Attributes:
        already: It had the event before; this attempt changed nothing.
    """

    already: bool = False


@runtime_checkable
class Sink(Protocol):
    """Writes events to one legacy system.

    A class named in a file has an inner or assigned `Options` (a pydantic model of the `sink:` section) and
    is made as `cls(options)`. Making one does no I/O. Every method may be a coroutine function or a plain
    one; the plain methods of one sink all run in the same worker thread, never two at a time.
    """

    guarantee: ClassVar[str]
    """One sentence for `govbus connect list`: what is promised, and under which condition."""

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802 - a class, assigned or inner
        """The pydantic model of the `sink:` section."""

    def connect(self) -> Awaitable[None] | None:
        """Prepare to write. Called first, and again with back-off after `NotConnectedError`.

        Raises:
            NotConnectedError: The target cannot be reached now; called again later.
            BlockedError: It can be used only after a person has acted; called again later.
            ConfigurationError: It can never work like this; the connector stops.
        """

    def write(self, record: SinkRecord) -> Awaitable[Applied | None] | Applied | None:
        """Give one event to the target, and return only when the target has taken it.

        A coroutine `write` is called for as many events at the same time as `max_in_flight` of the file
        says, one unless it says more; events of one key come one after the other. `connect` may come while
        such a call is still under way.

        Raises:
            NotConnectedError: The target is gone. The event is offered again after `connect`; it is
                never dead-lettered for this.
            TryAgainError: The target cannot take this event now; it is offered again later. Unless the
                error says `away`, it is dead-lettered when the subscription's retries are used up. Where the
                error has `after_seconds`, no event is written before.
            BlockedError: The target takes no event until a person acts. The events wait as while the target
                is away, and the sink is `blocked`.
            RecordRejectedError: The target will never take this event; it is dead-lettered.
        """

    def check(self) -> Awaitable[None] | None:
        """Say whether the target can be reached, writing nothing; for `govbus connect check`.

        Raises:
            NotConnectedError: It cannot be reached.
        """

    def close(self) -> Awaitable[None] | None:
        """Release everything; may be called twice, or without `connect`. Never raises."""
