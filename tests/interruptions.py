"""Interrupting a client of aiokafka wherever it waits."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from itertools import count
from types import coroutine
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaConnectionError

from bus import Settings
from bus.kafka.client import Network, begin, connection, end
from tests.connections import left_open
from tests.worlds import until

COORDINATION = ConnectionGroup.COORDINATION
"""Of connections that a client opens beside its first."""


async def at_each_wait(trial: Callable[["Interruption"], Awaitable[None]]) -> int:
    """Repeat a trial, interrupted at its first wait, its second, and so on to its last.

    Each wait is interrupted as it begins, and once more as it ends: what is waited for is there already then,
    and the waiting task not yet resumed.

    Args:
        trial: has to run the interruption it is given, and to leave nothing open.

    Returns:
        How many waits there were.
    """
    for wait in count():
        for as_it_ends in (False, True):
            interruption = Interruption(wait, as_it_ends=as_it_ends)
            await trial(interruption)
            if not interruption.came:
                return wait
    raise AssertionError


class Interruption:
    """Calls something when a coroutine reaches its n-th wait."""

    def __init__(self, wait: int, *, as_it_ends: bool) -> None:
        self.came = False
        """Whether there was such a wait."""
        self._wait = wait
        self._as_it_ends = as_it_ends

    async def of(self, work: Coroutine[Any, Any, Any], act: Callable[[], Any]) -> Any:
        """Run `work` to its end, and call `act` at the wait."""
        return await self._driven(work, act)

    @coroutine
    def _driven(self, work: Coroutine[Any, Any, Any], act: Callable[[], Any]) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        for wait in count():
            try:
                awaited = work.send(None) if error is None else work.throw(error)
            except StopIteration as end:
                return end.value
            if wait == self._wait:
                self.came = True
                if self._as_it_ends and awaited is not None:
                    awaited.add_done_callback(lambda _: act())
                else:
                    asyncio.get_running_loop().call_soon(act)
            error = None
            try:
                yield awaited
            except BaseException as raised:  # noqa: BLE001 - it is for `work`
                error = raised
        raise AssertionError


async def end_while_opening(settings: Settings, interruption: Interruption) -> None:
    """End a client while it opens a connection; nothing stays open."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await begin(admin, settings, "a test")
    network = Network.of(admin)
    await _ended_during(network.ready(network.get_random_node(), group=COORDINATION), admin, interruption)


async def end_while_starting(settings: Settings, interruption: Interruption) -> None:
    """End a client while it starts; nothing stays open."""
    admin = AIOKafkaAdminClient(**connection(settings))
    await _ended_during(Network.of(admin).bootstrap(), admin, interruption)


async def _ended_during(work: Coroutine[Any, Any, Any], admin: Any, interruption: Interruption) -> None:
    with suppress(KafkaConnectionError):
        await interruption.of(work, Network.of(admin).end)
    if interruption.came:
        await until(lambda: not left_open())
    await end(admin)
    await until(lambda: not left_open())


async def cancel_the_start(settings: Settings, interruption: Interruption) -> None:
    """Cancel the start of a client; nothing stays open."""
    admin = AIOKafkaAdminClient(**connection(settings))
    starting: asyncio.Task[None]

    def cancel() -> None:
        starting.cancel()

    starting = asyncio.create_task(interruption.of(begin(admin, settings, "a test"), cancel))
    await asyncio.wait([starting])
    await end(admin)
    await until(lambda: not left_open())


TRIALS = (end_while_opening, end_while_starting, cancel_the_start)
