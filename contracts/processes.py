"""Applies a function to many values in parallel processes.

Law: the results, and their order, are those of a single process. Each process is a fork, so it shares what
was read before; only results are sent back. For few values, or where forking is unsafe, everything runs in
this process.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, Final, TypeVar

from contracts.errors import ContractError

Value = TypeVar("Value")
Result = TypeVar("Result")

LEAST: Final = 200
"""Fewer values than this do not justify another process."""

_work: list[tuple[Callable[[Any], Iterable[Any]], Sequence[Any]]] = []
"""The function and values of a forked process; empty in any other."""


def flat_map(function: Callable[[Value], Iterable[Result]], values: Sequence[Value]) -> list[Result]:
    """All results of the function for each value, in the order of the values.

    Raises:
        ContractError: A process was killed.
    """
    count = min(_cores(), len(values) // LEAST)
    if count < 2:
        return [result for value in values for result in function(value)]
    bounds = [len(values) * share // count for share in range(count + 1)]
    gc.freeze()  # a collection in a fork would touch, and so copy, all that was read before
    try:
        with ProcessPoolExecutor(count, get_context("fork"), _begin, (function, values)) as pool:
            return [result for share in pool.map(_run, bounds, bounds[1:]) for result in share]
    except BrokenProcessPool:
        raise ContractError(
            "Expected all processes of the check to finish, but one was killed"
            " - give it more memory, or run it again"
        ) from None
    finally:
        gc.unfreeze()


def _cores() -> int:
    is_safe = sys.platform == "linux" and threading.active_count() == 1
    return len(os.sched_getaffinity(0)) if is_safe else 1


def _begin(function: Callable[[Any], Iterable[Any]], values: Sequence[Any]) -> None:
    _work.append((function, values))


def _run(start: int, stop: int) -> list[Any]:
    function, values = _work[0]
    return [result for value in values[start:stop] for result in function(value)]
