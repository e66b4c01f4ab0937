"""Asks the topics whether publishes are where and when their publishers say.

Law of this file: one question asks about all partitions at once, and a batch asks at most `ROUNDS` times;
what is left over, or could not be asked, is `unchecked` and asked again later. The monitor may describe the
topics of events, not read them.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from bus import BusError, Offsets, PublishReceipt, TopicPartition
from contracts import visible_logger
from observability.evidence.trust import Bounds, Standing, standing_of, window_us

ROUNDS = 8
"""At most so many seconds of one partition are asked about in a batch."""

ANSWER_SECONDS = 5.0
"""How long a batch waits for the cluster's answers."""

PAUSE_SECONDS = 10.0
"""How long nothing is asked after the cluster did not answer, and at most how old the list of topics is."""

_log = visible_logger(__name__)

Window = tuple[int, int]
"""The times at which to ask, in milliseconds since the epoch."""


class TopicCheck:
    """Checks publishes against their topics.

    Args:
        offsets: what the cluster says of its topics.
        clock: seconds that never go back.
    """

    def __init__(self, offsets: Offsets, clock: Callable[[], float] = time.monotonic) -> None:
        self._offsets = offsets
        self._clock = clock
        self._topics: Mapping[str, int] = {}
        self._looked_at = -PAUSE_SECONDS
        self._silent_until = 0.0

    async def standings(self, publishes: Sequence[PublishReceipt]) -> list[Standing]:
        """Return what the topics say of each publish; `unchecked` where they do not answer."""
        if not publishes or self._clock() < self._silent_until:
            return ["unchecked"] * len(publishes)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self._ask(publishes)
        except (BusError, TimeoutError) as error:
            self._silent_until = self._clock() + PAUSE_SECONDS
            self._topics = {}
            _log.warning("publishes not checked against their topics for now: %s", type(error).__name__)
            return ["unchecked"] * len(publishes)

    async def _ask(self, publishes: Sequence[PublishReceipt]) -> list[Standing]:
        is_fresh = await self._look(publishes)
        found: list[Standing] = ["unchecked"] * len(publishes)
        waiting: dict[TopicPartition, dict[Window, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, publish in enumerate(publishes):
            partitions = self._topics.get(publish.topic, 0)
            if 0 <= publish.partition < partitions:
                since_us, until_us = window_us(publish.broker_time_us)
                place = TopicPartition(publish.topic, publish.partition)
                waiting[place][since_us // 1000, until_us // 1000].append(index)
            elif is_fresh and (partitions or self._knows(publish.agency)):
                found[index] = "no-such-offset"
        begins, ends = await self._offsets.begins(list(waiting)), await self._offsets.ends(list(waiting))
        for _ in range(ROUNDS):
            asked = {place: windows.popitem() for place, windows in waiting.items() if windows}
            if not asked:
                break
            since = await self._at({place: window[0] for place, (window, _) in asked.items()})
            until = await self._at({place: window[1] for place, (window, _) in asked.items()})
            for place, (_, indexes) in asked.items():
                bounds = Bounds(begins[place], ends[place], since[place], until[place])
                for index in indexes:
                    found[index] = standing_of(publishes[index].offset, bounds)
        return found

    async def _at(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        # Kafka takes -1 and -2 for the end and the beginning.
        return await self._offsets.offsets_at({place: max(at, 0) for place, at in times.items()})

    async def _look(self, publishes: Sequence[PublishReceipt]) -> bool:
        """Return whether the list of topics is as new as it need be; read it again, if not too often."""
        if all(publish.partition < self._topics.get(publish.topic, 0) for publish in publishes):
            return True
        if self._clock() < self._looked_at + PAUSE_SECONDS:
            return False
        self._topics = await self._offsets.partitions()
        self._looked_at = self._clock()
        return True

    def _knows(self, agency: str) -> bool:
        # Without the right to describe topics all seem to be missing; every agency has this one.
        return f"{agency}.dead-letters" in self._topics
