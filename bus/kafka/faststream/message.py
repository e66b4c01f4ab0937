"""An event as the message that FastStream's `Context("message")` is."""

from typing import Any, NoReturn

from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage

from bus.envelope import CONTENT_TYPE
from bus.errors import UsageError
from bus.event import Event


class EventMessage(KafkaMessage):
    """The record of an event, its headers and ids; what becomes of it says the handler's outcome alone.

    Args:
        event: the event; `decode` returns its data.
    """

    def __init__(self, event: Event[Any]) -> None:
        record = event.record
        headers = {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
        super().__init__(
            raw_message=record,
            body=record.value,
            headers=headers,
            content_type=headers.get(CONTENT_TYPE),
            correlation_id=event.transaction or event.id,
            message_id=event.id,
            consumer=FAKE_CONSUMER,
        )
        self._event = event
        self.committed = None

    async def decode(self) -> Any:
        """Return the data, checked and converted."""
        return self._event.data

    async def ack(self) -> NoReturn:
        """Refuse it: the bus decides.

        Raises:
            UsageError: always.
        """
        raise _refused("ack", "Return nothing, or `Ack()`")

    async def nack(self) -> NoReturn:
        """Refuse it: the bus decides.

        Raises:
            UsageError: always.
        """
        raise _refused("nack", "Return `Retry(...)`, or raise an error")

    async def reject(self) -> NoReturn:
        """Refuse it: the bus decides.

        Raises:
            UsageError: always.
        """
        raise _refused("reject", "Return `DeadLetter(...)`")


def _refused(name: str, remedy: str) -> UsageError:
    return UsageError(
        f"Expected an outcome that the handler returns, got a call - at `message.{name}()`. {remedy}"
    )
