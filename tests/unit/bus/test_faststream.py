"""FastStream around a bus: its names are filled, and what would pass the bus, or do nothing, is refused."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import orjson
import pytest
from faststream import Depends, ExceptionMiddleware, FastStream, Logger
from faststream.annotations import ContextRepo as Repository
from faststream.annotations import FastStream as FastStreamApp
from faststream.kafka import KafkaRouter, TestKafkaBroker, TopicPartition
from faststream.kafka.annotations import Consumer, KafkaBroker, KafkaMessage
from faststream.specification import AsyncAPI
from pydantic import BaseModel, ConfigDict, RootModel

from bus import Event, UsageError
from tests.small_catalog import SmallCountry, case
from tests.worlds import MemoryWorld

Register = Callable[[Any, SmallCountry], None]


async def keep(message: Any) -> None:
    """Take a message past the bus."""


def by_name(broker: Any, country: SmallCountry) -> None:
    """Subscribe to a topic by its name, among others."""
    broker.subscriber("elsewhere", country.topic)(keep)


def by_pattern(broker: Any, country: SmallCountry) -> None:
    """Subscribe to a topic by a pattern."""
    broker.subscriber(pattern=f"{country.north}\\..*")(keep)


def by_partition(broker: Any, country: SmallCountry) -> None:
    """Subscribe to one partition of a topic."""
    broker.subscriber(partitions=[TopicPartition(country.topic, 0)])(keep)


def by_router(broker: Any, country: SmallCountry) -> None:
    """Subscribe to batches of a topic, by a router with a prefix."""
    router = KafkaRouter(prefix=f"{country.north}.")
    router.subscriber("case-opened.v1", batch=True)(keep)
    broker.include_router(router)


@pytest.mark.parametrize("register", [by_name, by_pattern, by_partition, by_router])
async def test_a_subscriber_past_the_bus_is_refused_with_the_line_to_write(
    register: Register, tmp_path: Path
) -> None:
    """Before anything starts, however it names the topic; the error has the handler and the line."""
    country = SmallCountry(tmp_path)
    bus = MemoryWorld(country).bus(country.south)
    broker = bus.as_broker()
    register(broker, country)
    with pytest.raises(UsageError) as refused:
        await FastStream(broker).start()
    told = str(refused.value)
    assert "at handler `keep`" in told
    assert f'@bus.subscribe("{country.opened}", version=1, purpose="' in told
    assert not bus.serving


@pytest.mark.parametrize("publish", ["decorator", "call", "batch"])
async def test_a_publisher_past_the_bus_is_refused_with_the_line_to_write(
    publish: str, tmp_path: Path
) -> None:
    """As a decorator before anything starts, or when it is called."""
    country = SmallCountry(tmp_path)
    broker = MemoryWorld(country).bus(country.south).as_broker()
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "decorator": lambda: FastStream(broker).start(),
        "call": lambda: broker.publish({}, country.topic),
        "batch": lambda: broker.publish_batch({}, {}, topic=country.topic),
    }
    if publish == "decorator":
        broker.publisher(country.topic)(keep)
    with pytest.raises(UsageError) as refused:
        await calls[publish]()
    assert f'await bus.publish("{country.opened}", data, version="1.0")' in str(refused.value)


async def test_what_would_not_reach_the_handlers_is_refused(tmp_path: Path) -> None:
    """A middleware, and FastStream's broker for tests, which would both do nothing in silence."""
    country = SmallCountry(tmp_path)
    broker = MemoryWorld(country).bus(country.south).as_broker()
    with pytest.raises(UsageError, match="Use `Depends` or a decorator"):
        broker.add_middleware(ExceptionMiddleware())
    with pytest.raises(UsageError, match=r"bus\.testing\.patched"):
        async with TestKafkaBroker(broker):
            pass


async def test_the_names_of_faststream_are_filled(tmp_path: Path) -> None:
    """Message, logger, broker, application and context, in a handler and in what it depends on."""
    country = SmallCountry(tmp_path)
    world = MemoryWorld(country)
    bus = world.bus(country.south)
    seen: list[tuple[object, ...]] = []
    done = asyncio.Event()

    async def decoded(message: KafkaMessage) -> object:
        return await message.decode()

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def close(  # noqa: PLR0917 - one for each name
        event: Event[Any],
        message: KafkaMessage,
        logger: Logger,
        broker: KafkaBroker,
        app: FastStreamApp,
        context: Repository,
        data: Annotated[object, Depends(decoded)],
    ) -> None:
        seen.append((message.message_id, message.correlation_id, message.headers["ce_type"], data))
        seen.append((event.offset, message.body, logger.name, broker, app, context.get("mark")))
        done.set()

    mounted = bus.as_broker()
    running = FastStream(mounted)
    running.context.set_global("mark", "here")
    await running.start()
    async with world.bus(country.north) as north:
        receipt = await north.publish(country.opened, case(1), version="1.0")
        await done.wait()
    await running.stop()
    assert seen[0] == (receipt.id, receipt.transaction, country.topic, case(1))
    assert seen[1] == (0, orjson.dumps(case(1)), "faststream.access.kafka", mounted, running, "here")


@pytest.mark.parametrize("verb", ["ack", "nack", "reject"])
async def test_a_handler_decides_by_its_outcome_alone(verb: str, tmp_path: Path) -> None:
    """What FastStream's message offers for that is an error that names the outcome, and no silence."""
    country = SmallCountry(tmp_path)
    world = MemoryWorld(country)
    bus = world.bus(country.south)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def close(message: KafkaMessage) -> None:
        await getattr(message, verb)()

    async with bus, world.bus(country.north) as north:
        await north.publish(country.opened, case(1), version="1.0")
        (row,) = await world.cluster.deliveries(country.topic)
    assert row.outcome == "dead-letter"
    (letter,) = world.cluster.records(f"{country.south}.dead-letters")
    assert f"at `message.{verb}()`" in str(letter.headers)


async def test_what_only_an_application_has_is_told_at_the_start(tmp_path: Path) -> None:
    """A bus that runs by itself has no broker of FastStream; nobody has its consumer."""
    country = SmallCountry(tmp_path)
    bus = MemoryWorld(country).bus(country.south)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def close(event: Event[Any], broker: KafkaBroker) -> None:
        """Never runs."""

    with pytest.raises(UsageError, match=r"at `broker` of handler `.*close`"):
        await bus.start()
    with pytest.raises(UsageError, match=r"at `consumer` of handler `.*read`"):

        @bus.subscribe(country.opened, version=1, purpose="close-cases", name="second")
        async def read(event: Event[Any], consumer: Consumer) -> None:
            """Never registered."""


def test_asyncapi_shows_the_subscriptions_of_the_bus(tmp_path: Path) -> None:
    """Topic, purpose and the contract's schema, beside FastStream's own subscribers."""
    country = SmallCountry(tmp_path)
    bus = MemoryWorld(country).bus(country.south)

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def close(event: Event[Any]) -> None:
        """Never runs."""

    broker = bus.as_broker()
    broker.subscriber("elsewhere")(keep)
    document = AsyncAPI(broker).to_specification().to_jsonable()
    channel = document["channels"][f"{country.topic}:{country.topic}"]
    assert channel["address"] == country.topic
    assert "Purpose: close-cases" in channel["description"]
    schemas = document["components"]["schemas"]
    payload = schemas[f"{country.topic}:{country.topic}:Payload"]
    named = payload["$ref"].removeprefix("#/components/schemas/")
    assert schemas[named]["properties"]["reference"]["type"] == "string"
    assert any(one["address"] == "elsewhere" for one in document["channels"].values())


@pytest.mark.parametrize("nested", [False, True])
async def test_a_strict_model_takes_the_dates_of_json(nested: bool, tmp_path: Path) -> None:
    """And still takes no text for a number."""
    country = SmallCountry(tmp_path)
    world = MemoryWorld(country)
    bus = world.bus(country.south)
    kept: list[object] = []

    class Strict(BaseModel):
        """A strict model of a case; its reference is a date."""

        model_config = ConfigDict(strict=True)
        reference: date
        number: int

    class Outer(RootModel[Strict]):
        """The same within another model."""

    @bus.subscribe(country.opened, version=1, purpose="close-cases")
    async def close(found: Outer if nested else Strict) -> None:  # type: ignore[valid-type]
        kept.append(found)

    async with bus, world.bus(country.north) as north:
        await north.publish(country.opened, case(1, reference="2026-02-28"), version="1.0")
        await world.cluster.deliveries(country.topic)
    expected = Strict(reference=date(2026, 2, 28), number=1)
    assert kept == [Outer(expected) if nested else expected]
