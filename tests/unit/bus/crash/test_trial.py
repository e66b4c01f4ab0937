"""How a run is fed: there are events before, during and after the fault, and each comes once."""

import asyncio
from dataclasses import dataclass

import pytest

from bus import Settings
from bus.crash import trial
from bus.crash.trial import Trial


@dataclass(slots=True)
class FedTrial(Trial):
    """A trial whose subscriber handles everything at once."""

    def command(self) -> list[str]:
        return []

    def environment(self) -> dict[str, str]:
        return {}

    async def publish(self) -> None: ...

    def count_handled(self) -> int:
        return 1

    def has_settled(self) -> bool:
        return True


@pytest.mark.parametrize("count", [24, 240, 601])
async def test_half_comes_at_once_and_the_last_after_the_fault(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the fault takes its time events come singly; none is left out, none comes twice."""
    monkeypatch.setattr(trial, "BURST_SECONDS", 0.0)
    fed, found, burst = FedTrial(Settings(), "zombie", 1), list[int](), count // trial.BURSTS

    async def feed() -> None:
        async for numbers in fed.bursts(count):
            found.extend(numbers)

    feeding = asyncio.create_task(feed())
    for _ in range(10 * count):  # far more turns than it may take
        await asyncio.sleep(0)
    assert len(found) == count - burst
    fed.over.set()
    await feeding
    assert found == list(range(count))
