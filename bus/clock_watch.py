"""Learns the broker's clock before anything is timed by it, and again when the time of day is set."""

import asyncio

from bus.errors import BusError, BusUnavailableError
from bus.receipts.receipts import encode_groups
from bus.table import deliver
from bus.transport import Transport
from contracts import visible_logger

logger = visible_logger("govbus.clock")

LOOK_SECONDS = 1.0
READINGS = 2
"""The first record to a topic also waits for a connection, which makes it a poor reading."""


class ClockWatch:
    """Keeps the clock of one process' transport right.

    Args:
        transport: the cluster, started.
        topic: the topic of receipts, which takes records that hold none.
        timeout_seconds: how long the broker may take to acknowledge one.
    """

    def __init__(self, transport: Transport, topic: str, timeout_seconds: float) -> None:
        self._transport = transport
        self._timeout_seconds = timeout_seconds
        self._topic = topic
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Learn the broker's time, then watch the time of day.

        Raises:
            BusError: the broker did not acknowledge a record.
        """
        await self._learn()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        clock, learn = self._transport.clock, False
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before_us = clock.skew_us
            if clock.has_stepped():
                learn = True
                moved = (before_us - clock.skew_us) / 1e6
                logger.warning("the time of day was set by %+.3f s; the broker's time is read again", moved)
            if learn:
                try:
                    await self._learn()
                    learn = False
                except BusError as error:
                    logger.warning("the broker's time could not be read yet: %s", error)

    async def _learn(self) -> None:
        for _ in range(READINGS):
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    await deliver(self._transport, self._topic, None, encode_groups(()), partition=0)
            except TimeoutError:
                why = f"the broker did not acknowledge a record in time - topic `{self._topic}`"
                raise BusUnavailableError(why) from None
