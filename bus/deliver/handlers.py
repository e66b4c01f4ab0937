"""Adapts a handler as its author wrote it to one call per event.

A handler is a coroutine function, or a plain function, which runs in a thread. Its parameters are recognised
by their annotations: `Event`, `Event[Model]`, or nothing, takes the event; a pydantic model, a dataclass, a
`TypedDict` or `dict` takes the data; all others are filled by FastStream's dependency injection.
"""

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from bus.deliver.subscription import Handler
from bus.errors import UsageError
from bus.event import Event
from bus.outcome import DeadLetter, Reason

Inject = Callable[[Callable[..., Any]], Callable[..., Awaitable[Any]]]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which parameter takes what."""

    event: str | None
    model: str | None
    adapter: TypeAdapter[Any] | None
    typed_event: bool
    injected: bool


def adapt(function: Callable[..., Any], inject: Inject) -> Handler:
    """Return the function that the bus calls with an event.

    Args:
        function: the agency's handler.
        inject: wraps a function so that FastStream fills the parameters that are not given.

    Raises:
        UsageError: it is unclear what a parameter should take.
    """
    shape = _shape(function)
    call = inject(function) if shape.injected else _coroutine(function)
    if shape.adapter is None and not shape.injected and shape.event is not None and shape.model is None:
        return call

    async def handle(event: Event[Any]) -> Any:
        data = event.data
        if shape.adapter is not None:
            try:
                data = shape.adapter.validate_python(data)
            except ValidationError as error:
                return DeadLetter(Reason.UNTRANSLATABLE, _fault(error), type(error).__name__)
        if shape.typed_event:
            event.data = data
        given: dict[str, Any] = {}
        if shape.event is not None:
            given[shape.event] = event
        if shape.model is not None:
            given[shape.model] = data
        return await call(**given)

    return handle


def _coroutine(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    inner = _inner(function)
    call = inner if inspect.isroutine(inner) else type(inner).__call__
    return function if inspect.iscoroutinefunction(call) else partial(in_thread, function)


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, partial):
        function = function.func
    return function


async def in_thread(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Run a plain function in a daemon thread, which does not keep the process alive.

    The threads of `asyncio.to_thread` do: they are joined at exit, however long their function takes.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()
    call = partial(contextvars.copy_context().run, function, *arguments, **named)
    threading.Thread(target=_report, args=(call, loop, done), daemon=True).start()
    outcome = await done
    # A plain wrapper may hand back its coroutine.
    return await outcome if inspect.isawaitable(outcome) else outcome


def _report(call: Callable[[], Any], loop: asyncio.AbstractEventLoop, done: "asyncio.Future[Any]") -> None:
    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        if not done.done():  # else the handler was interrupted and nobody waits
            set_it(value)

    try:
        outcome = (done.set_result, call())
    except StopIteration as error:
        outcome = (done.set_exception, _as_of_a_coroutine(error))
    except BaseException as error:  # noqa: BLE001 - the handler's error is the event's outcome
        outcome = (done.set_exception, error)
    with contextlib.suppress(RuntimeError):  # the loop has gone
        loop.call_soon_threadsafe(settle, *outcome)


def _as_of_a_coroutine(error: StopIteration) -> RuntimeError:
    """Return what a coroutine that raises StopIteration raises (PEP 479); a future takes no other."""
    told = RuntimeError("the handler raised StopIteration")
    told.__cause__ = error
    return told


def _shape(function: Callable[..., Any]) -> _Shape:
    inner = _inner(function)
    hints = get_type_hints(inner if inspect.isroutine(inner) else type(inner).__call__, include_extras=True)
    event = model = None
    adapter: TypeAdapter[Any] | None = None
    typed_event = injected = False
    for name, parameter in inspect.signature(function).parameters.items():
        hint = hints.get(name, Event)
        if parameter.default is not parameter.empty or get_origin(hint) is Annotated:
            injected = True
        elif (get_origin(hint) or hint) is Event and event is None:
            event = name
            if get_args(hint) and get_args(hint)[0] is not Any:
                adapter, typed_event = _adapter(get_args(hint)[0]), True
        elif model is None and not typed_event:
            model = name
            adapter = None if hint is dict else _adapter(hint)
        else:
            raise UsageError(
                f"Expected parameters for the event, its data, and injected ones, got `{name}` - at handler "
                f"`{getattr(inner, '__qualname__', type(inner).__name__)}`. "
                "Give it a default of `Depends(...)` or annotate it"
            )
    return _Shape(event, model, adapter, typed_event, injected)


def _adapter(hint: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(hint)
    except PydanticUserError as error:
        raise UsageError(
            f"Expected a model that pydantic takes, got another - at a handler's parameter ({error.code}). "
            "Before Python 3.12 take `TypedDict` from `typing_extensions`"
        ) from error


def _fault(error: ValidationError) -> str:
    """Return where the handler's model differs from the data, without any value."""
    places = sorted({".".join(str(step) for step in fault["loc"]) for fault in error.errors()})
    kinds = sorted({fault["type"] for fault in error.errors()})
    return (
        f"The handler's model does not take this version's data: {', '.join(kinds)} - at {', '.join(places)}"[
            :500
        ]
    )
