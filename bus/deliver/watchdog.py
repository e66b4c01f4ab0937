"""Notices when a handler blocks the event loop, and logs where.

Law of this file: it watches from a thread of its own, since the blocked loop cannot; it changes nothing.
"""

import asyncio
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

from contracts import visible_logger

logger = visible_logger("govbus.watchdog")

LOOK_SECONDS = 0.5
STALL_SECONDS = 2.0
"""How long the loop may be blocked before it is logged."""
_LIBRARIES = tuple(
    os.path.join(folder, "")  # noqa: PTH118 - with its separator: `bus_of_mine` is not `bus`
    for folder in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(__file__).parent.parent),
    }
)


_CALLED_BY_THE_LOOP = asyncio.Handle._run.__code__  # noqa: SLF001 - beyond it lies who runs the loop


class Watchdog:
    """Watches the running event loop.

    Args:
        at_work: returns the names of the subscriptions with a handler at work; only that
            of the given task, if it is one of theirs.
        stalled: called once for each stall.
    """

    def __init__(
        self, at_work: "Callable[[asyncio.Task[Any] | None], Sequence[str]]", stalled: Callable[[], None]
    ) -> None:
        self._at_work = at_work
        self._stalled = stalled
        self._stop = threading.Event()
        self._ticked = monotonic()
        self._logged = False

    def start(self) -> None:
        """Begin to watch the loop that calls this."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._tick()
        threading.Thread(target=self._watch, name="govbus-watchdog", daemon=True).start()

    def stop(self) -> None:
        """Stop watching."""
        self._stop.set()

    def _tick(self) -> None:
        self._ticked, self._logged = monotonic(), False

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self._loop.call_soon_threadsafe(self._tick)
            except RuntimeError:
                return  # the loop has gone
            still = monotonic() - self._ticked
            if still <= STALL_SECONDS or self._logged:
                continue
            if names := self._at_work(asyncio.current_task(self._loop)):
                self._logged = True
                self._log(still, ", ".join(f"`{name}`" for name in names))

    def _log(self, still: float, names: str) -> None:
        where = _place(sys._current_frames().get(self._thread))  # noqa: SLF001 - the way Python documents
        self._stalled()
        logger.error(
            "the event loop has been blocked for %.1f s by a handler of %s: %s. Nothing else runs meanwhile, "
            "and the consumer group will drop this process. Make the handler a plain function, which runs in "
            "a thread, or await what takes long",
            still, names, where,
        )  # fmt: skip


def _place(frame: FrameType | None) -> str:
    """Return the innermost frame that is neither a library's nor govbus' own, as file, line and function."""
    innermost = frame
    while frame is not None and frame.f_code is not _CALLED_BY_THE_LOOP:
        if not frame.f_code.co_filename.startswith(("<frozen", *_LIBRARIES)):
            return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
        frame = frame.f_back
    return "somewhere" if innermost is None else f"{innermost.f_code.co_filename}:{innermost.f_lineno}"
