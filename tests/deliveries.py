"""What scenarios of delivery have in common."""

from typing import Any

from bus import Event, RetryPolicy
from tests.worlds import World, receipts, until

QUICK = RetryPolicy(schedule_seconds=(0.02, 0.02), jitter=0)


def envelope_of(world: World, **changes: bytes | None) -> list[tuple[str, bytes | None]]:
    """Return the headers of a right event, with changes."""
    right: dict[str, bytes | None] = {
        "ce_specversion": b"1.0", "ce_id": b"foreign-1", "ce_source": b"urn:example:foreign",
        "ce_type": f"{world.country.opened}.v1".encode(), "content-type": b"application/json",
    }  # fmt: skip
    return list({**right, **changes}.items())


async def collect(world: World, count: int, **options: Any) -> list[Event[Any]]:
    """Run a subscriber of opened cases until it has seen `count` events."""
    seen: list[Event[Any]] = []
    bus = world.bus(world.country.south)

    @bus.subscribe(world.country.opened, version=1, purpose="close-cases", **options)
    async def keep(event: Event[Any]) -> None:
        seen.append(event)

    async with bus:
        await until(lambda: len(seen) >= count)
    return seen


async def never(event: Event[Any]) -> None:
    """Handle an event that must not come."""
    raise AssertionError("never called")


async def has_records(world: World, topic: str, count: int) -> bool:
    """Tell whether a topic holds at least `count` records."""
    return len(await world.records(topic)) >= count


async def has_reason(world: World, reason: str) -> bool:
    """Tell whether a receipt gives `reason`."""
    return any(row.reason == reason for row in await receipts(world))
