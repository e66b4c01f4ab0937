"""Adapts a handler as its author wrote it to one call per event.

A handler is a coroutine function, or a plain function, which runs in a thread. Its parameters are recognised
by their annotations: `Event`, `Event[Model]`, or nothing, takes the event; a pydantic model, a dataclass, a
`TypedDict` or `dict` takes the data; all others are filled by FastStream's dependency injection.

Law of this file: what could never handle an event is refused when it is registered, by name.
"""

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import orjson
from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError

from bus.deliver.handler_model import HandlerModel
from bus.deliver.subscription import Handler
from bus.errors import UsageError
from bus.event import Event
from bus.outcome import DeadLetter, Reason

Inject = Callable[[Callable[..., Any]], Callable[[Event[Any], dict[str, Any]], Awaitable[Any]]]
"""Wraps a function; the result takes the event, and the parameters that are given by name."""

UNKNOWN_PROPERTY = "govbus-unknown-property"
"""A property that no model declares, as a newer minor version may have one."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which parameter takes what."""

    event: str | None
    model: str | None
    adapter: TypeAdapter[Any] | None
    typed_event: bool
    injected: bool
    only_event: bool
    """Whether the event is all it takes, given without a name."""


class AdaptedHandler(NamedTuple):
    """A handler as the bus calls it.

    Attributes:
        call: Takes the event.
        model: The type as which it takes the data; None where it takes any.
    """

    call: Handler
    model: HandlerModel | None


def adapt(function: Callable[..., Any], inject: Inject) -> AdaptedHandler:
    """Return a handler as the bus calls it with an event.

    Args:
        function: the agency's handler.
        inject: wraps a function so that FastStream fills the parameters that are not given.

    Raises:
        UsageError: calling the function would not run it, or it is unclear what a parameter should take.
    """
    _require_runnable(function)
    shape = _shape(function)
    if shape.only_event:
        return AdaptedHandler(_coroutine(function), None)
    call = inject(function) if shape.injected else _given_by_name(_coroutine(function))
    read = None if shape.adapter is None else _reader(shape.adapter)

    async def handle(event: Event[Any]) -> Any:
        data = event.data
        if read is not None:
            try:
                data = read(data)
            except ValidationError as error:
                return DeadLetter(Reason.UNTRANSLATABLE, _fault(error), type(error).__name__)
        if shape.typed_event:
            event.data = data
        given: dict[str, Any] = {}
        if shape.event is not None:
            given[shape.event] = event
        if shape.model is not None:
            given[shape.model] = data
        return await call(event, given)

    taking = shape.event if shape.typed_event else shape.model
    model = None if shape.adapter is None else HandlerModel(shape.adapter, _place(function, taking))
    return AdaptedHandler(handle, model)


def _given_by_name(
    function: Callable[..., Awaitable[Any]],
) -> Callable[[Event[Any], dict[str, Any]], Awaitable[Any]]:
    return lambda _, given: function(**given)


def _reader(adapter: TypeAdapter[Any]) -> Callable[[Any], Any]:
    """Return what makes a model of the data, which came as JSON.

    A strict model takes a date, a UUID or a decimal as text if it reads JSON, and not otherwise.
    """
    if _is_strict(adapter.core_schema):
        return lambda data: adapter.validate_json(orjson.dumps(data))
    return adapter.validate_python


def _is_strict(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return schema.get("strict") is True or any(map(_is_strict, schema.values()))
    return isinstance(schema, list | tuple) and any(map(_is_strict, schema))


def _coroutine(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    return function if inspect.iscoroutinefunction(_called(function)) else partial(in_thread, function)


def _inner(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, partial | staticmethod):
        function = function.func if isinstance(function, partial) else function.__func__
    return function


def _called(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function whose code runs when a handler is called."""
    inner = _inner(function)
    return inner if inspect.isroutine(inner) else type(inner).__call__


def _place(function: Callable[..., Any], parameter: str | None = None) -> str:
    inner = _inner(function)
    place = f"handler `{getattr(inner, '__qualname__', type(inner).__name__)}`"
    return f"at {place}" if parameter is None else f"at `{parameter}` of {place}"


def _require_runnable(function: Any) -> None:
    if not callable(function) or isinstance(_inner(function), type):
        got = "a class" if isinstance(_inner(function), type) else f"`{type(function).__name__}`"
        raise UsageError(f"Expected a function or a method of an object, got {got} - {_place(function)}")
    called = _called(function)
    if inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called):
        raise UsageError(
            f"Expected a function that runs when it is called, got a generator, which does not - "
            f"{_place(function)}. Remove its `yield`"
        )


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
    event = model = None
    adapter: TypeAdapter[Any] | None = None
    typed_event = injected = False
    unnamed: list[str] = []
    for name, parameter, hint in _parameters(function):
        if parameter.default is not parameter.empty or get_origin(hint) is Annotated:
            injected = True
        elif (get_origin(hint) or hint) is Event and event is None:
            event = name
            if get_args(hint) and get_args(hint)[0] is not Any:
                adapter, typed_event = _adapter(function, name, get_args(hint)[0]), True
        elif model is None and not typed_event:
            model = name
            adapter = None if hint is dict else _adapter(function, name, hint)
        else:
            raise UsageError(
                f"Expected parameters for the event, its data, and injected ones, got `{name}` - "
                f"{_place(function)}. Give it a default of `Depends(...)` or annotate it"
            )
        if parameter.kind is parameter.POSITIONAL_ONLY:
            unnamed.append(name)
    only_event = event is not None and model is None and adapter is None and not injected
    shape = _Shape(event, model, adapter, typed_event, injected, only_event)
    _require_passable(function, shape, unnamed)
    return shape


def _parameters(function: Callable[..., Any]) -> Iterator[tuple[str, inspect.Parameter, Any]]:
    """Yield each parameter of a handler, and what its annotation means."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        raise UsageError(f"Expected a function that shows its parameters - {_place(function)}") from None
    inner = _inner(function)
    # A decorator may be an object: its parameters are those of the function that it wraps.
    annotated = inner if hasattr(inner, "__wrapped__") else _called(function)
    scope = getattr(inspect.unwrap(annotated), "__globals__", {})
    annotations = getattr(annotated, "__annotations__", {})
    for index, parameter in enumerate(parameters):
        name = parameter.name
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise UsageError(
                f"Expected parameters with names of their own, got any - {_place(function, name)}. A "
                "decorator must keep those of the function that it wraps, by `functools.wraps`"
            )
        if index == 0 and name in ("self", "cls") and name not in annotations:
            raise UsageError(
                "Expected a method of an object, such as `office.open_record`, got one without its object - "
                f"{_place(function, name)}"
            )
        if name not in annotations:
            yield name, parameter, Event
            continue
        try:
            one = SimpleNamespace(__annotations__={name: annotations[name]})
            hints = get_type_hints(one, scope, include_extras=True)
        except (NameError, AttributeError, TypeError, SyntaxError) as error:
            raise UsageError(
                "Expected an annotation that is there when the program runs, got another "
                f"({type(error).__name__}) - {_place(function, name)}. Import it outside of `TYPE_CHECKING`"
            ) from None
        yield name, parameter, hints[name]


def _require_passable(function: Callable[..., Any], shape: _Shape, unnamed: list[str]) -> None:
    """Refuse a function that does not take what it shows, by name; a decorator may have made it so."""
    if shape.injected:
        return
    named = [name for name in (shape.event, shape.model) if name is not None]
    try:
        own = inspect.signature(function, follow_wrapped=False)
    except ValueError:
        return  # such as that of `functools.cache`, which passes on what it gets
    try:
        if shape.only_event:
            own.bind(None)
        else:
            own.bind(**dict.fromkeys(named))
    except TypeError:
        names = ", ".join(f"`{name}`" for name in unnamed or named)
        raise UsageError(
            f"Expected parameters that can be given by name, got {names} - {_place(function)}. A decorator "
            "must take the parameters of the function that it wraps"
        ) from None


def _adapter(function: Callable[..., Any], name: str, hint: Any) -> TypeAdapter[Any]:
    place = _place(function, name)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(hint)
        adapter.rebuild(raise_errors=True)
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise UsageError(
            f"Expected `Event`, a pydantic model, a dataclass, a `TypedDict` or `dict`, got another type "
            f"({error.code}) - {place}. Before Python 3.12 take `TypedDict` from `typing_extensions`"
        ) from error
    faults = _faults_of_object(adapter)
    if any(not steps and (kind.endswith("_type") or kind == "none_required") for steps, kind in faults):
        raise UsageError(
            f"Expected a type that takes an object, which the data of every event is, got another - {place}"
        )
    if any(kind in ("extra_forbidden", "unexpected_keyword_argument") for _, kind in faults):
        raise UsageError(
            "Expected a model that ignores properties that it does not declare, since a newer minor version "
            f"may have more, got one that refuses them - {place}"
        )
    return adapter


def _faults_of_object(adapter: TypeAdapter[Any]) -> list[tuple[tuple[int | str, ...], str]]:
    """Return place and kind of what a model finds wrong with an object of one unknown property."""
    try:
        adapter.validate_python({UNKNOWN_PROPERTY: None})
    except ValidationError as error:
        return [(fault["loc"], fault["type"]) for fault in error.errors(include_url=False)]
    except Exception:  # noqa: BLE001 - a validator of the model's own, which expects its data
        return []
    return []


def _fault(error: ValidationError) -> str:
    """Return where the handler's model differs from the data, without any value."""
    places = sorted({".".join(str(step) for step in fault["loc"]) for fault in error.errors()})
    kinds = sorted({fault["type"] for fault in error.errors()})
    return (
        f"The handler's model does not take this version's data: {', '.join(kinds)} - at {', '.join(places)}"[
            :500
        ]
    )
