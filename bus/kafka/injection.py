"""FastStream's dependency injection inside the bus, loaded only where a handler asks for it."""

from collections.abc import Awaitable, Callable
from typing import Any


class Injection:
    """Fills handlers' `Depends` and `Context` parameters, as FastStream does for its own subscribers."""

    def __init__(self) -> None:
        self.context: Any = None
        """The `ContextRepo` of the application that mounted the bus, if one did."""
        self.provider: Any = None

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        """Return `function` with its injected parameters filled at each call."""
        wrapped: Callable[..., Awaitable[Any]] | None = None

        async def call(**given: Any) -> Any:
            nonlocal wrapped
            if wrapped is None:  # at the first event: by then an application has mounted the bus
                wrapped = self._wrap(function)
            return await wrapped(**given)

        return call

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        from fast_depends import dependency_provider  # noqa: PLC0415 - costs half a second to load
        from faststream import ContextRepo, apply_types  # noqa: PLC0415 - costs half a second to load

        wrapped: Callable[..., Awaitable[Any]] = apply_types(
            function,
            cast=False,
            context__=self.context or ContextRepo(),
            dependency_provider=self.provider or dependency_provider,
        )
        return wrapped
