"""Convert: data of an older version, said as the version that the subscription asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bus import envelope
from bus.event import Event
from bus.outcome import DeadLetter, Reason
from contracts import ContractVersion, ConversionError, Route

NAME = "convert"


@dataclass(frozen=True, slots=True)
class TopicConversion:
    """How the events of one topic become the version asked for.

    Args:
        target: the version asked for.
        routes: the way from each minor version of the topic; one that has none stays as it is, or is refused.
        older: whether the topic holds an older major version.
    """

    target: ContractVersion
    routes: Mapping[int, Route]
    older: bool


def convert(event: Event[Any], conversion: TopicConversion) -> DeadLetter | None:
    """Give the event the data of the version asked for, or say why it can have none."""
    route = conversion.routes.get(event.contract.minor)
    if route is None:
        return DeadLetter(Reason.UNTRANSLATABLE, _no_way(event, conversion)) if conversion.older else None
    try:
        if route.steps or conversion.older:
            event.converted(route.read(event.data), route.target)
    except ConversionError as error:
        return DeadLetter(Reason.UNTRANSLATABLE, str(error), type(error).__name__)
    return None


def is_derived(event: Event[Any]) -> bool:
    """Whether its publisher made it from an event of a newer version, which lies in that version's topic."""
    return envelope.DERIVED_FROM in event.attributes


def _no_way(event: Event[Any], conversion: TopicConversion) -> str:
    return (
        f"Expected a way to version {conversion.target.number}, found none from {event.contract.dataschema}. "
        "Add an `upcast` to the contract, then redrive"
    )
