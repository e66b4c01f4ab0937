"""The project's own subscriber while its topic is made again, and some of its keys are parked."""

import asyncio
from collections.abc import Sequence

import pytest

from bus import Settings
from bus.crash.verdict import Accepted, Handling
from tests.crash.recreation_trial import (
    FORMER,
    NEW,
    RECREATION,
    RecreationTrial,
    judge_recreation,
    recreation,
)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("seed", "guarantee"),
    [(1, "at-least-once"), (2, "at-least-once"), (1, "exactly-once"), (3, "exactly-once")],
)
def test_a_topic_that_is_made_again_loses_no_event_and_runs_no_stale_one(
    kafka: str, seed: int, guarantee: str
) -> None:
    """Also where the subscriber heard nothing of it, since no fetch was under way."""
    trial = RecreationTrial(Settings(bootstrap_servers=kafka), RECREATION, seed, 600, guarantee=guarantee)
    verdict = asyncio.run(trial.verdict(recreation))
    assert verdict.accepted > 0
    assert not verdict.broken, verdict
    assert verdict.gone > 0


def _handlings(*places: tuple[int, int, int]) -> Sequence[Handling]:
    return [
        Handling(100.0 + line, (topic, 0, offset), "a", number)
        for line, (topic, offset, number) in enumerate(places)
    ]


FORMER_EVENTS = [Accepted((FORMER, 0, offset), "a", offset) for offset in range(3)]
NEW_EVENTS = [Accepted((NEW, 0, offset), "a", 10 + offset) for offset in range(3)]
ALL_NEW = [(NEW, offset, 10 + offset) for offset in range(3)]


def test_what_went_with_its_topic_is_not_lost() -> None:
    """It was not handled, and nobody can handle it any more."""
    verdict = judge_recreation(FORMER_EVENTS, NEW_EVENTS, _handlings((FORMER, 0, 0), *ALL_NEW))
    assert (verdict.accepted, verdict.gone, verdict.lost, verdict.broken) == (6, 2, 0, False)


def test_the_new_event_at_a_parked_offset_is_lost_where_the_stale_one_ran_for_it() -> None:
    """Though something was handled at each offset."""
    handlings = _handlings((FORMER, 0, 0), (FORMER, 1, 1), (NEW, 0, 10), (FORMER, 2, 2), (NEW, 1, 11))
    verdict = judge_recreation(FORMER_EVENTS, NEW_EVENTS, handlings)
    assert (verdict.gone, verdict.lost) == (0, 1)
    assert verdict.out_of_order == 1
    assert verdict.broken


@pytest.mark.parametrize(("seen", "lost", "twice"), [([10, 11, 12], 0, 0), ([10, 11, 11], 1, 1)])
def test_a_reader_of_the_results_sees_each_new_event_once(seen: list[int], lost: int, twice: int) -> None:
    """What it misses is lost, however often it was handled."""
    verdict = judge_recreation(FORMER_EVENTS, NEW_EVENTS, _handlings(*ALL_NEW), seen)
    assert (verdict.lost, verdict.twice) == (lost, twice)


def test_an_event_in_both_topics_may_be_seen_once_for_each() -> None:
    """It was published again, since nobody knew that the former topic had taken it."""
    handlings = _handlings((FORMER, 0, 10), *ALL_NEW)
    assert judge_recreation([], NEW_EVENTS, handlings, [10, 10, 11, 12]).twice == 0
