"""Several processes give the results of one."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import pytest

from contracts.errors import ContractError
from contracts.processes import LEAST, OBJECTS_BETWEEN_COLLECTIONS, collect_rarely, flat_map

several = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core"
)


def _twice(number: int) -> Iterator[tuple[int, int]]:
    """The number up to two times, with the process."""
    for _ in range(number % 3):
        yield number, os.getpid()


@pytest.fixture
def alone() -> None:
    """Forking is safe only where no other thread runs, which pytest's own helpers may do."""
    if threading.active_count() > 1:
        pytest.skip("other threads run in this process")


@several
@pytest.mark.usefixtures("alone")
def test_results_of_several_processes_keep_their_order() -> None:
    """The results are those of one process, in its order."""
    values = range(2 * LEAST + 7)
    results = flat_map(_twice, values)
    assert [number for value in values for number, _ in _twice(value)] == [number for number, _ in results]
    assert os.getpid() not in {process for _, process in results}


def test_few_values_run_in_this_process() -> None:
    """Few values do not justify another process."""
    assert {os.getpid()} == {process for _, process in flat_map(_twice, range(2 * LEAST - 1))}


def test_nothing_forks_beside_a_thread() -> None:
    """A fork would take along locks that only the other thread can open."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        results = flat_map(_twice, range(2 * LEAST))
    finally:
        end.set()
        thread.join()
    assert {os.getpid()} == {process for _, process in results}


@several
@pytest.mark.usefixtures("alone")
def test_a_killed_process_is_an_error() -> None:
    """No partial result is returned."""

    def stopped(number: int) -> Iterator[int]:
        if number == 5:
            os._exit(9)
        yield number

    with pytest.raises(ContractError, match="one was killed"):
        flat_map(stopped, range(2 * LEAST))


@pytest.fixture
def usual() -> Iterator[tuple[int, int, int]]:
    """Give the tests' process its settings back."""
    before = gc.get_threshold()
    yield before
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.parametrize("keep_loaded", [False, True])
def test_garbage_is_collected_rarely(usual: tuple[int, int, int], *, keep_loaded: bool) -> None:
    """A round comes after many new objects; one that runs for long keeps what it has loaded out of them."""
    gc.unfreeze()
    collect_rarely(keep_loaded=keep_loaded)
    assert keep_loaded == (gc.get_freeze_count() > 1000)
    assert gc.get_threshold() == (OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
