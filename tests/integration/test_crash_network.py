"""A link that is cut and restored, between real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from bus.crash.network import HOST, Link

PATIENCE_SECONDS = 20.0
LARGE = b"0123456789abcdef" * 500_000


class Echo:
    """A server that sends back what it gets."""

    def __init__(self) -> None:
        self.serving: list[asyncio.Task[None]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.serving.append(task)
        with suppress(OSError):
            while content := await reader.read(65_536):
                writer.write(content)
                await writer.drain()
        writer.close()


class Client:
    """A client of the server behind a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, content: bytes) -> bytes:
        self.writer.write(content)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.readexactly(len(content))


class World:
    """A link to a server, and its clients."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.clients: list[Client] = []

    async def client(self) -> Client:
        host, _, port = self.link.address.rpartition(":")
        client = Client(*await asyncio.open_connection(host, int(port)))
        self.clients.append(client)
        return client

    async def emptied(self) -> bool:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.link.connections:  # noqa: ASYNC110 - a count, not an event
                await asyncio.sleep(0.01)
        return True


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Yield a link to a server that runs."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, HOST, 0)
    async with server:
        async with Link(f"{HOST}:{server.sockets[0].getsockname()[1]}") as link:
            found = World(link)
            yield found
        for client in found.clients:
            client.writer.close()
        await asyncio.gather(*echo.serving)


async def test_a_whole_link_passes_everything_and_then_the_end(world: World) -> None:
    """8 MB come back as they went, and the end of a stream reaches the other side."""
    client = await world.client()
    assert await client.ask(LARGE) == LARGE
    client.writer.write(b"last")
    client.writer.write_eof()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await client.reader.read() == b"last"
    assert await world.emptied()


async def test_a_cut_resets_connections_and_refuses_new_ones(world: World) -> None:
    """Until the link is mended; then new connections pass."""
    before = await world.client()
    assert await before.ask(b"a") == b"a"
    world.link.cut()
    with pytest.raises(OSError, match="reset"):
        await before.ask(b"b")
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await (await world.client()).ask(b"c")
    world.link.restore()
    assert await (await world.client()).ask(b"d") == b"d"


async def test_a_silent_cut_holds_everything_back_until_it_is_mended(world: World) -> None:
    """Nobody hears of it: old and new connections wait, and nothing of theirs is lost."""
    before = await world.client()
    assert await before.ask(b"a") == b"a"
    world.link.cut(silently=True)
    after = await world.client()
    asked = [asyncio.create_task(client.ask(content)) for client, content in ((before, LARGE), (after, b"c"))]
    await asyncio.sleep(0.3)
    assert [task.done() for task in asked] == [False, False]
    world.link.restore()
    assert await asyncio.gather(*asked) == [LARGE, b"c"]


async def test_a_link_to_nowhere_resets(world: World) -> None:
    """A client hears of it at once, as from a machine on which nothing listens."""
    for target in (None, f"{HOST}:1"):
        world.link.target = target
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await (await world.client()).ask(b"a")
    assert await world.emptied()
