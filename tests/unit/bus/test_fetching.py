"""How a consumer reads a topic that is known by its id."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from aiokafka.client import ConnectionGroup
from aiokafka.protocol.fetch import FetchRequest

from bus.kafka import fetching
from bus.kafka.fetching import GONE, FetchesById
from bus.record import TopicPartition

FIRST, SECOND = UUID(int=1), UUID(int=2)
RECORDS = b"records"
PLACE = TopicPartition("a", 0)


class Client:
    """Answers what it is told to."""

    def __init__(self, *topics: tuple[UUID, int]) -> None:
        self.topics = topics
        self.asked: list[Any] = []

    async def send(self, node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        """Answer."""
        self.asked.append(request)
        if isinstance(request, FetchRequest):
            named: list[Any] = [(name, [(0, 0, 9, 9, 0, [], -1, RECORDS)]) for name, _ in request.topics]
            return SimpleNamespace(API_VERSION=11, topics=named)
        aborted: list[Any] = [(77, 3, {})]
        rows: list[Any] = [
            (id_, [(number, code, 9, 9, 0, aborted, -1, RECORDS, {})], {})
            for number, (id_, code) in enumerate(self.topics)
        ]
        return SimpleNamespace(topics=rows)


def request(*topics: str) -> FetchRequest:
    """Read the first partition of each topic."""
    return FetchRequest(500, 1, 1_000, 1, [(topic, [(0, 5, 1_000)]) for topic in topics])


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "BACKOFF_SECONDS", 0.0)


async def test_a_topic_is_read_by_its_id() -> None:
    """The answer is the one that aiokafka knows."""
    client = Client((FIRST, 0))
    FetchesById(client, {PLACE: str(FIRST)})
    answer = await client.send(1, request("a"))
    assert answer.API_VERSION == 11
    assert answer.topics == [("a", [(0, 0, 9, 9, 0, [(77, 3)], -1, RECORDS)])]
    (sent,) = (one.build(one._struct) for one in client.asked)
    assert sent.encode().count(FIRST.bytes) == 1
    assert sent.API_VERSION == 13


@pytest.mark.parametrize("code", [100, 103])
async def test_a_topic_that_was_made_again_is_unknown(code: int) -> None:
    """So aiokafka asks for it, and the consumer hears that it is another; nothing of it is read before."""
    client = Client((FIRST, code))
    FetchesById(client, {PLACE: str(FIRST)})
    ((_, ((_, found, *rest),)),) = (await client.send(1, request("a"))).topics
    assert (found, rest[-1]) == (GONE, b"")


async def test_a_topic_whose_offsets_are_not_known_yet_is_read_by_name() -> None:
    """The others of the request are not kept waiting."""
    client = Client((FIRST, 0))
    FetchesById(client, {PLACE: str(FIRST)})
    answer = await client.send(1, request("a", "b"))
    assert [(name, row[-1]) for name, (row,) in answer.topics] == [("a", RECORDS), ("b", RECORDS)]
    assert [name for name, _ in client.asked[1].topics] == ["b"]


async def test_what_was_read_of_a_topic_that_became_another_meanwhile_is_left_out() -> None:
    """Whoever took up the new one has other offsets."""
    ids = {PLACE: str(FIRST)}

    class Late(Client):
        async def send(self, node: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
            answer = await Client.send(self, node, request, group=group)
            ids[PLACE] = str(SECOND)
            return answer

    client = Late((FIRST, 0))
    FetchesById(client, ids)
    ((_, ((_, code, *_),)),) = (await client.send(1, request("a"))).topics
    assert code == GONE


async def test_each_position_is_read_of_the_topic_that_it_is_of() -> None:
    """One partition was taken up again, the other has not heard yet that its topic is another."""
    client = Client((SECOND, 0), (FIRST, 100))
    FetchesById(client, {PLACE: str(SECOND), TopicPartition("a", 1): str(FIRST)})
    both = FetchRequest(500, 1, 1_000, 1, [("a", [(0, 0, 1_000), (1, 5, 1_000)])])
    answer = await client.send(1, both)
    assert [(topic, [code for _, code, *_ in rows]) for topic, rows in answer.topics] == [
        ("a", [0]),
        ("a", [GONE]),
    ]
