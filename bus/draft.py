"""What a publisher hands over, `Draft`, and what it gets back, `Receipt`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict, Unpack

from bus.misuse import WrongArgumentError, known_or_another


class Receipt(NamedTuple):
    """Proof that the broker holds an event: where, since when, in which transaction."""

    id: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    """Broker time in milliseconds since the epoch."""
    transaction: str

    @property
    def broker_time(self) -> datetime:
        """When the broker took the event."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)


@dataclass(frozen=True, slots=True)
class PublishProgress:
    """How far a call with many events came before it ended early.

    Attributes:
        receipts: Those of the acknowledged events, by their index in the call.
        unknown: Indexes of events that were sent without an acknowledgement: they may be on the bus.
    """

    receipts: Mapping[int, Receipt]
    unknown: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.receipts and not self.unknown:
            return "none of the call's events was sent"
        known = f"{len(self.receipts)} of the call's events are acknowledged"
        return f"{known}, {len(self.unknown)} more may be on the bus, no other was sent"


class DraftOptions(TypedDict, total=False):
    """What `publish`, `event.publish` and `outbox.add` take beside the data; see `Draft`."""

    key: str | None
    id: str | None
    time: datetime | None
    service: str | None
    transaction: str | None
    ce_subject: str | None


OPTIONS = DraftOptions.__optional_keys__


class Draft(NamedTuple):
    """An event to publish: its data, and what the defaults do not say.

    Args:
        data: what happened: a JSON value, a dataclass or a pydantic model; checked against the contract.
        key: partition key, opaque, never a person's identifier; made by the contract's key rule if absent.
        id: unique within the source; give a deterministic one where a source may read the same fact again.
            A UUIDv7 if absent.
        time: when the fact occurred (aware); now if absent.
        service: the service whose transaction this event begins; one of the catalogue, if that knows any.
        transaction: the transaction to continue; that of the causing event, or a new one, if absent.
        ce_subject: the CloudEvents `subject` attribute: opaque, never a person's identifier.
    """

    data: Any
    key: str | None = None
    id: str | None = None
    time: datetime | None = None
    service: str | None = None
    transaction: str | None = None
    ce_subject: str | None = None

    @classmethod
    def made(cls, data: Any, **options: Unpack[DraftOptions]) -> "Draft":
        """Return a draft of data.

        Raises:
            TypeError: there is no such option.
        """
        if not options.keys() <= OPTIONS:
            unknown, names = sorted(options.keys() - OPTIONS), ("version", *cls._fields[1:])
            known = ", ".join(f"`{name}`" for name in names)
            raise WrongArgumentError(
                f"Expected options among {known}, got {known_or_another(unknown, names)}"
            )
        return cls(data, **options)

    @classmethod
    def of(cls, item: Any) -> "Draft":
        """Return `item` if it is a draft, else a draft of it as data."""
        return item if isinstance(item, cls) else cls(item)
