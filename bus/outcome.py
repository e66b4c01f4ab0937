"""The outcome of a delivery: `Ack | Retry | DeadLetter`, and the closed sets of outcomes and reasons. Pure.

Law of this file: a decision is a value; an outcome and a reason are safe as metric labels and carry no data.
The outcomes of receipts are named here alone: the bus writes no other, and the monitor reads all of them.
`Retry` and `DeadLetter` may be raised as well as returned, as many would write it. `Ack` may not: an
exception that leaves the block of a database transaction undoes it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from bus.misuse import WrongArgumentError

PublishOutcome: TypeAlias = Literal["published", "refused", "dead-letter"]
"""Outcome of a publish: acknowledged, refused by the bus, or a source record that never became an event."""

DeliveryOutcome: TypeAlias = Literal[
    "ack", "retry", "dead-letter", "discarded", "displaced", "halted", "resumed"
]
"""Outcome of an attempt of a subscription; or what is none: an operator `discarded` its dead letter, or it
was `displaced` in a partition, where it goes on at another place, `halted` until an operator says where, or
`resumed` there.
"""

PUBLISHED: Final[PublishOutcome] = "published"
REFUSED: Final[PublishOutcome] = "refused"
SET_ASIDE: Final[PublishOutcome] = "dead-letter"
DISCARDED: Final[DeliveryOutcome] = "discarded"
DISPLACED: Final[DeliveryOutcome] = "displaced"
HALTED: Final[DeliveryOutcome] = "halted"
RESUMED: Final[DeliveryOutcome] = "resumed"


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
    GROUP_RESET = "group-reset"
    """Somebody else than the bus moved the offsets of a subscription's group."""
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
    OFFSETS_EXPIRED = "offsets-expired"
    """The offsets of a subscription's group are gone."""
    RECORDS_LOST = "records-lost"
    """Records that a subscription had not read are gone."""
    TARGET_REJECTED = "target-rejected"
    """The system behind a sink refused the event for good."""
    TARGET_UNAVAILABLE = "target-unavailable"
    """The system behind a sink could not take the event now."""
    TOMBSTONE = "tombstone"
    """The value is null: a deletion marker, which events do not use."""
    TOO_LARGE = "too-large"
    """The event is larger than its contract, or the topic in the cluster, allows."""
    TOPIC_REPLACED = "topic-replaced"
    """The event waited for its next attempt when its topic was deleted and made again."""
    UNKNOWN_TYPE = "unknown-type"
    """The event's type is not the one this topic holds."""
    UNKNOWN_VERSION = "unknown-version"
    """The event names a schema version the catalogue does not have."""
    UNTRANSLATABLE = "untranslatable"
    """A legacy record could not be mapped to its event, or an event to its target or to another version."""
    VERSION_RETIRED = "version-retired"
    """The version's sunset is over; it is published no more."""


LONGEST_SECONDS = 366 * 86_400
"""The longest that a handler may let an event wait."""


@dataclass(frozen=True, slots=True)
class Ack:
    """The event is done; `reason` is set if it was not handled (a duplicate).

    Raises:
        TypeError: the reason is not of the closed set.
    """

    reason: Reason | None = None

    def __post_init__(self) -> None:
        if self.reason is not None:
            _require_reason(self.reason)


@dataclass(unsafe_hash=True)  # not frozen: Python writes the traceback of what is raised
class Retry(Exception):  # noqa: N818 - an outcome, which is no error
    """Try the event again, after `after_seconds` or by the subscription's schedule.

    Raises:
        TypeError: the reason is not of the closed set, the time is no number of seconds up to
            `LONGEST_SECONDS`, or `error` is no text.
    """

    reason: Reason = Reason.HANDLER_FAILED
    after_seconds: float | None = None
    error: str = ""
    """Class of the error behind it; never its text, which may quote data."""

    def __post_init__(self) -> None:
        _require_reason(self.reason)
        _require_text(self.error, "error")
        seconds: object = self.after_seconds
        if seconds is None or is_wait(seconds):
            return
        got = "another number" if isinstance(seconds, int | float) else f"`{type(seconds).__name__}`"
        raise WrongArgumentError(
            f"Expected a number of seconds up to {LONGEST_SECONDS:,} (a year), got {got} - at `after_seconds`"
        )


@dataclass(unsafe_hash=True)
class DeadLetter(Exception):  # noqa: N818 - an outcome, which is no error
    """Set the event aside for an operator, with its original bytes.

    Raises:
        TypeError: the reason is not of the closed set, or `detail` or `error` is no text.
    """

    reason: Reason
    detail: str = ""
    """One sentence for the operator, free of data values."""
    error: str = ""

    def __post_init__(self) -> None:
        _require_reason(self.reason)
        _require_text(self.detail, "detail")
        _require_text(self.error, "error")


def is_wait(seconds: object) -> bool:
    """Whether a value is a time that an event can wait for; less than 0 counts as 0."""
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds <= LONGEST_SECONDS


def _require_text(text: object, name: str) -> None:
    if not isinstance(text, str):
        raise WrongArgumentError(f"Expected text, got `{type(text).__name__}` - at `{name}`")


def _require_reason(reason: object) -> None:
    if not isinstance(reason, Reason):
        raise WrongArgumentError(f"Expected a `bus.Reason`, got `{type(reason).__name__}` - at `reason`")


Outcome = Ack | Retry | DeadLetter

OUTCOME_NAMES: dict[type[Ack] | type[Retry] | type[DeadLetter], DeliveryOutcome] = {
    Ack: "ack",
    Retry: "retry",
    DeadLetter: "dead-letter",
}

ACK = Ack()
"""The plain case, of which one is enough."""
