"""One question about each of many things, asked by as many processes as there are cores.

Law: the answers are those of one process, in its order. A process is a fork: it sees what was read, and only
answers travel. Where forking is unsafe, or the things are few, everything is asked here.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Final, TypeVar

from contracts.errors import ContractError

Thing = TypeVar("Thing")
Answer = TypeVar("Answer")

LEAST: Final = 200
"""Fewer things than this are not worth a process of their own."""

_asked: list[tuple[Callable[[Any], Iterable[Any]], Sequence[Any]]] = []
"""What a forked process answers; empty in any other."""


def ask_all(question: Callable[[Thing], Iterable[Answer]], things: Sequence[Thing]) -> list[Answer]:
    """Every answer about each of the things, in their order.

    Raises:
        ContractError: A process was stopped from outside.
    """
    count = min(_cores(), len(things) // LEAST)
    if count < 2:
        return [answer for thing in things for answer in question(thing)]
    bounds = [len(things) * share // count for share in range(count + 1)]
    try:
        with ProcessPoolExecutor(count, get_context("fork"), _begin, (question, things)) as pool:
            return [answer for share in pool.map(_answer, bounds, bounds[1:]) for answer in share]
    except BrokenProcessPool:
        raise ContractError(
            "Expected each process of the check to end by itself, got one that was stopped"
            " - give it more memory, or run it again"
        ) from None


def _cores() -> int:
    is_safe = sys.platform == "linux" and threading.active_count() == 1
    return len(os.sched_getaffinity(0)) if is_safe else 1


def _begin(question: Callable[[Any], Iterable[Any]], things: Sequence[Any]) -> None:
    _asked.append((question, things))


def _answer(start: int, stop: int) -> list[Any]:
    question, things = _asked[0]
    return [answer for thing in things[start:stop] for answer in question(thing)]
