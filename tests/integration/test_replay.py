"""A window read again: the same handler, marked, on record, and the live group left alone."""

import asyncio
import gc
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from bus import Bus, DeliveryReceipt, Draft, Event, UsageError
from bus.dead_letters.operations import DeadLetters, Operator
from bus.replay.replay import ReplayRequest, replay, window
from bus.topics import audit_topic
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, World, receipts, until

Seen = list[tuple[int, str | None]]
cut_short = pytest.mark.filterwarnings("ignore::ResourceWarning")
"""aiokafka leaves a connection open when it is cancelled while it makes one."""


def request(since: datetime, until: datetime, **said: Any) -> ReplayRequest:
    """Return a sound request."""
    return ReplayRequest(**{
        "id": "r1", "since": since, "until": until, "by": "mae", "approved_by": "joe", "why": "lost a table",
        "rate": 2_000.0, **said,
    })  # fmt: skip


def subscribed(world: World, seen: Seen) -> Bus:
    """Return a bus that notes number and replay of each event, and cannot take case 13 again."""
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="edge")
    async def note(event: Event[Any]) -> None:
        if event.replay and event.data["number"] == 13:
            raise RuntimeError
        seen.append((event.data["number"], event.replay))

    return bus


async def published(world: World, first: int, count: int) -> datetime:
    """Publish cases; return a time after all of them and before whatever comes next."""
    async with world.bus(world.country.north) as bus:
        drafts = [Draft(case(n), key=f"k{n % 5}") for n in range(first, first + count)]
        places = await bus.publish_many(world.country.opened, drafts, version="1.0")
    await asyncio.sleep(0.05)
    return max(place.broker_time for place in places) + timedelta(milliseconds=20)


async def lived_through(world: World) -> tuple[datetime, datetime]:
    """Let the live subscription handle 30 cases; return the window of the second ten."""
    seen: Seen = []
    since = await published(world, 0, 10)
    end = await published(world, 10, 10)
    await published(world, 20, 10)
    async with subscribed(world, seen):
        await until(lambda: len(seen) == 30)
    return since, end


async def committed(world: World) -> int:
    """Return where the live group stands."""
    return await world.committed(f"{world.country.south}.edge", world.country.topic)


async def test_exactly_the_window_is_read_again_and_marked(world: World) -> None:
    """The live group stays where it is; what fails is a dead letter of the replay's; all is on record."""
    since, end = await lived_through(world)
    for odd in (b"no JSON", b"[]", b'{"id":"r1"}', None):
        await world.append(audit_topic(world.country.south), odd)
    before, seen = await committed(world), Seen()
    assert await replay(subscribed(world, seen), "edge", request(since, end)) == 10
    assert sorted(seen) == [(n, "r1") for n in range(10, 20) if n != 13]
    assert await committed(world) == before
    (letter,) = await world.records(f"{world.country.south}.dead-letters")
    assert dict(letter.headers)["govbus-dead-letter-subscription"] == b"edge.replay.r1"
    told = (await world.records(audit_topic(world.country.south)))[4:]
    said = [orjson.loads(one.value or b"") for one in told]
    assert [one["act"] for one in said] == ["replay-begun", "replay-ended"]
    assert {(one["by"], one["approved_by"], one["why"]) for one in said} == {("mae", "joe", "lost a table")}
    rows = [row for row in await receipts(world) if isinstance(row, DeliveryReceipt)]
    assert sum(row.subscription == "edge" for row in rows) == 30
    assert sum(row.subscription == "edge.replay.r1" for row in rows) == 10


@cut_short
async def test_a_replay_that_was_cut_short_goes_on(world: World) -> None:
    """Under its id it reads what is left of the same window, though more has been published since."""
    since, end = await lived_through(world)
    seen = Seen()
    slow = request(since, end, rate=20.0)
    task = asyncio.create_task(replay(subscribed(world, seen), "edge", slow))
    await until(lambda: len(seen) >= 3)
    task.cancel()
    await asyncio.wait([task])
    del task
    gc.collect()
    first = len(seen)
    await published(world, 30, 10)
    await replay(subscribed(world, seen), "edge", request(since, end))
    assert {number for number, _ in seen} == {n for n in range(10, 20) if n != 13}
    assert len(seen) < first + 10


@cut_short
async def test_a_replay_cut_short_once_it_is_on_record_reads_its_window_alone(
    kafka_world: KafkaWorld,
) -> None:
    """What was published before the window is not read again."""
    world = kafka_world
    since, end = await lived_through(world)
    looking, audit = world.bus(world.country.south).transport, audit_topic(world.country.south)
    await looking.start()
    await looking.ends(audit)
    slow = request(since, end, rate=1.0)
    task = asyncio.create_task(replay(subscribed(world, []), "edge", slow))
    while not any((await looking.ends(audit)).values()):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    del task
    gc.collect()
    await looking.stop()
    seen = Seen()
    await replay(subscribed(world, seen), "edge", request(since, end))
    assert {number for number, _ in seen} <= set(range(10, 20))


async def test_an_id_belongs_to_one_subscription(world: World) -> None:
    """Another one's replay goes not on under it: its windows are of other topics."""
    since, end = await lived_through(world)
    await replay(subscribed(world, []), "edge", request(since, end))
    bus, seen = world.bus(world.country.south), Seen()

    @bus.subscribe(world.country.closed, version=1, purpose="tell-the-citizen", name="other")
    async def note(event: Event[Any]) -> None:
        seen.append((event.data["number"], event.replay))

    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(UsageError, match="edge"):
            await replay(bus, "other", request(since, end))
    assert seen == []


async def test_a_replay_that_has_ended_is_not_begun_again(world: World) -> None:
    """Its group may be forgotten by then, and it would begin at the earliest event."""
    since, end = await lived_through(world)
    await replay(subscribed(world, []), "edge", request(since, end))
    seen = Seen()
    with pytest.raises(UsageError, match="has ended"):
        await replay(subscribed(world, seen), "edge", request(since, end))
    assert seen == []


async def test_a_dead_letter_of_a_replay_is_not_redriven(world: World) -> None:
    """Nobody reads for the replay any more; the live subscription never failed."""
    since, end = await lived_through(world)

    await replay(subscribed(world, []), "edge", request(since, end))
    looking = world.bus(world.country.south).transport
    await looking.start()
    try:
        letters = DeadLetters(looking, world.country.south, world.country.catalog)
        letter = next(one for one in await letters.read() if ".replay." in one.subscription)
        with pytest.raises(UsageError, match="under a new id"):
            await letters.redrive(letter, Operator("mae", "the handler is mended"))
    finally:
        await looking.stop()


async def test_the_live_subscription_goes_on_meanwhile(world: World) -> None:
    """Its new events come unmarked, once."""
    since, end = await lived_through(world)
    live, again = Seen(), Seen()
    async with subscribed(world, live):
        task = asyncio.create_task(replay(subscribed(world, again), "edge", request(since, end, rate=20.0)))
        await published(world, 30, 10)
        await until(lambda: len(live) == 10)
        await task
    assert sorted(live) == [(n, None) for n in range(30, 40)]
    assert len(again) == 9


async def test_a_window_is_counted_without_reading_it(world: World) -> None:
    """Nothing is written either."""
    since, end = await lived_through(world)
    bus = subscribed(world, [])
    await bus.transport.start()
    offsets = await window(bus.transport, bus.subscription("edge"), request(since, end))
    await bus.transport.stop()
    assert sum(last - first for first, last in offsets.values()) == 10
    assert await world.records(audit_topic(world.country.south)) == []


@pytest.mark.parametrize(
    "said", [{"approved_by": ""}, {"approved_by": "Mae "}, {"why": " "}, {"by": ""}, {"rate": 0.0}]
)
async def test_nobody_replays_on_his_own_word(world: World, said: dict[str, Any]) -> None:
    """Nor without saying what for; nothing is read."""
    now, seen = datetime.now(UTC), Seen()
    with pytest.raises(UsageError):
        await replay(subscribed(world, seen), "edge", request(now - timedelta(1), now, **said))
    assert seen == []


async def test_an_unknown_subscription_is_named(world: World) -> None:
    """With those that there are."""
    now = datetime.now(UTC)
    with pytest.raises(UsageError, match="edge"):
        await replay(subscribed(world, []), "other", request(now - timedelta(1), now))
