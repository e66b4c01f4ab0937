"""A bus mounted in a FastStream application: injected handlers, the app's lifespan, ASGI health."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from faststream import Context, ContextRepo, Depends, FastStream
from faststream.asgi import AsgiFastStream, make_ping_asgi
from pydantic import BaseModel

from bus import Event
from tests.small_catalog import case
from tests.worlds import PATIENCE_SECONDS, KafkaWorld, World, receipts, until


class Register:
    """An agency's own system, as an application would inject it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.kept: list[tuple[str, int]] = []


class Case(BaseModel):
    """The handler's model of a case."""

    reference: str
    number: int


async def test_handlers_are_injected_by_the_app_that_mounts_the_bus(world: World) -> None:
    """`Depends`, `Context` of the app, a typed model and the event arrive in one handler."""
    bus = world.bus(world.country.south)
    kept: list[tuple[Any, ...]] = []

    def register() -> Register:
        return Register("files")

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def keep(
        found: Case,
        event: Event[Any],
        files: Annotated[Register, Depends(register)],
        mark: str = Context("mark"),
    ) -> None:
        kept.append((found.number, event.attempt, files.name, mark))

    broker = bus.as_broker()
    app = FastStream(broker)
    app.context.set_global("mark", "from the app")
    publisher = world.bus(world.country.north)
    async with publisher:
        await app.start()
        try:
            await publisher.publish(world.country.opened, case(3), version="1.0")
            await until(lambda: kept)
        finally:
            await app.stop()
    assert kept == [(3, 1, "files", "from the app")]


async def test_the_lifespan_of_the_app_surrounds_every_handler(world: World) -> None:
    """What the lifespan opens is open while events are handled, and closed when the last one is done."""
    bus = world.bus(world.country.south)
    story: list[str] = []
    begun = asyncio.Event()

    @asynccontextmanager
    async def lifespan(context: ContextRepo) -> AsyncIterator[None]:
        story.append("open")
        context.set_global("register", Register("files"))
        yield
        story.append("close")

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name="mounted")
    async def keep(event: Event[Any], register: Annotated[Register, Context()]) -> None:
        begun.set()
        await asyncio.sleep(0.2)
        story.append(f"{register.name} {event.data['number']}")

    app = FastStream(bus.as_broker(), lifespan=lifespan)
    publisher = world.bus(world.country.north)
    async with publisher:
        await publisher.publish(world.country.opened, case(3), version="1.0")
        running = asyncio.create_task(app.run())
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        app.exit()
        await asyncio.wait_for(running, PATIENCE_SECONDS)
    assert story == ["open", "files 3", "close"]
    assert await world.committed(f"{world.country.south}.mounted", world.country.topic) == 1


async def test_a_generator_dependency_is_closed_after_each_event(world: World) -> None:
    """A dependency that yields is opened and closed per event, a failing one included."""
    bus = world.bus(world.country.south)
    story: list[str] = []

    async def session() -> AsyncIterator[str]:
        story.append("open")
        yield "session"
        story.append("close")

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases")
    async def keep(event: Event[Any], used: Annotated[str, Depends(session)]) -> None:
        story.append(f"{used} {event.data['number']}")

    app = FastStream(bus.as_broker())
    publisher = world.bus(world.country.north)
    async with publisher:
        await publisher.publish_many(world.country.opened, [case(1), case(2)], version="1.0")
        await app.start()
        await until(lambda: story.count("close") == 2)
        await app.stop()
    assert story == ["open", "session 1", "close", "open", "session 2", "close"]


async def test_a_mounted_bus_publishes_and_leaves_receipts(world: World) -> None:
    """Between the app's start and stop the bus publishes; what it publishes is accounted for."""
    bus = world.bus(world.country.north)
    app = FastStream(bus.as_broker())
    await app.start()
    receipt = await bus.publish(world.country.opened, case(1), version="1.0")
    await app.stop()
    (row,) = await receipts(world)
    assert (row.event_id, row.outcome) == (receipt.id, "published")


async def test_two_apps_in_one_process_keep_their_injections_apart(world: World) -> None:
    """Each mounted bus fills its handlers from its own application."""
    kept: dict[str, str] = {}
    apps = []
    for name in ("first", "second"):
        bus = world.bus(world.country.south)

        @bus.subscribe(world.country.opened, version=1, purpose="close-cases", name=name)
        async def keep(event: Event[Any], mark: str = Context("mark"), name: str = Context("name")) -> None:
            kept[name] = mark

        app = FastStream(bus.as_broker())
        app.context.set_global("mark", f"mark of {name}")
        app.context.set_global("name", name)
        apps.append(app)
    publisher = world.bus(world.country.north)
    async with publisher:
        await publisher.publish(world.country.opened, case(1), version="1.0")
        for app in apps:
            await app.start()
        await until(lambda: len(kept) == 2)
        for app in apps:
            await app.stop()
    assert kept == {"first": "mark of first", "second": "mark of second"}


async def ask(app: AsgiFastStream, path: str) -> int:
    """Return the status of one GET."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await app(scope, receive, send)
    return int(sent[0]["status"])


async def test_health_over_asgi_follows_the_bus(kafka_world: KafkaWorld) -> None:
    """FastStream's own health route says 204 while the bus serves and 500 before and after."""
    broker = kafka_world.bus(kafka_world.country.north).as_broker()
    app = FastStream(broker).as_asgi(asgi_routes=[("/health", make_ping_asgi(broker, timeout=1.0))])
    assert await ask(app, "/health") == 500
    await app.start()
    serving = await ask(app, "/health")
    await app.stop()
    assert serving == 204
    assert await ask(app, "/health") == 500


async def test_faststreams_own_subscriber_reads_what_is_not_of_the_catalogue(
    kafka_world: KafkaWorld,
) -> None:
    """Beside the bus, in one application."""
    south = kafka_world.country.south
    broker = kafka_world.bus(south).as_broker()
    seen: list[bytes] = []

    @broker.subscriber(f"{south}.audit", auto_offset_reset="earliest")
    async def keep(message: bytes) -> None:
        seen.append(message)

    app = FastStream(broker)
    await kafka_world.append(f"{south}.audit", b"told")
    await app.start()
    try:
        await until(lambda: seen)
    finally:
        await app.stop()
    assert seen == [b"told"]
