"""The garbage collector of a process that is all ours."""

import gc
from collections.abc import Iterator

import pytest

from bus.process.collector import OBJECTS_BETWEEN_ROUNDS, collect_rarely


@pytest.fixture
def usual() -> Iterator[tuple[int, int, int]]:
    """Give the tests' process its settings back."""
    before = gc.get_threshold()
    yield before
    gc.unfreeze()
    gc.set_threshold(*before)


def test_what_is_loaded_is_looked_at_no_more_and_the_rest_rarely(usual: tuple[int, int, int]) -> None:
    """Nothing that is there is left for a round, and a round comes after many new objects."""
    collect_rarely()
    assert gc.get_freeze_count() > 1000
    assert gc.get_threshold() == (OBJECTS_BETWEEN_ROUNDS, *usual[1:])
