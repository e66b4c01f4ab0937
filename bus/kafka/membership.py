"""What a member says to the coordinator of its group, with what aiokafka 0.14 leaves out.

Law of this file: of two members under one instance name the newer one stays, and the older one hears that
it is fenced. aiokafka gives the name only as it joins. Without it the coordinator answers "unknown member" to
the older one, which joins again, so that the two put each other out of the group without end (KIP-345).
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.protocol.commit import OffsetCommitRequest
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest, SyncGroupRequest

from bus.kafka.requests import commit_offsets, heartbeat

FENCED_INSTANCE_ID = 82


class Membership:
    """Takes the place of `send` of one aiokafka client.

    Args:
        client: the client of a consumer.
        instance: the member's name; None if it has none.
        answer_seconds: how long the answer to a join may take; aiokafka ends a join after its request
            timeout, though its answer comes when the slowest member has joined (KIP-62).
    """

    def __init__(self, client: Any, instance: str | None, answer_seconds: float) -> None:
        self.is_fenced = False
        """Whether a newer member has taken the name."""
        self._client = client
        self._send = client.send
        self._instance = instance
        self._answer_seconds = answer_seconds
        client.send = self.send

    async def send(self, node: Any, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        """Send a request, and return the answer."""
        if isinstance(request, JoinGroupRequest):
            response = await self._join(node, request, group)
        else:
            response = await self._send(node, self._named(request), group=group)
        if isinstance(request, _OF_MEMBERS) and FENCED_INSTANCE_ID in _error_codes(response):
            self.is_fenced = True
        return response

    def _named(self, request: Any) -> Any:
        if self._instance is None:
            return request
        if isinstance(request, HeartbeatRequest):
            return heartbeat(request._group, request._generation_id, request._member_id, self._instance)  # noqa: SLF001
        if isinstance(request, OffsetCommitRequest):
            return commit_offsets(
                request._consumer_group, request._consumer_group_generation_id, request._consumer_id,  # noqa: SLF001
                self._instance, request._topics,  # noqa: SLF001
            )  # fmt: skip
        return request

    async def _join(self, node: Any, request: Any, group: Any) -> Any:
        await self._client.ready(node, group=group)
        connection = self._client._conns.get((node, group))  # noqa: SLF001 - there is no public way
        if connection is None:
            return await self._send(node, request, group=group)
        usual = connection._request_timeout  # noqa: SLF001
        connection._request_timeout = self._answer_seconds  # noqa: SLF001 - others wait behind a join too
        try:
            return await self._send(node, request, group=group)
        finally:
            connection._request_timeout = usual  # noqa: SLF001


_OF_MEMBERS = (HeartbeatRequest, OffsetCommitRequest, JoinGroupRequest, SyncGroupRequest)


def _error_codes(response: Any) -> Iterator[int]:
    if hasattr(response, "error_code"):
        yield response.error_code
    else:
        yield from (code for _, partitions in response.topics for _, code in partitions)
