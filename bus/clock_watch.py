"""Learns the broker's clock before anything is timed by it, and again when the time of day is set."""

import asyncio
from math import inf
from time import monotonic

from bus.errors import BusError
from bus.kafka.transport import KafkaTransport
from bus.receipts.receipts import encode_groups
from bus.settings import Settings
from bus.table import deliver
from bus.topics import CLOCK_TOPIC
from bus.transport import Transport
from contracts import visible_logger

logger = visible_logger("govbus.clock")

LOOK_SECONDS = 1.0
TELL_SECONDS = 60.0
"""Between two lines of the log about it: a time of day that is slewed is set a little at every look."""
READINGS = 2
"""The first record to a topic also waits for a connection, which makes it a poor reading."""


class ClockWatch:
    """Keeps the clock of one process' transport right.

    Args:
        transport: the cluster, started.
        topic: the topic of receipts, which takes records that hold none.
    """

    def __init__(self, transport: Transport, topic: str) -> None:
        self._transport = transport
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
        moved_us, told_at = 0, -inf
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before_us = clock.skew_us
            if clock.has_stepped():
                learn = True
                moved_us += before_us - clock.skew_us
            if moved_us and monotonic() - told_at >= TELL_SECONDS:
                said = "the time of day was set by %+.3f s; the broker's time is read again"
                logger.warning(said, moved_us / 1e6)
                moved_us, told_at = 0, monotonic()
            if learn:
                try:
                    await self._learn()
                    learn = False
                except BusError as error:
                    logger.warning("the broker's time could not be read yet: %s", error)

    async def _learn(self) -> None:
        await learn_time(self._transport, self._topic)


async def learn_time(transport: Transport, topic: str) -> None:
    """Read the broker's time into the clock of a transport.

    Args:
        transport: the cluster, started.
        topic: a topic of receipts, which takes records that hold none, or `CLOCK_TOPIC`.

    Raises:
        BusError: the broker did not acknowledge a record.
    """
    for _ in range(READINGS):
        await deliver(transport, topic, None, encode_groups(()), partition=0)


async def read_broker_offset_us(settings: Settings) -> int:
    """Return the broker's time minus `steady_ns`, in microseconds, by records to `govbus.clock`.

    Raises:
        BusUnavailableError: no broker answers.
        TopicMissingError: the topic does not exist yet.
        AccessDeniedError: the cluster does not let this user write there.
    """
    transport = KafkaTransport(settings)
    await transport.start()
    try:
        await learn_time(transport, CLOCK_TOPIC)
    finally:
        await transport.stop()
    return transport.clock.at_us(0)
