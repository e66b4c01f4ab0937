"""Publishes checked against topics in memory."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bus import BusUnavailableError, Offsets, PublishReceipt, TopicPartition
from bus.testing import InMemoryCluster
from observability.database.store import Store
from observability.evidence.dating import Dating
from observability.evidence.topic_check import PAUSE_SECONDS, ROUNDS, SETTING_SECONDS, TopicCheck
from tests.unit.observability.country import BORN, RECORD, SECOND, START, published

TOPIC = f"{RECORD}.v1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Where the monitor keeps what it saw."""
    with Store(f"sqlite:///{tmp_path / 'monitor.db'}", {}) as found:
        yield found


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def true(cluster: InMemoryCluster, subject: str = RECORD) -> PublishReceipt:
    """Publish an event and return its receipt."""
    record = cluster.append(f"{subject}.v1", b"{}", partition=0)
    return published(subject, START, offset=record.offset, broker_time_us=record.timestamp * 1000)


async def test_a_topic_confirms_what_it_holds_and_refutes_the_rest(store: Store) -> None:
    """Offset, time and place each on their own."""
    cluster = InMemoryCluster()
    one, two = true(cluster), true(cluster, BORN)
    days_us = 3 * 86_400 * SECOND
    claims = {
        "confirmed": [one, two],
        "wrong-time": [
            replace(one, broker_time_us=one.broker_time_us - days_us),
            replace(one, broker_time_us=one.broker_time_us - 3 * SECOND),
            replace(one, broker_time_us=-1),
        ],
        "no-such-offset": [
            replace(one, offset=one.offset + 1),
            replace(one, partition=77),
            replace(one, partition=-1),
            replace(one, topic=f"{RECORD}.v9"),
        ],
    }
    for expected, said in claims.items():
        check = TopicCheck(cluster.offsets(), store)
        assert await check.standings(said) == [expected] * len(said)


async def test_a_topic_with_the_times_of_its_publishers_confirms_and_refutes_no_time(
    store: Store,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is asked about offsets alone, and said once; the others are as they were."""
    cluster, clock = InMemoryCluster(), Clock()
    one, other = true(cluster), true(cluster, BORN)
    cluster.undated_topics.add(TOPIC)
    check = TopicCheck(cluster.offsets(), store, clock)
    late = replace(one, broker_time_us=one.broker_time_us - 3_600 * SECOND)
    missing = replace(one, offset=one.offset + 1)
    for _ in range(2):
        assert await check.standings([one, late, missing, other]) == [
            "undated", "undated", "no-such-offset", "confirmed",
        ]  # fmt: skip
        clock.seconds += SETTING_SECONDS
    assert caplog.text.count(f"`{TOPIC}` keeps the times of its publishers") == 1


async def test_a_topic_that_is_set_back_keeps_the_publishers_times_of_what_it_holds(store: Store) -> None:
    """Its later records have the broker's, until it is changed once more."""
    cluster, clock = InMemoryCluster(), Clock()
    check, before = TopicCheck(cluster.offsets(), store, clock), true(cluster)
    found = []
    for is_undated in (True, False, True, False):
        (cluster.undated_topics.add if is_undated else cluster.undated_topics.discard)(TOPIC)
        clock.seconds += SETTING_SECONDS
        found.append(await check.standings([before]))
        after = true(cluster)
        late = replace(after, broker_time_us=after.broker_time_us - 3_600 * SECOND)
        found.append(await check.standings([before, after, late]))
    without, dated = ["undated"] * 3, ["undated", "confirmed", "wrong-time"]
    assert found == [["undated"], without, ["undated"], dated] * 2


async def test_a_restarted_monitor_knows_which_topic_was_set_back(store: Store) -> None:
    """Whether it ended before that, or after. A topic that ends before what it held then was made again."""
    cluster, place = InMemoryCluster(), TopicPartition(TOPIC, 0)
    before = true(cluster)
    cluster.undated_topics.add(TOPIC)
    assert await TopicCheck(cluster.offsets(), store).standings([before]) == ["undated"]
    cluster.undated_topics.discard(TOPIC)
    assert await TopicCheck(cluster.offsets(), store).standings([before]) == ["undated"]
    after = true(cluster)
    late = replace(after, broker_time_us=after.broker_time_us - 3_600 * SECOND)
    for _ in range(2):
        assert await TopicCheck(cluster.offsets(), store).standings([before, after, late]) == [
            "undated", "confirmed", "wrong-time",
        ]  # fmt: skip
    store.keep_dating(Dating(since={place: 9}), [place])
    for _ in range(2):
        assert await TopicCheck(cluster.offsets(), store).standings([after]) == ["confirmed"]


async def test_a_topic_whose_settings_nobody_tells_leaves_its_publishes_unchecked(store: Store) -> None:
    """Whose times it keeps is not known."""

    class Silent(Counting):
        """Tells no settings."""

        async def are_undated(self, topics: Collection[str]) -> Mapping[str, bool]:
            """Answer nothing."""
            del topics
            return {}

    cluster = InMemoryCluster()
    one = true(cluster)
    assert await TopicCheck(Silent(cluster.offsets()), store).standings([one, replace(one, offset=9)]) == [
        "unchecked", "no-such-offset",
    ]  # fmt: skip


async def test_a_cluster_that_is_away_leaves_publishes_unchecked_until_it_answers(store: Store) -> None:
    """It is not asked at every batch meanwhile."""
    cluster, clock = InMemoryCluster(), Clock()
    check, said = TopicCheck(cluster.offsets(), store, clock), [true(cluster)]
    assert await check.standings(said) == ["confirmed"]
    cluster.available = False
    assert await check.standings(said) == ["unchecked"]
    cluster.available = True
    assert await check.standings(said) == ["unchecked"]
    clock.seconds += PAUSE_SECONDS
    assert await check.standings(said) == ["confirmed"]


async def test_nothing_is_said_of_an_unknown_place_before_the_cluster_was_asked(store: Store) -> None:
    """Neither that it is there nor that it is not."""
    cluster = InMemoryCluster()
    check, one = TopicCheck(cluster.offsets(), store), true(cluster)
    cluster.available = False
    with pytest.raises(BusUnavailableError):
        await check.standings([one])
    cluster.available = True
    assert await check.standings([one]) == ["confirmed"]


async def test_an_unknown_topic_or_partition_is_looked_up_at_once(store: Store) -> None:
    """However short ago another was: no lie lives until the next look, and no true word is refuted by one."""
    cluster, clock = InMemoryCluster(), Clock()
    check, old = TopicCheck(cluster.offsets(), store, clock), true(cluster)
    ghost = published("health.ghost", START)
    assert await check.standings([old]) == ["confirmed"]
    lies = [ghost, replace(old, partition=77), replace(old, topic="../etc", type="../etc")]
    for lie in lies:
        assert await check.standings([lie]) == ["no-such-offset"]
    cluster.create_topic("health.new-event.v1")
    assert await check.standings([true(cluster, "health.new-event"), *lies]) == [
        "confirmed", *["no-such-offset"] * 3,
    ]  # fmt: skip


async def test_without_the_right_to_describe_topics_nothing_is_refuted(store: Store) -> None:
    """The cluster then seems to have none of them."""

    class Blind:
        """A cluster that shows the monitor no topic of events."""

        async def partitions(self, topics: Collection[str]) -> dict[str, int]:
            """Return no topic of events."""
            return dict.fromkeys(topics, 0)

    class Nothing(Blind):
        """What is asked about no place."""

        async def begins(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
            """Return nothing."""
            assert not places
            return {}

        ends = begins
        offsets_at = begins

    offsets: Offsets = Nothing()  # type: ignore[assignment] # narrower arguments
    assert await TopicCheck(offsets, store).standings([published(RECORD, START)]) == ["unchecked"]


async def test_a_batch_asks_a_bounded_number_of_times(store: Store) -> None:
    """A flood of times of one topic delays nobody's receipts for long; the rest is asked again later."""
    cluster = InMemoryCluster()
    one = true(cluster)
    lies = [replace(one, broker_time_us=one.broker_time_us - n * SECOND) for n in range(3, 3 + 4 * ROUNDS)]
    found = await TopicCheck(cluster.offsets(), store).standings(lies)
    assert found == ["wrong-time"] * len(lies)


class Counting:
    """Counts the questions about times."""

    def __init__(self, offsets: Offsets) -> None:
        self._offsets, self.asked = offsets, 0
        self.partitions, self.begins, self.ends = offsets.partitions, offsets.begins, offsets.ends

    async def are_undated(self, topics: Collection[str]) -> Mapping[str, bool]:
        """Answer."""
        return await self._offsets.are_undated(topics)

    async def offsets_at(self, times: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Answer."""
        self.asked += 1
        return await self._offsets.offsets_at(times)


@pytest.mark.parametrize("sign", [-1, 1])
async def test_a_flood_of_real_offsets_with_wrong_times_falls_with_a_few_questions(
    store: Store, sign: int
) -> None:
    """Each answer refutes whoever claims to be on its other side; what is true stays so."""
    cluster = InMemoryCluster()
    true_ones = [true(cluster) for _ in range(2_000)]
    lies = [
        replace(one, broker_time_us=one.broker_time_us + sign * (100 + n * 37) * SECOND)
        for n, one in enumerate(true_ones)
    ]
    counting = Counting(cluster.offsets())
    found = await TopicCheck(counting, store).standings([*lies, true_ones[0]])
    assert found.count("unchecked") <= 2_000 // 2 ** (ROUNDS - 1)
    assert "confirmed" not in found[:-1]
    assert found[-1] != "wrong-time"
    assert counting.asked <= 2 * ROUNDS


async def test_no_flood_hides_an_offset_that_is_not_there(store: Store) -> None:
    """The ends of a partition refute it whatever time it claims: it is not believed for a moment."""
    cluster = InMemoryCluster()
    one = true(cluster)
    lies = [
        replace(one, offset=n, broker_time_us=one.broker_time_us - n * SECOND) for n in range(1, 4 * ROUNDS)
    ]
    found = await TopicCheck(cluster.offsets(), store).standings([*lies, one])
    assert found == [*["no-such-offset"] * len(lies), "confirmed"]
