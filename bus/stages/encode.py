"""Encode: data to JSON bytes."""

from typing import Any

import orjson
from pydantic import BaseModel

from bus.errors import EventTooLargeError, NotJsonError
from contracts import ContractVersion

NAME = "encode"


def encode(contract: ContractVersion, data: Any) -> bytes:
    """Return `data` as JSON.

    Args:
        contract: limits the size.
        data: a JSON value, a dataclass or a pydantic model; dates and UUIDs become text. A model's fields
            have the names of its aliases; one that is None because nobody set it is absent.

    Raises:
        NotJsonError: the data can't be written as JSON.
        EventTooLargeError: it is larger than the contract allows.
    """
    try:
        # A copy of just its size: orjson's own bytes end a block of up to twice that, which a list of events
        # that wait to be sent would make the process ask the system for, one after the other.
        value = bytes(memoryview(orjson.dumps(data, default=_plain)))
    except TypeError:
        raise NotJsonError(
            f"Expected JSON data, got a part that JSON cannot hold - {contract.contract.subject} "
            f"{contract.number}. Use text, numbers (whole ones of at most 64 bits), lists and objects with "
            "text keys"
        ) from None
    if len(value) > contract.contract.max_bytes:
        name = f"{contract.contract.subject} {contract.number}"
        raise EventTooLargeError(name, len(value), contract.contract.max_bytes)
    return value


def _plain(part: Any) -> Any:
    if isinstance(part, BaseModel):
        whole, given = (
            part.model_dump(mode="json", by_alias=True, exclude_unset=unset) for unset in (False, True)
        )
        return _without_unset(whole, given)
    raise TypeError


def _without_unset(whole: Any, given: Any) -> Any:
    """Return what a model holds, without each None that stands for a field which nobody set."""
    if isinstance(whole, dict) and isinstance(given, dict):
        return {
            name: _without_unset(value, given.get(name))
            for name, value in whole.items()
            if value is not None or name in given
        }
    if isinstance(whole, list) and isinstance(given, list):
        return [_without_unset(*pair) for pair in zip(whole, given, strict=True)]
    return whole
