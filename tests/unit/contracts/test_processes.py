"""The rule of many questions: several processes answer as one would."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from contracts.errors import ContractError
from contracts.processes import LEAST, ask_all

several = pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="one core"
)


def _twice(number: int) -> Iterator[tuple[int, int]]:
    """The number once or twice, and who was asked."""
    for _ in range(number % 3):
        yield number, os.getpid()


@pytest.fixture
def alone() -> None:
    """Forking is safe only where no other thread runs, which pytest's own helpers may do."""
    if threading.active_count() > 1:
        pytest.skip("other threads run in this process")


@several
@pytest.mark.usefixtures("alone")
def test_answers_come_in_order_whoever_was_asked() -> None:
    """Several processes answer, and their answers stand as one process would have given them."""
    things = range(2 * LEAST + 7)
    answers = ask_all(_twice, things)
    assert [number for thing in things for number, _ in _twice(thing)] == [number for number, _ in answers]
    assert os.getpid() not in {process for _, process in answers}


def test_few_things_are_asked_here() -> None:
    """A process of its own is not worth its start for a few things."""
    assert {os.getpid()} == {process for _, process in ask_all(_twice, range(2 * LEAST - 1))}


def test_nothing_forks_beside_a_thread() -> None:
    """A fork would take along locks that only the other thread can open."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        answers = ask_all(_twice, range(2 * LEAST))
    finally:
        end.set()
        thread.join()
    assert {os.getpid()} == {process for _, process in answers}


@several
@pytest.mark.usefixtures("alone")
def test_a_stopped_process_is_told() -> None:
    """What is killed from outside leaves no half of an answer."""

    def stopped(number: int) -> Iterator[int]:
        if number == 5:
            os._exit(9)
        yield number

    with pytest.raises(ContractError, match="one that was stopped"):
        ask_all(stopped, range(2 * LEAST))
