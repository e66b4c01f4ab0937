"""Handlers that misbehave: each has an outcome, and a message that says what to do."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from bus import Bus, DeliveryReceipt, Draft, Event, RetryPolicy, UsageError, open_consumer
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, World, receipts, until

ONCE = RetryPolicy((0.05,), jitter=0, when_exhausted="release")


def subscribed(world: World, handler: Callable[..., Any], **options: Any) -> Bus:
    """Return a bus with one subscription named `edge`."""
    bus = world.bus(world.country.south, stop_timeout_seconds=1.0)
    options = {"retry": ONCE, "name": "edge", **options}
    bus.subscribe(world.country.opened, version=1, purpose="close-cases", **options)(handler)
    return bus


async def publish(world: World, *drafts: tuple[str, int]) -> None:
    """Publish cases by key and number."""
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(
            world.country.opened, [Draft(case(number), key=key) for key, number in drafts], version="1.0"
        )


async def outcomes(world: World) -> list[tuple[str, str | None]]:
    """Return outcome and reason of each delivery."""
    return [(row.outcome, row.reason) for row in await receipts(world) if isinstance(row, DeliveryReceipt)]


async def test_a_handler_that_blocks_the_loop_is_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Subscription, function, file and line, and what to do, while it still blocks."""
    told = threading.Event()

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.set()

    logging.getLogger("govbus.watchdog").addHandler(hearing := Hearing())
    while_blocked: list[bool] = []

    async def blocks(event: Event[Any]) -> None:
        while_blocked.append(told.wait(PATIENCE_SECONDS))

    async def waits(event: Event[Any]) -> None:
        await until(lambda: while_blocked)

    try:
        bus = subscribed(world, blocks)
        bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="innocent")(waits)
        async with bus:
            await publish(world, ("k", 1))
            await until(lambda: while_blocked)
    finally:
        logging.getLogger("govbus.watchdog").removeHandler(hearing)
    assert while_blocked[0]
    (message,) = [record.getMessage() for record in caplog.records if record.name == "govbus.watchdog"]
    assert "by a handler of `edge`:" in message
    assert "test_misuse.py" in message
    assert "blocks" in message
    assert "runs in a thread" in message


@pytest.mark.parametrize(
    "error", [SystemExit, KeyboardInterrupt, BaseException, asyncio.CancelledError, GeneratorExit]
)
async def test_an_error_that_would_end_the_program_ends_the_attempt(
    world: World, error: type[BaseException]
) -> None:
    """It is tried again by its schedule and no oftener, and the next event is handled."""
    seen: list[int] = []

    async def raises(event: Event[Any]) -> None:
        seen.append(event.data["number"])
        if event.data["number"] == 1:
            raise error

    async with subscribed(world, raises) as bus:
        await publish(world, ("k", 1), ("other", 2))
        await until(lambda: world.records(f"{world.country.south}.dead-letters"))
        await until(lambda: 2 in seen)
        assert bus.serving
    assert seen.count(1) == 2


@pytest.mark.parametrize("error", [SystemExit, StopIteration, asyncio.CancelledError])
async def test_so_it_does_in_a_plain_function(world: World, error: type[BaseException]) -> None:
    """Its thread reports whatever ends it."""
    seen: list[int] = []

    def raises(event: Event[Any]) -> None:
        seen.append(event.data["number"])
        if event.data["number"] == 1:
            raise error

    async with subscribed(world, raises, timeout_seconds=60):
        await publish(world, ("k", 1), ("other", 2))
        await until(lambda: world.records(f"{world.country.south}.dead-letters"))
        await until(lambda: 2 in seen)
    assert seen.count(1) == 2
    assert ("retry", "handler-failed") in await outcomes(world)


async def test_a_handler_that_swallows_its_interruption_is_interrupted_again(world: World) -> None:
    """Its event counts as handled, since it came to an end; the next one is timed anew."""
    seen: list[int] = []

    async def swallows(event: Event[Any]) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            seen.append(event.data["number"])

    async with subscribed(world, swallows, timeout_seconds=0.2):
        await publish(world, ("k", 1), ("k", 2))
        await until(lambda: seen == [1, 2])
    assert ("ack", None) in await outcomes(world)


async def test_a_handler_that_ignores_its_interruption_is_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Its partition waits, others go on, and the stop does not wait for it."""
    seen: list[str] = []
    release = asyncio.Event()

    async def ignores(event: Event[Any]) -> None:
        seen.append(event.key or "")
        while event.key == "stuck" and not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    bus = subscribed(world, ignores, timeout_seconds=0.3)
    await bus.start()
    await publish(world, ("stuck", 1), *((f"k{n}", n) for n in range(30)))
    await until(lambda: any("ignored its cancellation" in record.getMessage() for record in caplog.records))
    await until(lambda: len(seen) > 10)
    await asyncio.wait_for(bus.stop(), 10)
    release.set()


@pytest.mark.parametrize("subject", ["nobody.has-this", "the-owner"])
async def test_publishing_what_it_may_not_is_the_programs_fault(world: World, subject: str) -> None:
    """A dead letter at once, whose detail says what is wrong; the next event is handled."""
    seen: list[int] = []

    async def wrong(event: Event[Any]) -> None:
        seen.append(event.data["number"])
        if event.data["number"] == 1:
            await event.publish(
                world.country.opened if subject == "the-owner" else subject, event.data, version="1.0"
            )

    async with subscribed(world, wrong):
        await publish(world, ("k", 1), ("k", 2))
        (letter,) = await until(lambda: world.records(f"{world.country.south}.dead-letters"))
        await until(lambda: seen == [1, 2])
    detail = (dict(letter.headers)["govbus-dead-letter-detail"] or b"").decode()
    assert world.country.opened in detail if subject == "the-owner" else subject in detail


async def test_a_plain_function_that_never_returns_is_tried_again(world: World) -> None:
    """Its thread is left behind; the event is a dead letter in the end, and the next one is handled."""
    seen: list[int] = []

    def hangs(event: Event[Any]) -> None:
        seen.append(event.data["number"])
        if event.data["number"] == 1:
            time.sleep(5)

    async with subscribed(world, hangs, timeout_seconds=0.3):
        await publish(world, ("k", 1), ("other", 2))
        await until(lambda: world.records(f"{world.country.south}.dead-letters"))
        await until(lambda: 2 in seen)
    assert ("retry", "handler-timeout") in await outcomes(world)


async def test_nothing_a_handler_is_given_commits(world: World) -> None:
    """Neither the event nor the bus has anything to commit, seek or pause with."""
    given: list[Event[Any]] = []

    async def keep(event: Event[Any]) -> None:
        given.append(event)

    async with subscribed(world, keep) as bus:
        await publish(world, ("k", 1))
        await until(lambda: given)
        public = {name for one in (given[0], bus) for name in dir(one) if not name.startswith("_")}
    assert not public & {"commit", "ack", "nack", "seek", "pause", "consumer", "offsets"}


async def test_the_group_of_a_subscription_is_nobody_elses(kafka_world: KafkaWorld) -> None:
    """A consumer that a handler opens there would take its events away, and a commit would lose them."""
    south, told = kafka_world.country.south, list[str]()

    async def meddles(event: Event[Any]) -> None:
        try:
            async with open_consumer(kafka_world.settings(), group=f"{south}.edge", topics=[event.topic]):
                told.append("joined")
        except UsageError as error:
            told.append(str(error))

    async with subscribed(kafka_world, meddles):
        await publish(kafka_world, ("k", 1))
        await until(lambda: told)
    assert f"got `{south}.edge`" in told[0]
    async with open_consumer(
        kafka_world.settings(), group=f"{south}.edge", topics=[kafka_world.country.topic]
    ):
        """When the subscription has ended, an operator may look at where it stands."""
