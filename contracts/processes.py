"""The processes of commands: how rarely they collect garbage, and many values shared among them.

Law of `flat_map`: the results, and their order, are those of a single process. Each process is a fork, so it
shares what was read before; only results are sent back. For few values, or where forking is unsafe,
everything runs in this process.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from contracts.errors import ContractError

Value = TypeVar("Value")
Result = TypeVar("Result")

LEAST: Final = 200
"""Fewer values than this do not justify another process."""

OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000
"""A catalogue is many objects that stay: with Python's 700, a tenth of a check's time goes into them."""

_work: list[tuple[Callable[[Any], Iterable[Any]], Sequence[Any]]] = []
"""The function and values of a forked process; empty in any other."""


def collect_rarely(*, keep_loaded: bool = False) -> None:
    """Let the garbage collector of this process look rarely at what it has.

    For commands, whose process is all theirs; a program of an agency decides this for itself.

    Args:
        keep_loaded: whether it never looks again at what there is, for a command that runs for long and has
            loaded everything: catalogue and libraries are several hundred thousand objects that stay.
    """
    if keep_loaded:
        gc.collect()
        gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])


def flat_map(function: Callable[[Value], Iterable[Result]], values: Sequence[Value]) -> list[Result]:
    """All results of the function for each value, in the order of the values.

    Raises:
        ContractError: A process was killed.
    """
    count = min(_cores(), len(values) // LEAST)
    if count < 2:
        return [result for value in values for result in function(value)]
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - most commands need one process
    from concurrent.futures.process import BrokenProcessPool  # noqa: PLC0415
    from multiprocessing import get_context  # noqa: PLC0415

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
