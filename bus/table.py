"""A compacted topic as a mapping from text to bytes: the last value of a key is its value."""

import asyncio

from bus.caused import publishing
from bus.errors import BusError
from bus.record import Position
from bus.times.limits import in_time
from bus.transport import Outgoing, Sender, Transport


class Table:
    """Reads its topic once, then keeps what this process writes; one writer per key.

    A key's value may be null, which deletes it at the next compaction.
    """

    def __init__(self, transport: Transport, topic: str) -> None:
        self._transport = transport
        self.topic = topic
        self._values: dict[str, bytes] = {}
        self._written: dict[str, bytes | None] = {}
        """What this process wrote since the topic was last read, or while it is."""
        self._loaded = False
        self._loading = asyncio.Lock()

    async def get(self, key: str) -> bytes | None:
        """Return the latest value of `key`, or None.

        Raises:
            BusError: the topic could not be read.
        """
        async with self._loading:
            if not self._loaded:
                self._written.clear()
                for record in await self._transport.read_all(self.topic):
                    self._set((record.key or b"").decode(errors="replace"), record.value)
                for written, value in self._written.items():  # meanwhile, so it is the newer one
                    self._set(written, value)
                self._loaded = True
        return self._values.get(key)

    async def reread(self) -> None:
        """Read the topic again at the next `get`: another process may have written to it."""
        async with self._loading:
            self._loaded = False

    @publishing
    async def put(self, key: str, value: bytes | None) -> None:
        """Write `value` and return when the broker has it.

        Raises:
            BusError: the broker did not acknowledge it.
        """
        await deliver(self._transport, self.topic, key.encode(), value)
        self.keep(key, value)

    def keep(self, key: str, value: bytes | None) -> None:
        """Remember a value that the topic holds."""
        if self._loaded:
            self._set(key, value)
        else:
            self._written[key] = value

    def _set(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value


async def deliver(
    transport: Sender,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    headers: list[tuple[str, bytes | None]] | None = None,
    *,
    partition: int | None = None,
) -> Position:
    """Send one record and return its place when the broker has it.

    Raises:
        BusError: the broker did not acknowledge it, or not within `publish_timeout_seconds`.
    """
    outgoing = _Awaited(topic, key, value, headers or [], partition)
    transport.send(outgoing)
    async with in_time(transport.answer_seconds, f"topic `{topic}`"):
        return await outgoing.done


class _Awaited(Outgoing):
    __slots__ = ("done",)

    def __init__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes | None]],
        partition: int | None,
    ) -> None:
        super().__init__(topic, key, value, headers, partition)
        self.done: asyncio.Future[Position] = asyncio.get_running_loop().create_future()

    def acknowledged(self, partition: int, offset: int, timestamp: int) -> None:
        if not self.done.done():
            self.done.set_result(Position(self.topic, partition, offset, timestamp))

    def failed(self, error: BusError) -> None:
        if not self.done.done():
            self.done.set_exception(error)
