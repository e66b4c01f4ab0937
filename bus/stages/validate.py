"""Validate: the data against its contract, when publishing and when delivering."""

import re
from typing import Any

from bus.errors import ContractViolationError, NotJsonError
from bus.event import Event
from bus.outcome import DeadLetter, Reason
from contracts import AmbiguousJsonError, ContractVersion, read_event_json

NAME = "validate"

SHOWN_VIOLATIONS = 10
_has_null = re.compile(b"null").search  # half the time of `in`


def validate(event: Event[Any]) -> DeadLetter | None:
    """Return None if the delivered data is valid, else a dead letter with every violation.

    Data of a minor version that the catalogue does not know is checked against the latest known one.
    """
    contract = event.contract
    if contract.reader.is_valid(event.data):
        return None
    violations = contract.reader.violations(event.data)
    shown = "; ".join(violation.message for violation in violations[:SHOWN_VIOLATIONS])
    more = len(violations) - SHOWN_VIOLATIONS
    detail = shown + (f"; and {more} more" if more > 0 else "")
    if event.written_version == contract.number:
        return DeadLetter(Reason.CONTRACT_VIOLATION, detail)
    return DeadLetter(
        Reason.UNKNOWN_VERSION,
        f"Expected data that is valid in version {contract.number}, the latest known here, got data of a "
        f"newer version that is not: {detail}. Update the catalogue, then redrive",
    )


def require_valid(contract: ContractVersion, data: Any, value: bytes) -> Any:
    """Refuse data that breaks its contract. The data as sent is checked.

    Args:
        contract: the version.
        data: the data as it was given.
        value: the same, encoded. It is decoded again if encoding may have changed the data: a NaN becomes
            null, a date becomes text.

    Returns:
        The JSON value as its readers will see it.

    Raises:
        ContractViolationError: with every violation.
        NotJsonError: a part that was given as JSON text is none, or none that all readers understand alike.
    """
    try:
        seen = _read(contract, value) if _has_null(value) else data
        valid = contract.writer.is_valid(seen)
    except ValueError:
        seen = _read(contract, value)
        valid = contract.is_valid(seen)
    if not valid:
        # A tuple and a list are the same on the wire, so the encoded form has the last word.
        seen = _read(contract, value)
        violations = contract.violations(seen)
        if violations:
            raise ContractViolationError(f"{contract.contract.subject} {contract.number}", violations)
    return seen


def _read(contract: ContractVersion, value: bytes) -> Any:
    try:
        return read_event_json(value)
    except AmbiguousJsonError as error:
        fault = f"{error.fault} - at `{contract.writer.path_of(error.steps)}`"
    except ValueError:
        fault = "Expected JSON, got other text in a part that was given as JSON text"
    raise NotJsonError(f"{fault} of {contract.contract.subject} {contract.number}; the event was not sent")
