"""Validate: the data against its contract, on the way in and on the way out."""

from typing import Any

import orjson

from bus.errors import ContractViolationError
from bus.event import Event
from bus.outcome import DeadLetter, Reason
from contracts import ContractVersion

NAME = "validate"

SHOWN_VIOLATIONS = 10


def validate(event: Event[Any]) -> DeadLetter | None:
    """Return None where readers can take the delivered data, else the dead letter with every violation.

    Of a minor version newer than the catalogue knows, the latest one known is the judge.
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
        f"Expected data that version {contract.number} can read, the latest known here, got some of a newer "
        f"one that it cannot: {detail}. Bring the catalogue up to date, then redrive",
    )


def require_valid(contract: ContractVersion, data: Any, value: bytes) -> Any:
    """Refuse data that breaks its contract; what is checked is what is sent.

    Args:
        contract: the version to keep.
        data: the data as it was given.
        value: the same, encoded. It is read back where encoding may have changed the data: a NaN becomes
            null, a date becomes text.

    Returns:
        The JSON value as its readers will see it.

    Raises:
        ContractViolationError: with every violation.
    """
    try:
        seen = orjson.loads(value) if b"null" in value else data
        valid = contract.is_valid(seen)
    except ValueError:
        seen = orjson.loads(value)
        valid = contract.is_valid(seen)
    if not valid:
        # A tuple and a list are the same on the wire, so the encoded form has the last word.
        seen = orjson.loads(value)
        violations = contract.violations(seen)
        if violations:
            raise ContractViolationError(f"{contract.contract.subject} {contract.number}", violations)
    return seen
