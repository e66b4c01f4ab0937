"""A growth: publishers wait as short as can be, and the switch is written only when nobody holds it up."""

import asyncio
import json
from collections.abc import Callable

import pytest

from bus.cluster import growing
from bus.cluster.growing import Growing, Holders
from bus.errors import BusUnavailableError
from contracts import LEASE_MS, Growth, RegistryEntry, growths_of

SUBJECT = "tax.refund-paid"
FREE = Holders((10, 10), 0, parked=frozenset(), named=())
BEHIND = Holders((10, 10), 5, parked=frozenset(), named=("group `health.x` is 5 events behind",))
PARKED = Holders((10, 10), 0, parked=frozenset({b"1", b"2"}), named=("`health` holds 2 parked events",))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of the rules waits for a clock."""
    monkeypatch.setattr(growing, "ROUND_SECONDS", 0.001)
    monkeypatch.setattr(growing, "SETTLE_SECONDS", 0.003)
    monkeypatch.setattr(growing, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(growing, "PASSING_SECONDS", 0.02)


class Registry:
    """The entries that were written, and the broker's times of them."""

    def __init__(self) -> None:
        self.entries: list[tuple[RegistryEntry, int]] = []
        self.now_ms = 1_000
        self.late_ms = 0
        self.wrote = asyncio.Event()
        self.fault: Callable[[RegistryEntry], bool] = lambda _: False

    async def write(self, entry: RegistryEntry) -> int:
        """Take an entry."""
        await asyncio.sleep(0)
        if self.fault(entry):
            raise BusUnavailableError("the broker is away")
        self.now_ms += 1
        if "renewed_ms" in json.loads(entry.content):
            self.now_ms, self.late_ms = self.now_ms + self.late_ms, 0
        self.entries.append((entry, self.now_ms))
        self.wrote.set()
        return self.now_ms

    def read(self) -> list[Growth]:
        """Return what readers saw, one after the other, renewals left out."""
        seen: list[Growth] = []
        for entry, at in self.entries:
            stamped = RegistryEntry(entry.key, entry.content, timestamp=at)
            growth = growths_of([stamped])[SUBJECT]
            if not seen or (growth.partitions, growth.target) != (seen[-1].partitions, seen[-1].target):
                seen.append(growth)
        return seen


def states(growths: list[Growth]) -> list[tuple[int, int | None]]:
    """Counts in force, and those that publishers wait for."""
    return [(growth.partitions, growth.target) for growth in growths]


async def grow(registry: Registry, found: list[Holders], seconds: float = 30.0) -> list[str]:
    """Grow with holders that come one after the other, the last for ever; return what was told."""
    told: list[str] = []

    async def holders() -> Holders:
        await asyncio.sleep(0)
        return found.pop(0) if len(found) > 1 else found[0]

    one = Growing(SUBJECT, 3, 6, write=registry.write, holders=holders, tell=told.append)
    await one.run(seconds)
    return told


async def test_publishers_wait_then_use_the_new_count() -> None:
    """The pause begins, is renewed, and ends with the switch."""
    registry = Registry()
    assert await grow(registry, [FREE]) == []
    assert states(registry.read()) == [(3, 6), (6, None)]


async def test_nobody_waits_for_a_key_that_is_parked() -> None:
    """Its retries may take a day: publishers go on until it is free, and the operator reads who holds it."""
    registry = Registry()
    assert await grow(registry, [PARKED, FREE]) == list(PARKED.named)
    assert states(registry.read()) == [(3, 6), (6, None)]


async def test_keys_that_are_parked_for_a_moment_hold_up_no_growth() -> None:
    """Where some key is always parked, but none of them for long, the pause lets them end."""
    registry = Registry()
    rows = iter(range(1_000_000))

    async def holders() -> Holders:
        await asyncio.sleep(0)
        paused = registry.entries and states(registry.read())[-1][1] is not None
        return FREE if paused else Holders((10, 10), 0, frozenset({b"%d" % next(rows)}), PARKED.named)

    one = Growing(SUBJECT, 3, 6, write=registry.write, holders=holders, tell=lambda _: None)
    await one.run(30.0)
    assert states(registry.read()) == [(3, 6), (6, None)]


async def test_a_pause_in_vain_is_ended_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never lasts longer than publishers may wait."""
    registry = Registry()
    pauses = 0

    async def holders() -> Holders:
        nonlocal pauses
        await asyncio.sleep(0)
        pauses = sum(target is None for _, target in states(registry.read()))
        return FREE if pauses else BEHIND

    monkeypatch.setattr(growing, "PAUSE_SECONDS", 0.01)
    one = Growing(SUBJECT, 3, 6, write=registry.write, holders=holders, tell=lambda _: None)
    await one.run(30.0)
    assert states(registry.read()) == [(3, 6), (3, None), (3, 6), (6, None)]


async def test_it_is_given_up_and_names_who_held_it() -> None:
    """Publishers go on by the old count."""
    registry = Registry()
    with pytest.raises(BusUnavailableError, match=r"`health\.x` is 5 events behind"):
        await grow(registry, [BEHIND], seconds=0.1)
    assert states(registry.read())[-1] == (3, None)


async def test_what_still_arrives_in_the_pause_is_waited_for() -> None:
    """A publisher that has not heard of the pause, or whose events were on their way."""
    registry = Registry()
    arriving = [Holders((10, 10 + more), 0, parked=frozenset(), named=()) for more in range(5)]
    await grow(registry, [FREE, *arriving])
    renewals = [entry for entry, _ in registry.entries if b'"target"' in entry.content]
    assert len(renewals) > len(arriving)


async def test_a_switch_that_comes_too_late_is_written_again_after_another_pause() -> None:
    """The broker took it after the lease: publishers had gone on meanwhile."""
    registry = Registry()
    registry.late_ms = LEASE_MS + 1
    await grow(registry, [FREE])
    assert states(registry.read()) == [(3, 6), (3, None), (3, 6), (6, None)]


async def test_a_switch_whose_fate_is_unknown_is_not_taken_back() -> None:
    """It may be in force; the next `apply` reads which."""
    registry = Registry()
    registry.fault = lambda entry: b"renewed_ms" in entry.content
    with pytest.raises(BusUnavailableError):
        await grow(registry, [FREE])
    assert states(registry.read()) == [(3, 6)]


async def test_an_operator_who_stops_it_lets_publishers_go_on() -> None:
    """At once, without waiting for the lease."""
    registry = Registry()
    running = asyncio.create_task(grow(registry, [FREE, BEHIND]))
    async with asyncio.timeout(60):
        await registry.wrote.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert states(registry.read()) == [(3, 6), (3, None)]
