"""A call that publishes: it does something once it is awaited, and is never dropped in silence.

Law of this file: what nothing has awaited is told with its place in the program. In a handler, or in the
block of a transaction, whoever ends that finds the call in `calls`; elsewhere the log tells when it is thrown
away.
"""

import asyncio
import inspect
import sys
from collections.abc import Coroutine, Generator
from pathlib import Path
from typing import Any, TypeVar

from bus.errors import UsageError
from bus.misuse import placed
from contracts import visible_logger

logger = visible_logger("govbus.bus")

Result = TypeVar("Result")

_ROOM = str(Path(__file__).parent / "_")[:-1]


class Call(Coroutine[Any, Any, Result]):
    """A coroutine of the bus that publishes.

    Args:
        name: what was called, such as `publish`.
        run: what it does.
        calls: where it is noted until it begins; None where nobody looks.
    """

    __slots__ = ("_begun", "_calls", "_name", "_place", "_run")

    def __init__(
        self, name: str, run: Coroutine[Any, Any, Result], calls: "set[Call[Any]] | None" = None
    ) -> None:
        self._name, self._run, self._calls, self._begun = name, run, calls, False
        frame = sys._getframe(1)  # noqa: SLF001 - the way Python documents
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_ROOM):
            frame = frame.f_back
        self._place = frame.f_code, frame.f_lineno
        if calls is not None:
            calls.add(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._run, name)  # such as `cr_frame`, for who shows tasks

    def _begin(self) -> None:
        self._begun = True
        if self._calls is not None:
            self._calls.discard(self)
            self._calls = None

    def __await__(self) -> Generator[Any, Any, Result]:
        self._begin()
        return self._run.__await__()

    def send(self, value: Any) -> Any:
        """Begin, or go on."""
        self._begin()
        return self._run.send(value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error."""
        self._begin()
        return self._run.throw(*error)

    def close(self) -> None:
        """End it."""
        self._begin()
        self._run.close()

    def __del__(self) -> None:
        if not self._begun:
            logger.error("%s", self.forgotten())

    def forgotten(self) -> UsageError:
        """End a call that nothing has awaited; return the error that says so."""
        self.close()
        code, line = self._place
        return UsageError(
            f"Expected `await {self._name}(...)`, got a call that nothing awaits, and that publishes nothing"
            f"{placed(code.co_name, code.co_filename, line)}. Await it in an `async def` function, or call "
            "`submit`, which needs no answer"
        )


def marked(function: Any) -> Any:
    """Mark a function that returns a `Call` as a coroutine function, which others ask for."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined] # noqa: SLF001 - as 3.12
    return function
