"""Handlers that could never handle an event are refused when they are registered, by name."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
import pytest
from pydantic import BaseModel, ConfigDict

from bus import Event, UsageError
from bus.testing import InMemoryBus

if TYPE_CHECKING:
    from decimal import Decimal


class CaseModel(BaseModel):
    """A case as a pydantic model."""

    reference: str


class ClosedModel(BaseModel):
    """A case that takes nothing new."""

    model_config = ConfigDict(extra="forbid")
    reference: str


@attrs.define
class CaseAttrs:
    """A case as an attrs class."""

    reference: str


@dataclass
class CaseOfAttrs:
    """A case whose part is an attrs class."""

    part: CaseAttrs


class CaseTuple(NamedTuple):
    """A case as a named tuple, which takes nothing new."""

    reference: str


def generates(event: Event[Any]) -> Iterator[None]:
    """Never run."""
    yield


async def async_generates(event: Event[Any]) -> AsyncIterator[None]:
    """Never run."""
    yield


class Office:
    """Handlers as its methods."""

    def __call__(self, event: Event[Any]) -> Iterator[None]:
        yield

    def generates(self, event: Event[Any]) -> Iterator[None]:
        """Never run."""
        yield

    async def handle(self, event: Event[Any]) -> None:
        """Handle an event."""

    @staticmethod
    def unnamed(event: Event[Any]) -> Iterator[None]:
        """Never run."""
        yield


@functools.cache
def bus_of_health() -> InMemoryBus:
    """Return a bus that never starts."""
    return InMemoryBus("health")


def refusal(handler: Any) -> str:
    """Return what registering says."""
    bus = bus_of_health()
    with pytest.raises(UsageError) as caught:
        bus.subscribe("civil-registry.birth-registered", version=1, purpose="test")(handler)
    assert bus._subscriptions == {}
    return str(caught.value)


@pytest.mark.parametrize(
    "handler",
    [
        generates,
        async_generates,
        functools.partial(generates),
        functools.partial(functools.partial(async_generates)),
        Office(),
        Office().generates,
        functools.partial(Office()),
        functools.partialmethod(generates),
        staticmethod(generates),
        Office.unnamed,
        Office.__dict__["unnamed"],
    ],
)
def test_a_generator_is_refused(handler: Any) -> None:
    """Calling it runs none of it, so that every event would be acknowledged and none handled."""
    said = refusal(handler)
    assert "yield" in said or "function" in said


@pytest.mark.parametrize("handler", [None, 7, Office, CaseModel, object()])
def test_what_is_no_function_is_refused(handler: Any) -> None:
    """A class would be made anew for each event, and nothing else happen."""
    assert "function" in refusal(handler)


def test_a_method_without_its_object_is_refused() -> None:
    """As where the decorator stands in the body of a class."""
    assert "`self`" in refusal(Office.handle)


def _with_attrs(found: CaseAttrs) -> None: ...
def _with_event_of_attrs(found: Event[CaseAttrs]) -> None: ...
def _with_part_of_attrs(found: CaseOfAttrs) -> None: ...
def _with_tuple(found: CaseTuple) -> None: ...
def _with_closed_model(found: ClosedModel) -> None: ...
def _with_text(found: str) -> None: ...
def _with_number(found: int) -> None: ...
def _with_list(found: list[Any]) -> None: ...
def _with_choice(found: Event[Any] | None) -> None: ...
def _with_unknown_name(found: Decimal) -> None: ...
def _with_arguments(*found: Any) -> None: ...
def _with_keywords(**found: Any) -> None: ...
def _with_anything(*arguments: Any, **found: Any) -> None: ...


def wrapped_otherwise(handler: Callable[[CaseModel], None]) -> Callable[..., None]:
    """Wrap a handler, and take another parameter than is shown."""

    @functools.wraps(handler)
    def wrapper(other: Event[Any]) -> None:
        return None

    return wrapper


def _takes_model(found: CaseModel) -> None: ...


@pytest.mark.parametrize(
    "handler",
    [
        _with_attrs,
        _with_event_of_attrs,
        _with_part_of_attrs,
        _with_tuple,
        _with_closed_model,
        _with_text,
        _with_number,
        _with_list,
        _with_choice,
        _with_unknown_name,
        _with_arguments,
        _with_keywords,
        wrapped_otherwise(_takes_model),
    ],
)
def test_a_parameter_that_no_event_fits_is_refused_by_name(handler: Any) -> None:
    """Where it is registered, and not at the first event."""
    assert "`found`" in refusal(handler)


def test_a_wrapper_of_anything_is_refused() -> None:
    """It does not say what the function that it wraps takes."""
    assert "functools.wraps" in refusal(_with_anything)
