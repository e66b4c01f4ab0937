"""The same event published again has the place it had; another one under its id is refused."""

import asyncio

import pytest

from bus import Draft, IdReusedError, PublishReceipt
from tests.small_catalog import case
from tests.worlds import World, receipts


async def test_the_same_event_again_returns_the_original_receipt(world: World) -> None:
    """One record, whether the first was acknowledged already or is on its way."""
    async with world.bus(world.country.north) as bus:
        opened = world.country.opened
        first = await bus.publish(opened, case(1), id="row-1", version="1.0")
        again = await bus.publish(opened, case(1), id="row-1", version="1.0")
        together = [bus.submit(opened, Draft(case(2), id="row-2"), version="1.0") for _ in range(3)]
        both = await asyncio.gather(*together)
        many = await bus.publish_many(
            opened, [Draft(case(n), id=f"row-{n}") for n in (1, 2, 3, 3)], version="1.0"
        )
    assert again == first
    assert len(set(both)) == 1
    assert many[:2] == [first, both[0]]
    assert many[2] == many[3]
    assert len(await world.records(world.country.topic)) == 3


async def test_other_data_under_the_same_id_is_refused_with_both_hashes(world: World) -> None:
    """No data is told; the refusal leaves its receipt, and nothing was sent."""
    async with world.bus(world.country.north) as bus:
        await bus.publish(world.country.opened, case(1), id="row-1", version="1.0")
        with pytest.raises(IdReusedError) as refused:
            await bus.publish(world.country.opened, case(2), id="row-1", version="1.0")
    assert refused.value.handled_hash != refused.value.got_hash
    assert refused.value.handled_hash in str(refused.value)
    assert "case-0001" not in str(refused.value)
    rows = [row for row in await receipts(world) if isinstance(row, PublishReceipt)]
    assert [(row.outcome, row.reason) for row in rows] == [("published", None), ("refused", "id-reused")]
    assert len(await world.records(world.country.topic)) == 1


async def test_events_of_the_bus_own_ids_are_never_the_same(world: World) -> None:
    """Equal data is no reason: two cases may be alike."""
    async with world.bus(world.country.north) as bus:
        await bus.publish_many(world.country.opened, [case(1)] * 3, version="1.0")
    assert len(await world.records(world.country.topic)) == 3
