"""The outcome of a delivery: `Ack | Retry | DeadLetter`, and the closed set of reasons. Pure.

Law of this file: a decision is a value, a reason is safe as a metric label, and no reason carries data.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why an event was not simply handled; a closed set, safe as a label."""

    ABANDONED = "abandoned"
    """The process stopped before the handler was done; the event comes again."""
    BUS_UNAVAILABLE = "bus-unavailable"
    """The broker did not answer in time."""
    CONTRACT_VIOLATION = "contract-violation"
    """The data breaks its contract."""
    DUPLICATE = "duplicate"
    """The same source and id was handled before."""
    HANDLER_FAILED = "handler-failed"
    """The handler raised an error without a more exact reason."""
    HANDLER_TIMEOUT = "handler-timeout"
    """The handler did not return within its limit."""
    ID_REUSED = "id-reused"
    """The same source and id was handled before with other data."""
    KEY_PARKED = "key-parked"
    """An earlier event of the same key waits for its next attempt, and this one behind it."""
    MALFORMED_ENVELOPE = "malformed-envelope"
    """A CloudEvents attribute is missing, null, doubled or not text."""
    MALFORMED_RECORD = "malformed-record"
    """A legacy record (a row, a line) could not be read."""
    NOT_JSON = "not-json"
    """The value is not JSON."""
    TARGET_REJECTED = "target-rejected"
    """The system behind a sink refused the event for good."""
    TARGET_UNAVAILABLE = "target-unavailable"
    """The system behind a sink could not take the event now."""
    TOMBSTONE = "tombstone"
    """The value is null: a deletion marker, which events do not use."""
    TOO_LARGE = "too-large"
    """The value is larger than the contract allows."""
    UNKNOWN_TYPE = "unknown-type"
    """The event's type is not the one this topic holds."""
    UNKNOWN_VERSION = "unknown-version"
    """The event names a schema version the catalogue does not have."""
    UNTRANSLATABLE = "untranslatable"
    """A legacy record could not be mapped to its event, or an event to its target or to another version."""
    VERSION_RETIRED = "version-retired"
    """The version's sunset is over; it is published no more."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The event is done; `reason` is set if it was not handled (a duplicate)."""

    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Try the event again, after `after_seconds` or by the subscription's schedule."""

    reason: Reason = Reason.HANDLER_FAILED
    after_seconds: float | None = None
    error: str = ""
    """Class of the error behind it; never its text, which may quote data."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Set the event aside for an operator, with its original bytes."""

    reason: Reason
    detail: str = ""
    """One sentence for the operator, free of data values."""
    error: str = ""


Outcome = Ack | Retry | DeadLetter

OUTCOME_NAMES: dict[type[Ack] | type[Retry] | type[DeadLetter], str] = {
    Ack: "ack",
    Retry: "retry",
    DeadLetter: "dead-letter",
}

DISCARDED = "discarded"
"""The outcome in the receipt of a dead letter that an operator discarded."""

ACK = Ack()
"""The plain case, of which one is enough."""
