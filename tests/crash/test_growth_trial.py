"""The project's own publisher and subscriber while partitions grow and the operator is killed."""

import asyncio

import pytest

from bus import Settings
from tests.crash.growth_trial import GROWTH, GrowthTrial, growth


@pytest.mark.sampled(0)
def test_no_event_is_lost_or_overtaken_by_a_growth(kafka: str) -> None:
    """Some keys are parked meanwhile; the operator is killed at a random moment, and the next finishes."""
    trial = GrowthTrial(Settings(bootstrap_servers=kafka), GROWTH, seed=1, guarantee="at-least-once")
    verdict = asyncio.run(trial.verdict(growth))
    assert verdict.accepted > 0
    assert not verdict.broken, verdict
