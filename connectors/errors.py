"""What can go wrong between a legacy system and the bus, grouped by what the runner does about it.

    ConnectorError            the root: never raised itself
    |- NotConnectedError      the connection is gone: connect again with back-off, then go on
    |- TryAgainError          the target is there but cannot take this now: the same record again later
    |- BlockedError           nothing goes on until a person acts: all waits, and is tried again
    |- RecordRejectedError    this record will never fit: dead letter, the next one goes on
    |- EndOfSourceError       the source has ended for good: finish in order
    `- ConfigurationError     a person has to change a file: stop this connector, report where

A message says what was expected, what was found, where, and what to do. It never quotes a value from a
record: a value is somebody's.
"""

from typing import ClassVar


class ConnectorError(Exception):
    """The root of every error a connector raises.

    Attributes:
        retriable: Whether the same call may succeed later without anyone changing anything.
        reason: One word of a closed set, safe as a label.
    """

    retriable: ClassVar[bool] = False
    reason: ClassVar[str] = "connector-failed"


class NotConnectedError(ConnectorError):
    """The system cannot be reached; the runner connects again with back-off, then repeats the call.

    Args:
        message: What the connector tried to reach, and the kind of failure.
        after_seconds: How long the system asked to wait, if it did.
    """

    retriable = True
    reason = "not-connected"

    def __init__(self, message: str, *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class TryAgainError(ConnectorError):
    """The system answers but cannot take the record now; the runner offers the same record later.

    Args:
        message: What the system answered, without the record's values.
        after_seconds: How long the system asked to wait, if it did.
        away: Whether it can take no record at all now. The record then waits without limit; otherwise it is
            dead-lettered when its retries are used up.
    """

    retriable = True
    reason = "try-again"

    def __init__(self, message: str, *, after_seconds: float | None = None, away: bool = False) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds
        self.away = away


class BlockedError(ConnectorError):
    """Nothing goes on until a person changes something there, such as a password that has expired.

    No record is at fault: each waits as in an outage, and is tried again; the connector is `blocked`.

    Args:
        message: What the system answered and what to do, without the record's values.
    """

    retriable = True
    reason = "blocked"


class RecordRejectedError(ConnectorError):
    """This record can never be taken as it is; the runner dead-letters it and goes on.

    Args:
        message: Expected, got, and where in the record, without its values.
        path: The place in the record, such as `$.born`.
    """

    reason = "record-rejected"

    def __init__(self, message: str, *, path: str | None = None) -> None:
        super().__init__(message if path is None else f"{message} - at `{path}`")
        self.path = path


class EndOfSourceError(ConnectorError):
    """The source has nothing more and never will; the runner closes it and counts it as finished."""

    reason = "end-of-source"


class ConfigurationError(ConnectorError):
    """A file has to be changed by a person; the runner stops the connector and does not try again.

    Args:
        what: What is wrong.
        why: Why it cannot work like this.
        how: What to write or do instead.
    """

    reason = "configuration"

    def __init__(self, what: str, why: str, how: str) -> None:
        super().__init__(f"{what} - {why} - {how}")
        self.what, self.why, self.how = what, why, how
