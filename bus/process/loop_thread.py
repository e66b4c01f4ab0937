"""An event loop in a thread of its own, for programs without asyncio."""

import asyncio
import os
import threading
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

Inside = TypeVar("Inside")


class LoopThread(Generic[Inside]):
    """Enters an async context manager in an event loop, in a thread of its own, and leaves it there.

    The thread keeps no process alive: whoever began it ends it.

    Args:
        inside: the context manager.
        name: the thread's name.
    """

    def __init__(self, inside: AbstractAsyncContextManager[Inside], name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self._inside = inside
        self._process = os.getpid()
        self._entered: Future[Inside] = Future()
        self._left: Future[None] = Future()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def entered(self) -> Inside:
        """Wait until the context is entered, and return what it gives.

        Raises:
            BaseException: what it raised instead.
        """
        try:
            return self._entered.result()
        finally:
            if self.has_failed:
                self._thread.join()

    @property
    def has_failed(self) -> bool:
        """Whether the context could not be entered."""
        return self._entered.done() and self._entered.exception() is not None

    def end(self) -> None:
        """Leave the context and end the thread; nothing in a child process, which has no such thread.

        Raises:
            BaseException: what the context raised as it was left.
        """
        if self._process != os.getpid() or self.has_failed or threading.current_thread() is self._thread:
            return
        if not self._left.done():
            self.loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        self._left.result()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            inside = await self._inside.__aenter__()
        except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
            self._entered.set_exception(error)
            return
        self._entered.set_result(inside)
        await self._ending.wait()
        try:
            await self._inside.__aexit__(None, None, None)
        except BaseException as error:  # noqa: BLE001 - whoever ends it gets it
            self._left.set_exception(error)
        else:
            self._left.set_result(None)
