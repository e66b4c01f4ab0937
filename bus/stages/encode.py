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
        data: a JSON value, a dataclass or a pydantic model; dates and UUIDs become text.

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
        return part.model_dump(mode="json")
    raise TypeError
