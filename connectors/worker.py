"""Calls a connector's methods: coroutine functions on the loop, plain ones in the connector's own thread."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar, cast

from connectors.errors import ConfigurationError
from contracts import visible_logger

_LOG = visible_logger("govbus.connectors")
CLOSE_SECONDS = 5.0

Call = ParamSpec("Call")
Result = TypeVar("Result")


class Worker:
    """One thread for one connector, started when first needed.

    Args:
        name: The connector's name, and part of the thread's.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"govbus-{name}")

    async def call(
        self,
        method: Callable[Call, Awaitable[Result] | Result],
        *args: Call.args,
        **kwargs: Call.kwargs,
    ) -> Result:
        """Call a method where it has to run, and return what it returns.

        Raises:
            ConfigurationError: It returned a generator, or something to await, that has not run.
        """
        if inspect.iscoroutinefunction(method):
            outcome: Any = method(*args, **kwargs)
        else:
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(self._executor, lambda: method(*args, **kwargs))
        # A plain function may hand back a coroutine too, as a lambda does.
        outcome = await outcome if inspect.isawaitable(outcome) else outcome
        if inspect.isgenerator(outcome) or inspect.isasyncgen(outcome) or inspect.isawaitable(outcome):
            name = getattr(method, "__name__", type(method).__name__)
            raise ConfigurationError(
                f"`{name}` returned a `{type(outcome).__name__}`",
                "nothing of it has run",
                "remove its `yield`, or await what it calls",
            )
        return cast("Result", outcome)

    async def try_to_close(self, close: Callable[[], Awaitable[None] | None], connector: str) -> None:
        """Call a connector's `close`; log where it raises or takes longer than `CLOSE_SECONDS`.

        Args:
            close: The method.
            connector: Its name in the log.
        """
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.call(close)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the others go on
            _LOG.warning("%s did not close: %s", connector, type(error).__name__)

    def close(self) -> None:
        """Let the thread end once its current call returns."""
        self._executor.shutdown(wait=False)
