"""What the broker refuses of what a handler publishes fails that event, or lets the partition wait."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Any

import orjson
import pytest

from bus import Bus, DeliveryReceipt, Draft, Event, Retry, RetryPolicy
from bus.dead_letters.operations import DeadLetters, Operator
from bus.dead_letters.record import PREFIX
from bus.deliver import retry, subscriber
from bus.process import overdue
from bus.times.backoff import Backoff
from bus.topics import dead_letter_topic, receipts_topic
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld, until

NAME = "relay"
LIMIT_BYTES = 70
LONG = "x" * 60
BOTH = pytest.mark.parametrize("exactly_once", [False, True])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryWorld:
    """A small country in memory, whose topic of closed cases takes short ones alone; waits are short."""
    monkeypatch.setattr(subscriber, "ANEW", Backoff(0.01, 0.02), raising=False)
    monkeypatch.setattr(overdue, "LATE_SECONDS", 0.0)
    monkeypatch.setattr(retry, "OUTAGE_SCHEDULE", (0.01, 0.02))
    world = MemoryWorld(SmallCountry(tmp_path))
    world.cluster.max_message_bytes[closed(world)] = LIMIT_BYTES
    return world


def closed(world: MemoryWorld) -> str:
    """Return the topic of closed cases."""
    return f"{world.country.closed}.v1"


def relaying(
    world: MemoryWorld, handled: Counter[int], *, exactly_once: bool, fails: Collection[int] = ()
) -> Bus:
    """Return a bus whose handler closes what is opened; first attempts at `fails` do so in vain."""
    bus = world.bus(world.country.south)

    @bus.subscribe(
        world.country.opened, version=1, purpose="close-cases", name=NAME, exactly_once=exactly_once,
        retry=RetryPolicy((0.01,) * 3, jitter=0),
    )  # fmt: skip
    async def relay(event: Event[Any]) -> Retry | None:
        number = event.data["number"]
        handled[number] += 1
        if number in fails and event.attempt == 1:
            return Retry()
        await event.publish(world.country.closed, event.data, key=event.key, version="1.0")
        return None

    return bus


async def publish(world: MemoryWorld, numbers: range, *, too_long: Collection[int] = ()) -> None:
    """Publish cases; what a handler publishes of those that are too long is refused."""
    async with world.bus(world.country.north) as bus:
        drafts = [
            Draft(case(number, LONG if number in too_long else "case-0001"), key=f"k{number}")
            for number in numbers
        ]
        await bus.publish_many(world.country.opened, drafts, version="1.0")


def relayed(world: MemoryWorld) -> Counter[int]:
    """Return how often each case counts as closed."""
    return Counter(orjson.loads(one.value or b"")["number"] for one in world.cluster.records(closed(world)))


def letters(world: MemoryWorld) -> dict[int, str]:
    """Return the reason of each dead letter, by the number of its case."""
    return {
        orjson.loads(one.value or b"")["number"]: (dict(one.headers)[f"{PREFIX}reason"] or b"").decode()
        for one in world.cluster.records(dead_letter_topic(world.country.south))
    }


def outcomes(world: MemoryWorld) -> Counter[str]:
    """Return how many deliveries ended in what."""
    rows = [row for row in world.cluster.receipts() if isinstance(row, DeliveryReceipt)]
    return Counter(row.outcome for row in rows if row.subscription == NAME)


async def has_committed(world: MemoryWorld, count: int) -> bool:
    """Return whether so many records are counted as read."""
    return await world.committed(f"{world.country.south}.{NAME}", world.country.topic) >= count


@BOTH
@pytest.mark.parametrize("fails", [(), (3, 5)])
async def test_a_refused_record_fails_the_event_whose_handler_published_it(
    world: MemoryWorld, fails: Collection[int], *, exactly_once: bool
) -> None:
    """A dead letter says why, and all others count once. So it is with events that were parked."""
    handled = Counter[int]()
    await publish(world, range(40), too_long=(3, 17, 39))
    async with relaying(world, handled, exactly_once=exactly_once, fails=fails):
        await until(lambda: len(letters(world)) == 3 and sum(relayed(world).values()) >= 37)
        await until(lambda: has_committed(world, 40))
    assert letters(world) == dict.fromkeys((3, 17, 39), "too-large")
    assert relayed(world) == Counter(set(range(40)) - {3, 17, 39})
    assert (outcomes(world)["ack"], outcomes(world)["dead-letter"]) == (37, 3)
    assert max(handled.values()) <= 5


@BOTH
async def test_a_stream_of_refused_records_ends_in_dead_letters(
    world: MemoryWorld, *, exactly_once: bool
) -> None:
    """Each event is handled again at most a few times, and the partitions come to their end."""
    handled, numbers = Counter[int](), range(300)
    await publish(world, numbers, too_long=numbers)
    async with relaying(world, handled, exactly_once=exactly_once):
        await until(lambda: has_committed(world, len(numbers)))
    assert max(handled.values()) <= 3
    assert letters(world).keys() == set(numbers)


@BOTH
async def test_a_redriven_event_is_handled_once_the_topic_takes_what_it_publishes(
    world: MemoryWorld, *, exactly_once: bool
) -> None:
    """That its record was refused before is forgotten with the dead letter."""
    handled = Counter[int]()
    await publish(world, range(3), too_long=(1,))
    async with relaying(world, handled, exactly_once=exactly_once) as bus:
        await until(lambda: has_committed(world, 3))
        world.cluster.max_message_bytes.clear()
        async with DeadLetters(bus._transport, world.country.south, world.country.catalog) as dead:
            (letter,) = await dead.read()
            await dead.redrive(letter, Operator("mae", "the topic takes more"))
        await until(lambda: handled[1] == 2 and relayed(world)[1])
    assert relayed(world) == Counter(range(3))


@BOTH
async def test_an_access_that_was_taken_away_is_waited_for(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture, *, exactly_once: bool
) -> None:
    """No event is to blame: the partition waits, longer each time, says so, and goes on with the grant."""
    handled = Counter[int]()
    world.cluster.closed_topics.add(closed(world))
    await publish(world, range(1))
    async with relaying(world, handled, exactly_once=exactly_once) as bus:
        await until(lambda: handled[0] >= 4)
        assert await _is_red(bus)
        assert caplog.text.count("grants no access") >= 3
        assert not letters(world)
        world.cluster.closed_topics.clear()
        await until(lambda: has_committed(world, 1))
        await until(lambda: _is_green(bus))
    assert relayed(world) == Counter([0])


async def _is_red(bus: Bus) -> bool:
    return NAME in (await bus.checks["kafka"]() or "")


async def _is_green(bus: Bus) -> bool:
    return await bus.checks["kafka"]() is None


@BOTH
async def test_a_topic_that_is_missing_is_waited_for(world: MemoryWorld, *, exactly_once: bool) -> None:
    """Events wait until the catalogue's topics are applied."""
    handled = Counter[int]()
    partitions = world.cluster.partitions()[closed(world)]
    await publish(world, range(5))
    bus = relaying(world, handled, exactly_once=exactly_once)
    async with bus:
        await until(lambda: has_committed(world, 5))
        world.cluster.delete_topic(closed(world))
        await publish(world, range(5, 6))
        await until(lambda: handled[5] >= 3)
        assert not letters(world)
        assert await _is_red(bus)
        world.cluster.create_topic(closed(world), partitions)
        await until(lambda: has_committed(world, 6))
    assert relayed(world) == Counter([5])


async def test_receipts_that_are_refused_let_the_partition_wait(
    world: MemoryWorld, caplog: pytest.LogCaptureFixture
) -> None:
    """No event is to blame for them, so none becomes a dead letter, and none is handled in a hot loop."""
    handled = Counter[int]()
    await publish(world, range(3))
    world.cluster.max_message_bytes[receipts_topic(world.country.south)] = 100
    async with relaying(world, handled, exactly_once=True) as bus:
        await until(lambda: handled[0] >= 4)
        assert await _is_red(bus)
        assert "begins anew" in caplog.text
        world.cluster.max_message_bytes.clear()
        await until(lambda: has_committed(world, 3))
    assert relayed(world) == Counter(range(3))


@BOTH
async def test_a_dead_letter_that_its_topic_refuses_is_written_without_its_data(
    world: MemoryWorld, *, exactly_once: bool
) -> None:
    """It alone: once the topic takes what the catalogue says, the next one has its data."""
    handled, topic = Counter[int](), dead_letter_topic(world.country.south)
    await publish(world, range(6), too_long=(1, 3))
    world.cluster.max_message_bytes[topic] = LIMIT_BYTES
    async with relaying(world, handled, exactly_once=exactly_once):
        await until(lambda: has_committed(world, 6))
        assert [one.value for one in world.cluster.records(topic)] == [None, None]
        del world.cluster.max_message_bytes[topic]
        await publish(world, range(6, 9), too_long=(7,))
        await until(lambda: has_committed(world, 9))
    assert orjson.loads(world.cluster.records(topic)[2].value or b"")["number"] == 7
    assert relayed(world) == Counter(set(range(9)) - {1, 3, 7})
