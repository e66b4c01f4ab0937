"""A network between clients and a broker that can be cut and restored.

Law of this file: bytes pass in order and unchanged, or their connection is reset; none is ever left out.
"""

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
RESET = struct.pack("ii", 1, 0)
"""A socket that does not linger ends with a reset, as after a restart of the other machine."""


class Link:
    """A TCP proxy on 127.0.0.1: what comes to its port goes to `target` and back, until it is cut.

    A broker tells clients its own address, so it must advertise this one. An async context manager.

    Args:
        target: The `host:port` to connect to; may be set later, and connections are reset until then.
        port: Where to listen; 0 takes a free one.
    """

    def __init__(self, target: str | None = None, *, port: int = 0) -> None:
        self.target = target
        self._port = port
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._whole = asyncio.Event()
        self._whole.set()
        self._refusing = False

    async def start(self) -> Self:
        """Listen, which gives the link its address."""
        self._server = await asyncio.start_server(self._connect, HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Reset every connection and stop listening."""
        if self._server is not None:
            self._server.close()
            self._reset()
            await asyncio.gather(*(connection.gone.wait() for connection in self._connections))
            await self._server.wait_closed()
            self._server = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def address(self) -> str:
        """The `host:port` that clients connect to."""
        return f"{HOST}:{self._port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def cut(self, *, silently: bool = False) -> None:
        """Let nothing pass until `restore`.

        Args:
            silently: As when a cable is pulled: connections stay, new ones are accepted, and what is sent
                arrives after `restore`. Otherwise all are reset, and so is every new one.
        """
        self._whole.clear()
        if not silently:
            self._refusing = True
            self._reset()

    def restore(self) -> None:
        """Undo `cut`."""
        self._refusing = False
        self._whole.set()

    async def until_whole(self) -> None:
        """Wait while the link is cut."""
        await self._whole.wait()

    def _reset(self) -> None:
        for connection in tuple(self._connections):
            connection.reset()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(self, reader, writer)
        if self._refusing or self.target is None:
            connection.reset()
            return
        self._connections.add(connection)
        try:
            await connection.serve(self.target)
        finally:
            connection.gone.set()
            self._connections.discard(connection)


class _Connection:
    def __init__(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._link = link
        self._reader = reader
        self._writers = [writer]
        self._broken = asyncio.Event()
        self.gone = asyncio.Event()

    async def serve(self, target: str) -> None:
        work = asyncio.create_task(self._carry(target))
        fault = asyncio.create_task(self._broken.wait())
        try:
            await asyncio.wait((work, fault), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not work.done():
                self.reset()
            for task in (work, fault):
                task.cancel()
            await asyncio.wait((work, fault))

    def reset(self) -> None:
        self._broken.set()
        for writer in self._writers:
            with contextlib.suppress(OSError):  # the other end may have been quicker
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def _carry(self, target: str) -> None:
        await self._link.until_whole()
        host, _, port = target.rpartition(":")
        try:
            reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            self.reset()
            return
        self._writers.append(writer)
        async with asyncio.TaskGroup() as directions:
            directions.create_task(self._copy(self._reader, writer))
            directions.create_task(self._copy(reader, self._writers[0]))
        for writer in self._writers:
            writer.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while content := await reader.read(CHUNK_BYTES):
                await self._link.until_whole()
                writer.write(content)
                await writer.drain()
            await self._link.until_whole()
            writer.write_eof()
        except OSError:
            self._broken.set()
