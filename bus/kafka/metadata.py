"""Asks a broker which topics there are, and where their partitions are.

Laws of this file: no topic is made by a question about it, and one that this user may not know of is never
told as missing. Kafka says `TOPIC_AUTHORIZATION_FAILED` of it, whether it is there or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import TopicAuthorizationFailedError, for_code
from aiokafka.protocol.metadata import MetadataRequest


@dataclass(frozen=True, slots=True)
class PartitionCopies:
    """Where a partition is, by the numbers of brokers.

    Attributes:
        leader: who takes and gives its records; -1 if nobody does.
        replicas: who should have a copy.
        in_sync: who has one.
    """

    leader: int
    replicas: Sequence[int]
    in_sync: Sequence[int]


def ask_for_topics(topics: Iterable[str] | None) -> MetadataRequest:
    """Return the request for what a broker knows of some topics, of all if None."""
    return MetadataRequest(None if topics is None else list(topics), allow_auto_topic_creation=False)


async def topics_at(client: Any, node: int, topics: Iterable[str]) -> Mapping[str, Sequence[PartitionCopies]]:
    """Return the partitions of each topic of which this user may know, none of one that is not there.

    Args:
        client: aiokafka's network client.
        node: the number of the broker.
        topics: their names.

    Raises:
        KafkaError: it does not answer.
    """
    answer = await client.send(node, ask_for_topics(topics))
    return {
        name: [
            PartitionCopies(leader, replicas, in_sync) for _, _, leader, replicas, in_sync, *_ in partitions
        ]
        for code, name, *_, partitions in answer.topics
        if not is_hidden(code)
    }


def is_hidden(code: int) -> bool:
    """Return whether the code of a topic says that this user may not know of it."""
    return for_code(code) is TopicAuthorizationFailedError
