"""What each broker says of topics: whether one can be read and written now, and how many partitions it has.

Law of this file: what a broker says of another is not believed. Where the controllers have no quorum, those
that are left go on to name the dead as alive, and leaders that were moved in time go on to be read.
"""

import asyncio
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from bus.errors import BusUnavailableError

ANSWER_SECONDS = 2.0


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


async def require_whole(client: Any, topic: str) -> None:
    """Check that a topic can be read and written.

    Args:
        client: aiokafka's network client.
        topic: one that exists; another is none of this function's business.

    Raises:
        BusUnavailableError: a leader does not answer, or too few copies are left to take an event; the
            message names the brokers.
    """
    known = {broker.nodeId: f"{broker.host}:{broker.port}" for broker in client.cluster.brokers()}
    answers = dict(
        zip(known, await asyncio.gather(*(_ask(client, node, topic) for node in known)), strict=True)
    )
    alive = {node: answer for node, answer in answers.items() if answer is not None}
    if not alive:
        raise BusUnavailableError(f"no broker answers - {', '.join(known.values()) or 'none is known'}")
    lost = missing(next(iter(alive.values())), alive)
    if lost:
        names = ", ".join(known.get(node, f"broker {node}") for node in sorted(lost))
        raise BusUnavailableError(
            f"too few brokers are left to take an event, without {names} - topic `{topic}`"
        )


def missing(partitions: Collection[PartitionCopies], alive: Collection[int]) -> set[int]:
    """Return the brokers without which some partition takes no event; none if all do. Pure.

    As many copies as `apply` asks for: all but one, and one at least.
    """
    return {broker for one in partitions for broker in _missing(one, alive)}


def _missing(one: PartitionCopies, alive: Collection[int]) -> Iterator[int]:
    held = set(one.in_sync) & set(alive)
    if one.leader not in held or len(held) < max(1, len(one.replicas) - 1):
        yield from set(one.replicas) - held


async def count_partitions(client: Any, topic: str) -> int:
    """Return how many partitions a topic has, as the first broker says that answers; 0 if it knows none.

    Raises:
        KafkaError: no broker answers.
    """
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    error: KafkaError = KafkaConnectionError("no broker is known")
    for node in random.sample(nodes, len(nodes)):
        try:
            found = await client.send(node, _asked([topic]))
        except KafkaError as failed:
            error = failed
        else:
            return sum(len(partitions) for *_, partitions in found.topics)
    raise error


async def partitions_at(client: Any, node: int, topics: Sequence[str]) -> dict[str, int] | None:
    """Return of how many partitions of each topic one broker knows; None if it does not answer."""
    found = await _metadata(client, node, topics)
    return None if found is None else {name: len(partitions) for _, name, *_, partitions in found}


async def _ask(client: Any, node: int, topic: str) -> list[PartitionCopies] | None:
    found = await _metadata(client, node, [topic])
    if found is None:
        return None
    return [
        PartitionCopies(leader, replicas, in_sync)
        for *_, partitions in found
        for _, _, leader, replicas, in_sync, *_ in partitions
    ]


async def _metadata(client: Any, node: int, topics: Sequence[str]) -> Sequence[Any] | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await client.send(node, _asked(topics))
    except (KafkaError, AssertionError, TimeoutError, OSError):
        return None
    topics_found: Sequence[Any] = found.topics
    return topics_found


def _asked(topics: Sequence[str]) -> MetadataRequest:
    return MetadataRequest(list(topics), allow_auto_topic_creation=False)
