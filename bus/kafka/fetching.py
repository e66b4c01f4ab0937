"""Reads topics by their ids, where aiokafka 0.14 reads them by their names.

Law of this file: an offset is one of a topic id. A topic that was made again answers to the name of the
former one, and holds other events at its offsets: a consumer that did not hear of it in time would go on in
the midst of them (KIP-516).
"""

import asyncio
from collections.abc import Collection, Mapping
from copy import copy
from types import SimpleNamespace
from typing import Any

from aiokafka.client import ConnectionGroup
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.protocol.fetch import FetchRequest

from bus.kafka.requests import fetch_by_id

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
        ids: the id of each topic whose offsets the consumer knows; it grows. Others are read by name.
    """

    def __init__(self, client: Any, ids: Mapping[str, str]) -> None:
        self._ids = ids
        self._send = client.send
        client.send = self.send

    async def send(self, node: Any, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
        """Send a request, and return the answer."""
        if not isinstance(request, FetchRequest):
            return await self._send(node, request, group=group)
        ids = {topic: self._ids[topic] for topic, _ in request.topics if topic in self._ids}
        found: list[tuple[str, list[Any]]] = []
        if ids:
            answer = await self._send(node, fetch_by_id(_only(request, ids), ids), group=group)
            names = {id_: name for name, id_ in ids.items()}
            for id_, partitions, _ in answer.topics:
                found.append(((name := names[str(id_)]), [_named(one) for one in partitions]))
                if self._ids[name] != str(id_):
                    found[-1] = name, [_gone(number) for number, *_ in partitions]
        if others := {topic for topic, _ in request.topics} - ids.keys():
            answer = await self._send(node, _only(request, others), group=group)
            # What became known meanwhile is read again, by its id.
            found += [(name, partitions) for name, partitions in answer.topics if name not in self._ids]
        if any(code == GONE for _, partitions in found for _, code, *_ in partitions):
            await asyncio.sleep(BACKOFF_SECONDS)  # aiokafka asks again at once
        return SimpleNamespace(API_VERSION=NAMED, topics=found)


def _only(request: Any, topics: Collection[str]) -> Any:
    """Return a request for some of its topics."""
    part = copy(request)
    part._topics = [(topic, places) for topic, places in request.topics if topic in topics]  # noqa: SLF001
    return part


def _named(partition: Any) -> tuple[Any, ...]:
    """Return the answer about a partition as version 11 has it."""
    number, code, end, stable, first, aborted, replica, records, _ = partition
    if code in NO_SUCH_ID:
        return _gone(number)
    return number, code, end, stable, first, [one[:2] for one in aborted or ()], replica, records or b""


def _gone(number: int) -> tuple[Any, ...]:
    return number, GONE, -1, -1, -1, [], -1, b""
