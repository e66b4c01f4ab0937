"""Asks the topics whether publishes are where and when their publishers say.

Law of this file: of a topic or partition that is not known nothing is said before the brokers have been asked
about it, at once; nor of an offset before the ends of its partition are known. One question asks about all
partitions, and a batch asks at most `ROUNDS` times, from the middle of the times claimed: an answer about one
time refutes whoever claims to be on its other side, so that a flood of lies falls with a few questions. What
is left over, or could not be asked, is `unchecked` and asked again later. A topic that keeps the times of its
publishers is asked for no time, nor is one that was set back asked for those of the records that it held
then; what was seen of that is kept before anything is said by it. The monitor may describe the topics of
events, not read them.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from bus import BusError, Offsets, PublishReceipt, TopicPartition
from contracts import visible_logger
from observability.errors import StoreError
from observability.evidence.dating import Dating
from observability.evidence.trust import (
    Bounds,
    Standing,
    standing_by_ends,
    standing_by_time,
    standing_of,
    window_us,
)

ROUNDS = 8
"""At most so many seconds of one partition are asked about in a batch."""

ANSWER_SECONDS = 5.0
"""How long a batch waits for the cluster's answers."""

PAUSE_SECONDS = 10.0
"""How long nothing is asked after the cluster did not answer."""

SETTING_SECONDS = 30.0
"""How long it counts whose times a topic keeps."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""Any other name is that of no topic, and is not sent to a broker."""

_log = visible_logger(__name__)

Window = tuple[int, int]
"""The times at which to ask, in milliseconds since the epoch."""


class Memory(Protocol):
    """Where it is kept which topics had the times of their publishers: `Store`."""

    def dating(self) -> Dating:
        """Return what is known."""

    def keep_dating(self, seen: Dating, dropped: Collection[TopicPartition] = ()) -> Dating:
        """Keep what was seen; return all that is known."""


class TopicCheck:
    """Checks publishes against their topics.

    Args:
        offsets: what the cluster says of its topics.
        memory: keeps which topics had the times of their publishers, over a restart too.
        clock: seconds that never go back.
    """

    def __init__(self, offsets: Offsets, memory: Memory, clock: Callable[[], float] = time.monotonic) -> None:
        self._offsets = offsets
        self._memory = memory
        self._clock = clock
        self._topics: dict[str, int] = {}
        self._undated: dict[str, bool] = {}
        self._dating: Dating | None = None
        """Whose times topics kept; None until it was read."""
        self._settings_until = 0.0
        self._doubted: Collection[str] = ()
        self._silent_until = 0.0

    async def standings(self, publishes: Sequence[PublishReceipt]) -> list[Standing]:
        """Return what the topics say of each publish; `unchecked` where they do not answer.

        Raises:
            BusError: no broker says whether a topic or partition is there that was not known before.
        """
        await self._look_up(publishes)
        found, asked = self._places(publishes)
        if not asked or self._clock() < self._silent_until:
            return found
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                undated = await self._are_undated({place.topic for place in asked})
                return await self._ask(publishes, found, asked, undated)
        except (BusError, StoreError, TimeoutError) as error:
            if isinstance(error, StoreError) and not error.retriable:
                raise
            self._silent_until = self._clock() + PAUSE_SECONDS
            self._doubted = {place.topic for place in asked}  # one of them may be gone
            _log.warning("publishes not checked against their topics for now: %s", type(error).__name__)
            return found

    async def _look_up(self, publishes: Sequence[PublishReceipt]) -> None:
        if self._clock() >= self._silent_until:
            for topic in self._doubted:
                self._topics.pop(topic, None)
            self._doubted = ()
        new = [one for one in publishes if one.partition >= self._topics.get(one.topic, 0)]
        names = {name for one in new for name in (one.topic, _known_to_all(one.agency))}
        if not names:
            return
        counts = await self._offsets.partitions({name for name in names if _NAME.fullmatch(name)})
        self._topics |= {name: count for name, count in counts.items() if count}

    async def _are_undated(self, topics: Collection[str]) -> Mapping[str, bool]:
        """Return whether each topic keeps the times that publishers give; who is not told is left out."""
        if self._clock() >= self._settings_until:
            self._undated = {}
            self._settings_until = self._clock() + SETTING_SECONDS
        found = await self._offsets.are_undated(set(topics) - self._undated.keys())
        self._undated |= found
        if self._dating is None:
            self._dating = await asyncio.to_thread(self._memory.dating)
        new = {topic for topic in found if found[topic]} - self._dating.topics
        if new:
            self._dating = await asyncio.to_thread(self._memory.keep_dating, Dating(frozenset(new)))
        for topic in sorted(new):
            _log.warning(
                "topic `%s` keeps the times of its publishers (message.timestamp.type=CreateTime): what they "
                "say of the time of its events is not checked. Run `govbus contracts apply`", topic,
            )  # fmt: skip
        return self._undated

    def _places(
        self, publishes: Sequence[PublishReceipt]
    ) -> tuple[list[Standing], dict[TopicPartition, dict[Window, list[int]]]]:
        """Return what can be said without the topics, and what to ask each partition."""
        found: list[Standing] = ["unchecked"] * len(publishes)
        asked: dict[TopicPartition, dict[Window, list[int]]] = defaultdict(lambda: defaultdict(list))
        for index, publish in enumerate(publishes):
            partitions = self._topics.get(publish.topic, 0)
            if 0 <= publish.partition < partitions:
                since_us, until_us = window_us(publish.broker_time_us)
                place = TopicPartition(publish.topic, publish.partition)
                asked[place][since_us // 1000, until_us // 1000].append(index)
            elif partitions or _known_to_all(publish.agency) in self._topics:
                found[index] = "no-such-offset"
        return found, asked

    async def _ask(
        self,
        publishes: Sequence[PublishReceipt],
        without: Sequence[Standing],
        waiting: Mapping[TopicPartition, dict[Window, list[int]]],
        undated: Mapping[str, bool],
    ) -> list[Standing]:
        found = list(without)
        begins, ends = await self._offsets.begins(list(waiting)), await self._offsets.ends(list(waiting))
        since = await self._dated_since(ends, undated)
        left: dict[TopicPartition, dict[Window, list[int]]] = defaultdict(dict)
        for place, windows in waiting.items():
            dated_from = since.get(place, 0)
            for window, indexes in windows.items():
                for index in indexes:
                    offset = publishes[index].offset
                    by_ends = standing_by_ends(offset, begins[place], ends[place])
                    found[index] = by_ends or ("undated" if offset < dated_from else found[index])
                open_ones = [index for index in indexes if found[index] == "unchecked"]
                if open_ones and place.topic in undated:
                    left[place][window] = open_ones
        for _ in range(ROUNDS):
            asked = {place: _middle_of(windows) for place, windows in left.items() if windows}
            if not asked:
                break
            since = await self._at({place: window[0] for place, (window, _) in asked.items()})
            until = await self._at({place: window[1] for place, (window, _) in asked.items()})
            for place, (window, indexes) in asked.items():
                bounds = Bounds(begins[place], ends[place], since[place], until[place])
                for index in indexes:
                    found[index] = standing_of(publishes[index].offset, bounds)
                for at, first in ((window[0], since[place]), (window[1], until[place])):
                    _refute(publishes, found, left[place], at, first)
        return found

    async def _dated_since(
        self, ends: Mapping[TopicPartition, int], undated: Mapping[str, bool]
    ) -> Mapping[TopicPartition, int]:
        """Return the first offset that may have the broker's time, where it is not the first of all."""
        known = self._dating or Dating()
        now = {place for place in ends if undated.get(place.topic)}
        was = {place for place in ends if place.topic in known.topics and place.topic in undated} - now
        # A topic that ends before what it held then was made again since, with the broker's times.
        anew = {place for place in was if known.since.get(place, 0) > ends[place]}
        dropped = anew | (now & known.since.keys())
        seen = {place: 0 if place in anew else ends[place] for place in anew | (was - known.since.keys())}
        if dropped or seen:
            self._dating = known = await asyncio.to_thread(
                self._memory.keep_dating, Dating(since=seen), dropped
            )
        return {**known.since, **{place: ends[place] for place in now}}

    async def _at(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        # Kafka takes -1 and -2 for the end and the beginning.
        return await self._offsets.offsets_at({place: max(at, 0) for place, at in times.items()})


def _middle_of(windows: dict[Window, list[int]]) -> tuple[Window, list[int]]:
    """Take the window in the middle: what its answer refutes beside it is the most there."""
    window = sorted(windows)[len(windows) // 2]
    return window, windows.pop(window)


def _refute(
    publishes: Sequence[PublishReceipt],
    found: list[Standing],
    windows: dict[Window, list[int]],
    at: int,
    first: int,
) -> None:
    """Refute by one answer what claims other times, and leave the rest to be asked about."""
    for window, indexes in list(windows.items()):
        for index in indexes:
            found[index] = standing_by_time(publishes[index].offset, window, at, first) or found[index]
        windows[window] = [index for index in indexes if found[index] == "unchecked"]
        if not windows[window]:
            del windows[window]


def _known_to_all(agency: str) -> str:
    # Without the right to describe topics all seem to be missing; every agency has this one.
    return f"{agency}.dead-letters"
