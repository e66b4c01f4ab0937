"""Errors of the bus, grouped by what the caller must do.

BusError
├── RefusedError                 the event itself is wrong: mend it, do not repeat it
│   ├── ContractViolationError   carries every violation
│   ├── EventTooLargeError       for its contract
│   ├── TopicLimitError          too large for its topic in the cluster
│   ├── NotJsonError
│   ├── EnvelopeError            an attribute or key that may not travel
│   ├── IdReusedError            an id that was published or handled before names other data
│   ├── OlderVersionError        an older version, still published too, cannot express it
│   └── VersionRetiredError      the version's sunset is over: publish a newer one
├── BusUnavailableError          the broker is away: repeat later (retriable)
│   └── BufferFullError          more waits for acknowledgement than the limit: await some first
├── PublishManyError             one event of many failed: see how far it came; else as the event's error says
├── FencedError                  another process took over the transactions: end this one
├── InstanceTakenError           another process runs under this one's name: end this one, start it no more
├── TopicMissingError            apply the catalogue's topics first
│   └── PartitionMissingError    grow the topic first
├── AccessDeniedError            the cluster refuses this agency: ask for the grant
│   └── NotGrantedError          the catalogue does not grant what the program reads: ask for it
└── UsageError                   the program is wrong: mend the code
    └── ClusterSettingsError     the cluster takes nothing as things are set: mend the settings
"""

from collections.abc import Sequence

from bus.draft import PublishProgress
from bus.outcome import Reason
from contracts import ContractError, Violation


class BusError(Exception):
    """Root of the errors of the bus; `retriable` and `reason` say what to do."""

    retriable: bool = False
    reason: Reason = Reason.HANDLER_FAILED


class RefusedError(BusError):
    """The event was refused before anything was sent."""


class ContractViolationError(RefusedError):
    """The data breaks its contract; `violations` lists every fault at once.

    Args:
        contract: the contract and version, such as `health.record-opened 1.0`.
        violations: each fault with its JSON path, without any value.
    """

    reason = Reason.CONTRACT_VIOLATION

    def __init__(self, contract: str, violations: Sequence[Violation]) -> None:
        self.contract = contract
        self.violations = tuple(violations)
        lines = "".join(f"\n  {violation.message}" for violation in self.violations)
        super().__init__(f"{len(self.violations)} violation(s) of {contract}; the event was not sent{lines}")


class EventTooLargeError(RefusedError):
    """The encoded event is larger than its contract allows.

    Args:
        contract: the contract and version.
        size_bytes: how large the encoded data is.
        limit_bytes: how large it may be.
    """

    reason = Reason.TOO_LARGE

    def __init__(self, contract: str, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes, self.limit_bytes = size_bytes, limit_bytes
        super().__init__(
            f"Expected at most {limit_bytes} bytes, got {size_bytes} - {contract}. Publish a thin event that "
            "points to the document with the `dataref` attribute, or raise `max_bytes` in the contract "
            "(hard limit 1048576)"
        )


class TopicLimitError(RefusedError):
    """The event, with its key and attributes, is larger than its topic in the cluster takes."""

    reason = Reason.TOO_LARGE


class NotJsonError(RefusedError):
    """The data can't be written as JSON."""

    reason = Reason.NOT_JSON


class EnvelopeError(RefusedError):
    """An attribute of the event may not travel as it is."""

    reason = Reason.MALFORMED_ENVELOPE


class OlderVersionError(RefusedError):
    """The event cannot be expressed in an older version that is still published."""

    reason = Reason.UNTRANSLATABLE


class VersionRetiredError(RefusedError):
    """The sunset of the version is over."""

    reason = Reason.VERSION_RETIRED

    def __init__(self, contract: str, sunset: str, latest: str) -> None:
        super().__init__(
            f"Expected a version that is still published, got {contract}, whose last day was {sunset}. "
            f"Publish version {latest}"
        )


class BusUnavailableError(BusError):
    """The broker did not answer in time; the event may or may not have arrived."""

    retriable = True
    reason = Reason.BUS_UNAVAILABLE


class BufferFullError(BusUnavailableError):
    """Too many events wait for acknowledgement; nothing of this one was kept."""


class PublishManyError(BusError):
    """One of many events was refused or not acknowledged; `retriable` and `reason` are those of its error.

    Args:
        index: the event's place in the call, from 0.
        error: what became of it.
        progress: how far the call came: receipts by index, and what may be on the bus.
    """

    def __init__(self, index: int, error: BusError | ContractError, progress: PublishProgress) -> None:
        self.index, self.error, self.progress = index, error, progress
        self.retriable = error.retriable
        self.reason = error.reason if isinstance(error, BusError) else Reason.CONTRACT_VIOLATION
        super().__init__(f"The event at index {index} failed; {progress}: {error}")


class FencedError(BusError):
    """Another process took over; this transaction is not committed."""

    reason = Reason.BUS_UNAVAILABLE


class InstanceTakenError(BusError):
    """A newer process runs under the `GOVBUS_INSTANCE` of this one, and has taken its place.

    Args:
        group: the consumer group.
        instance: the name.
    """

    reason = Reason.BUS_UNAVAILABLE

    def __init__(self, group: str, instance: str) -> None:
        self.group, self.instance = group, instance
        super().__init__(
            f"Expected one process under the name `{instance}`, got a newer one, which goes on - group "
            f"`{group}`. End this process, and do not restart it under that name: give each process its own "
            "GOVBUS_INSTANCE"
        )


class TopicMissingError(BusError):
    """A topic of the catalogue does not exist in the cluster."""

    reason = Reason.BUS_UNAVAILABLE

    def __init__(self, topic: str) -> None:
        self.topic = topic
        super().__init__(f"Expected topic `{topic}` in the cluster, got none. Run `govbus topics apply`")


class PartitionMissingError(TopicMissingError):
    """A topic has fewer partitions than the catalogue says.

    Args:
        topic: the topic.
        wanted: how many the catalogue says.
        found: how many it has.
    """

    def __init__(self, topic: str, wanted: int, found: int) -> None:
        super().__init__(topic)
        self.args = (
            f"Expected at least {wanted} partitions of topic `{topic}`, as the catalogue says, got {found}. "
            "Run `govbus contracts apply --grow`",
        )


class AccessDeniedError(BusError):
    """The cluster does not let this agency do that."""

    reason = Reason.BUS_UNAVAILABLE


class NotGrantedError(AccessDeniedError):
    """The catalogue does not grant what a subscription reads, not for its purpose, or no longer."""


class IdReusedError(RefusedError):
    """An event came under the source and id of one that was handled before, with other data.

    Args:
        handled_hash: SHA-256 of the data that was handled.
        got_hash: SHA-256 of the data that came now.
    """

    reason = Reason.ID_REUSED

    def __init__(self, handled_hash: str, got_hash: str) -> None:
        self.handled_hash, self.got_hash = handled_hash, got_hash
        super().__init__(
            f"Expected the data that was handled before (SHA-256 {handled_hash}), got other data (SHA-256 "
            f"{got_hash}) under the same source and id. Its publisher must give each fact an id of its own"
        )


class UsageError(BusError):
    """The program uses the bus in a way that cannot work."""


class ClusterSettingsError(UsageError):
    """The cluster takes no event as it, or this process, is set up; none is to blame for it."""

    reason = Reason.BUS_UNAVAILABLE
