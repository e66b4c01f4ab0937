"""Reads topics by their ids, where aiokafka 0.14 reads them by their names.

Law of this file: an offset is one of a topic id. A topic that was made again answers to the name of the
former one, and holds other events at its offsets: a consumer that did not hear of it in time would go on in
the midst of them (KIP-516).
"""

import asyncio
from collections.abc import Mapping
from copy import copy
from types import SimpleNamespace
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.protocol.fetch import FetchRequest

from bus.kafka.requests import fetch_by_id
from bus.record import TopicPartition

NAMED = 11
"""The version of the answer that aiokafka is given: the last one that names topics."""
NO_SUCH_ID = (100, 103)
"""UNKNOWN_TOPIC_ID and INCONSISTENT_TOPIC_ID."""
GONE = UnknownTopicOrPartitionError.errno
"""What aiokafka is told: it asks for the topic, and whoever listens hears that it is another."""
BACKOFF_SECONDS = 0.1


class FetchesById:
    """Takes the place of `send` of the client of one consumer.

    Args:
        client: the client.
        ids: the id of the topic that each position is of; it grows. Other partitions are read by name.
    """

    def __init__(self, client: Any, ids: Mapping[TopicPartition, str]) -> None:
        self._ids = ids
        self._send = client.send
        client.send = self.send

    async def send(self, node: Any, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        """Send a request, and return the answer."""
        if not isinstance(request, FetchRequest):
            return await self._send(node, request, group=group)
        by_id: dict[str, tuple[str, list[Any]]] = {}
        by_name: dict[str, list[Any]] = {}
        for topic, places in request.topics:
            for place in places:
                if (id_ := self._ids.get(TopicPartition(topic, place[0]))) is None:
                    by_name.setdefault(topic, []).append(place)
                else:
                    by_id.setdefault(id_, (topic, []))[1].append(place)
        found: list[tuple[str, list[Any]]] = []
        if by_id:
            topics = [(id_, places) for id_, (_, places) in by_id.items()]
            answer = await self._send(node, fetch_by_id(request, topics), group=group)
            for id_, partitions, _ in answer.topics:
                topic, _ = by_id[str(id_)]
                same = [self._ids[TopicPartition(topic, one[0])] == str(id_) for one in partitions]
                rows = zip(partitions, same, strict=True)
                found.append((topic, [_named(one) if is_same else _gone(one[0]) for one, is_same in rows]))
        if by_name:
            part = copy(request)
            part._topics = list(by_name.items())  # noqa: SLF001 - there is no public way
            answer = await self._send(node, part, group=group)
            # What became known meanwhile is read again, by its id.
            found += [
                (topic, [one for one in partitions if TopicPartition(topic, one[0]) not in self._ids])
                for topic, partitions in answer.topics
            ]
        if any(code == GONE for _, partitions in found for _, code, *_ in partitions):
            await asyncio.sleep(BACKOFF_SECONDS)  # aiokafka asks again at once
        return SimpleNamespace(API_VERSION=NAMED, topics=found)


def _named(partition: Any) -> tuple[Any, ...]:
    """Return the answer about a partition as version 11 has it."""
    number, code, end, stable, first, aborted, replica, records, _ = partition
    if code in NO_SUCH_ID:
        return _gone(number)
    return number, code, end, stable, first, [one[:2] for one in aborted or ()], replica, records or b""


def _gone(number: int) -> tuple[Any, ...]:
    return number, GONE, -1, -1, -1, [], -1, b""
