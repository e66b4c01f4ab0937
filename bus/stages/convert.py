"""Convert: data of an older version to the version of the subscription."""

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
    """Conversion of the events of one topic to the version of the subscription.

    Args:
        target: the version of the subscription.
        routes: the conversion from each minor version of the topic; without one, data stays as it is, or is
            refused if the topic is older.
        older: whether the topic holds an older major version.
    """

    target: ContractVersion
    routes: Mapping[int, Route]
    older: bool


def convert(event: Event[Any], conversion: TopicConversion) -> DeadLetter | None:
    """Convert the event's data to the version of the subscription, or return why that is impossible."""
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
    """Whether its publisher derived it from an event of a newer version, which is in that version's topic."""
    return envelope.DERIVED_FROM in event.attributes


def _no_way(event: Event[Any], conversion: TopicConversion) -> str:
    return (
        f"Expected a conversion to version {conversion.target.number}, found none from "
        f"{event.contract.dataschema}. Add an `upcast` to the contract, then redrive"
    )
