"""What each broker says of topics: whether one can be read and written now, and how many partitions it has.

Law of this file: what a broker says of another is not believed. Where the controllers have no quorum, those
that are left go on to name the dead as alive, and leaders that were moved in time go on to be read.
"""

import asyncio
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAuthorizationFailedError

from bus.errors import BusUnavailableError
from bus.kafka.metadata import PartitionCopies, topics_at

ANSWER_SECONDS = 2.0


async def require_whole(client: Any, topic: str) -> None:
    """Check that a topic can be read and written.

    Args:
        client: aiokafka's network client.
        topic: one that exists; another is none of this function's business.

    Raises:
        TopicAuthorizationFailedError: this user may not know of it.
        BusUnavailableError: a leader does not answer, or too few copies are left to take an event; the
            message names the brokers.
    """
    known = {broker.nodeId: f"{broker.host}:{broker.port}" for broker in client.cluster.brokers()}
    answers = dict(
        zip(known, await asyncio.gather(*(_answer(client, node, [topic]) for node in known)), strict=True)
    )
    alive = {node: answer for node, answer in answers.items() if answer is not None}
    if not alive:
        raise BusUnavailableError(f"no broker answers - {', '.join(known.values()) or 'none is known'}")
    lost = missing(_described(next(iter(alive.values())), topic), alive)
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
        TopicAuthorizationFailedError: this user may not know of it.
        KafkaError: no broker answers.
    """
    nodes = [broker.nodeId for broker in client.cluster.brokers()]
    error: KafkaError = KafkaConnectionError("no broker is known")
    for node in random.sample(nodes, len(nodes)):
        try:
            found = await topics_at(client, node, [topic])
        except KafkaError as failed:
            error = failed
        else:
            return len(_described(found, topic))
    raise error


async def partitions_at(client: Any, node: int, topics: Sequence[str]) -> dict[str, int] | None:
    """Return how many partitions of each topic one broker knows; None if it does not answer.

    A topic of which this user may not know is left out.
    """
    found = await _answer(client, node, topics)
    return None if found is None else {name: len(partitions) for name, partitions in found.items()}


async def _answer(
    client: Any, node: int, topics: Sequence[str]
) -> Mapping[str, Sequence[PartitionCopies]] | None:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await topics_at(client, node, topics)
    except (KafkaError, AssertionError, TimeoutError, OSError):
        return None


def _described(found: Mapping[str, Sequence[PartitionCopies]], topic: str) -> Sequence[PartitionCopies]:
    if topic not in found:
        raise TopicAuthorizationFailedError(topic)
    return found[topic]
