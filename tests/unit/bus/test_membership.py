"""How a member waits for the answer to its join."""

from types import SimpleNamespace
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.protocol.group import HeartbeatRequest, JoinGroupRequest

from bus.kafka.membership import Membership

USUAL, PATIENT = 40.0, 118.0


async def test_a_join_is_waited_for_as_long_as_a_rebalance_may_take() -> None:
    """Cut off by the usual timeout it would begin again, and the group with it; all else stays quick."""
    group = ConnectionGroup.COORDINATION
    waited = list[float]()

    class Client:
        def __init__(self) -> None:
            self._conns = {(1, group): SimpleNamespace(_request_timeout=USUAL)}

        async def ready(self, node: int, *, group: Any) -> bool:
            return (node, group) in self._conns

        async def send(self, node: int, request: Any, *, group: Any) -> Any:
            waited.append(self._conns[node, group]._request_timeout)
            return SimpleNamespace(error_code=0)

    client = Client()
    membership = Membership(client, None, PATIENT)
    for request in (
        HeartbeatRequest("south.edge", 1, "one"),
        JoinGroupRequest("south.edge", 10_000, 108_000, "one", "", "consumer", []),
        HeartbeatRequest("south.edge", 2, "one"),
    ):
        await client.send(1, request, group=group)
    assert waited == [USUAL, PATIENT, USUAL]
    assert not membership.is_fenced
