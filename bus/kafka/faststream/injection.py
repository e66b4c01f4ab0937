"""FastStream's dependency injection inside the bus, loaded only where a handler asks for it."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from bus.errors import UsageError
from bus.event import Event
from contracts import visible_logger

if TYPE_CHECKING:
    from faststream import ContextRepo
    from faststream.kafka import KafkaBroker

OF_A_CLIENT = frozenset({"handler_.consumer", "broker._producer"})
"""Names of clients that FastStream would have: `Consumer` and `KafkaProducer` of its annotations."""
OF_AN_APPLICATION = frozenset({"app", "broker"})

LOGGER = visible_logger("govbus.handlers")
"""What `Logger` is where no application of FastStream has mounted the bus."""


class Injection:
    """Fills handlers' `Depends` and `Context` parameters, as FastStream does for its own subscribers.

    Of FastStream's names `logger`, `message` and `context` are there, and `broker` and `app` where an
    application has mounted the bus.
    """

    def __init__(self) -> None:
        self.context: ContextRepo | None = None
        """That of the application that mounted the bus, if one did."""
        self.provider: Any = None
        self.broker: KafkaBroker | None = None
        """What the bus is mounted as."""
        self._repository: ContextRepo | None = None
        self._wanted: list[str] = []
        """Handlers and their parameters that only an application fills."""

    def __call__(
        self, function: Callable[..., Any]
    ) -> Callable[[Event[Any], dict[str, Any]], Awaitable[Any]]:
        """Return `function` with its injected parameters filled at each call.

        Raises:
            UsageError: it asks for FastStream's own consumer or producer.
        """
        for parameter, name in _names(function):
            place = f"`{parameter}` of handler `{getattr(function, '__qualname__', function)}`"
            if name in OF_A_CLIENT:
                raise UsageError(
                    "Expected what a handler of the bus has, got FastStream's own consumer or producer - at "
                    f"{place}. Return an outcome, and publish by `event.publish`"
                )
            if name.partition(".")[0] in OF_AN_APPLICATION:
                self._wanted.append(place)
        wrapped: Callable[..., Awaitable[Any]] | None = None

        async def call(event: Event[Any], given: dict[str, Any]) -> Any:
            nonlocal wrapped
            if wrapped is None:  # at the first event: by then an application has mounted the bus
                wrapped = self._wrap(function)
            with self._used_context().scopes(self._of_event(event).items()):
                return await wrapped(**given)

        return call

    def require_filled(self) -> None:
        """Refuse to start where a handler asks for what only an application of FastStream has.

        Raises:
            UsageError: no application has mounted the bus.
        """
        if self._wanted and self.broker is None:
            raise UsageError(
                f"Expected a bus inside an application of FastStream, got one alone - at {self._wanted[0]}. "
                "Write `app = FastStream(bus.as_broker())` and run `app`, or remove that parameter"
            )

    def _used_context(self) -> "ContextRepo":
        if self.context is not None:
            return self.context
        if self._repository is None:
            from faststream import ContextRepo  # noqa: PLC0415 - costs half a second to load

            self._repository = ContextRepo()
        return self._repository

    def _of_event(self, event: Event[Any]) -> dict[str, Any]:
        """Return what FastStream puts into the context for each message."""
        from bus.kafka.faststream.message import EventMessage  # noqa: PLC0415 - loads FastStream

        found: dict[str, Any] = {"message": EventMessage(event), "logger": LOGGER}
        if self.broker is not None:
            found["broker"] = self.broker
            found["logger"] = self.broker.config.logger.logger.logger or LOGGER
        return found

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        from fast_depends import dependency_provider  # noqa: PLC0415 - costs half a second to load
        from faststream import apply_types  # noqa: PLC0415 - costs half a second to load

        wrapped: Callable[..., Awaitable[Any]] = apply_types(
            function,
            cast=False,
            context__=self._used_context(),
            dependency_provider=self.provider or dependency_provider,
        )
        return wrapped


def _names(function: Callable[..., Any]) -> Iterator[tuple[str, str]]:
    """Yield each parameter that FastStream's `Context` must fill, and the name that it asks for."""
    from fast_depends.library import CustomField  # noqa: PLC0415 - loads with FastStream

    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):
        hints = {}
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name)
        annotated = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        for one in (parameter.default, *annotated):
            if isinstance(one, CustomField) and one.required and getattr(one, "initial", None) is None:
                yield name, getattr(one, "name", None) or name
