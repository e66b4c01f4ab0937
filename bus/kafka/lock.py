"""One `apply` at a time: a consumer group is the lock, which the cluster releases when its holder dies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from bus.errors import BusUnavailableError
from bus.kafka.client import begin, connection, end
from bus.kafka.errors import translate
from bus.settings import Settings

SESSION_MS = 6_000
"""After this long a broker counts a holder that is gone as gone."""
LOOK_SECONDS = 0.5


@asynccontextmanager
async def held(
    settings: Settings, *, group: str, topic: str, wait_seconds: float, session_ms: int = SESSION_MS
) -> AsyncIterator[None]:
    """Hold a lock for the block.

    Args:
        settings: the cluster.
        group: the lock's name.
        topic: any topic that exists.
        wait_seconds: how long to wait for another holder, one that was killed included.
        session_ms: after this long a broker counts a holder that is gone as gone.

    Raises:
        BusUnavailableError: another holds it.
    """
    admin = AIOKafkaAdminClient(**connection(settings))
    await begin(admin, settings, settings.bootstrap_servers)
    try:
        await _until_free(admin, group, wait_seconds)
        member = _member(settings, group, topic, session_ms)
        await begin(member, settings, f"group `{group}`")
        try:
            # Whoever came at the same moment sees us too: then neither goes on.
            if await _members(admin, group) != 1:
                raise _busy(group)
            yield
        finally:
            await end(member)
    except KafkaError as error:
        raise translate(error, f"group `{group}`") from error
    finally:
        await end(admin)


def _member(settings: Settings, group: str, topic: str, session_ms: int) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        topic,
        **connection(settings),
        group_id=group,
        enable_auto_commit=False,
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 6,
    )


async def _until_free(admin: AIOKafkaAdminClient, group: str, wait_seconds: float) -> None:
    try:
        async with asyncio.timeout(wait_seconds):
            while await _members(admin, group) != 0:  # noqa: ASYNC110 - the cluster tells nobody
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise _busy(group) from None


def _busy(group: str) -> BusUnavailableError:
    return BusUnavailableError(
        f"Another `apply` is running - group `{group}`. Try again when it has finished"
    )


async def _members(admin: AIOKafkaAdminClient, group: str) -> int | None:
    """Return their number; None while a new cluster creates the topic of its groups."""
    try:
        responses = await admin.describe_consumer_groups([group])
    except GroupCoordinatorNotAvailableError:
        return None
    return sum(len(found[5]) for response in responses for found in response.groups)
