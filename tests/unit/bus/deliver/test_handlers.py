"""Handlers: their parameters are told apart by annotation, and data never shows in a fault."""

import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict  # pydantic takes typing's own from Python 3.12 on

from bus import DeadLetter, Event, Reason, StoredRecord, UsageError
from bus.deliver.handlers import adapt
from contracts import Catalog

DATA = {"reference": "case-0001", "number": 4}


class CaseModel(BaseModel):
    """A case as a pydantic model."""

    reference: str
    number: int


@dataclass
class CaseClass:
    """A case as a dataclass."""

    reference: str
    number: int


class CaseDict(TypedDict):
    """A case as a typed dict."""

    reference: str
    number: int


def no_injection(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """Stand in for FastStream where nothing is injected."""
    raise AssertionError("never called")


def event(data: Any = None) -> Event[Any]:
    """Return an event that a handler may get."""
    contract = Catalog.open().contract("health.record-opened").version(1)
    attributes = {"ce_id": b"1", "ce_source": b"urn:x", "ce_type": contract.type.encode()}
    record = StoredRecord("t", 0, 0, 0, None, b"{}")
    return Event(record, attributes, ("1", "urn:x", None, None, None), data or dict(DATA), contract)


async def by_nothing(event) -> Any:  # type: ignore[no-untyped-def]
    """Take the event without saying so."""
    return event.data


async def by_event(event: Event[Any]) -> Any:
    """Take the event."""
    return event.data


async def by_typed_event(event: Event[CaseModel]) -> Any:
    """Take the event with a model."""
    return event.data


async def by_model(found: CaseModel) -> Any:
    """Take a model."""
    return found


async def by_class(found: CaseClass) -> Any:
    """Take a dataclass."""
    return found


async def by_typed_dict(found: CaseDict) -> Any:
    """Take a typed dict."""
    return found


async def by_dict(found: dict[str, Any]) -> Any:
    """Take a dict."""
    return found


async def by_both(found: CaseModel, event: Event[Any]) -> Any:
    """Take both."""
    return (found, event.data)


def plainly(found: CaseModel) -> Any:
    """Take a model in a thread."""
    return found


class Callee:
    """A handler with state."""

    async def __call__(self, event: Event[Any]) -> Any:
        return event.data

    async def method(self, event: Event[Any]) -> Any:
        """Take the event."""
        return event.data


class Decorated:
    """A decorator that is a class."""

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    def __call__(self, *positional: Any, **named: Any) -> Any:
        return self._function(*positional, **named)


async def by_plain_dict(found: dict) -> Any:  # type: ignore[type-arg]
    """Take a dict."""
    return found


MODEL = CaseModel(reference="case-0001", number=4)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (by_nothing, DATA),
        (by_event, DATA),
        (by_typed_event, MODEL),
        (by_model, MODEL),
        (by_class, CaseClass("case-0001", 4)),
        (by_typed_dict, DATA),
        (by_dict, DATA),
        (by_both, (MODEL, DATA)),
        (plainly, MODEL),
        (by_plain_dict, DATA),
        (Decorated(plainly), MODEL),
        (Decorated(by_model), MODEL),
        (Callee(), DATA),
        (Callee().method, DATA),
    ],
)
async def test_a_parameter_takes_what_its_annotation_says(handler: Any, expected: Any) -> None:
    """The event, its data as a model, dataclass, typed dict or dict, or both."""
    assert await adapt(handler, no_injection).call(event()) == expected


async def test_data_that_the_model_does_not_take_is_untranslatable() -> None:
    """The fault names places and kinds, never a value."""
    found = await adapt(by_model, no_injection).call(event({"reference": 7, "number": "Ada Lovelace"}))
    assert isinstance(found, DeadLetter)
    assert found.reason is Reason.UNTRANSLATABLE
    assert "int_parsing" in found.detail
    assert "number" in found.detail
    assert "Ada" not in found.detail


@pytest.mark.parametrize("count", [2, 3])
def test_parameters_that_cannot_be_told_apart_are_refused(count: int) -> None:
    """At the subscription, by name, before any event."""

    def unclear(first: CaseModel, second: CaseModel) -> None:
        """Take two of the same."""

    def also_unclear(first: Event[Any], second: CaseModel, third: CaseModel) -> None:
        """Take one too many."""

    handler: Callable[..., None] = unclear if count == 2 else also_unclear
    with pytest.raises(UsageError, match="second" if count == 2 else "third"):
        adapt(handler, no_injection)


async def test_a_cached_function_is_a_handler() -> None:
    """`functools.cache` shows the parameters of what it wraps, and none of its own."""

    @functools.cache
    def cached(event: Event[Any]) -> Any:
        return event.data

    assert await adapt(cached, no_injection).call(event()) == DATA
