"""The promise of a source: how records leave a legacy system without loss.

The order in which the runner calls a source:

    connect --> read --> (translate, publish with the checkpoint) --> acknowledge --+
       ^          ^                                                                 |
       |          +-----------------------------------------------------------------+
       +-- NotConnectedError, or any other error: close, back off, connect

One process at a time does so, the owner of the source. The events of a batch and its checkpoint are one
transaction; of a batch of more than 5,000 records, so are each 5,000, and the last with the checkpoint.

What survives a process that dies, or is suspended while another takes over, point by point:

| dies                                   | lost | read again on restart                                  |
|----------------------------------------|------|--------------------------------------------------------|
| after `read`                           | none | the batch                                              |
| while publishing                       | none | the batch; nobody has seen an event of its transaction |
| after the commit, before `acknowledge` | none | nothing is published; the source acknowledges again    |
| after `acknowledge`                    | none | nothing                                                |

So a record is on the bus once. Where it is there twice after all (a large batch read again, a commit whose
answer was lost), both have the same id, which is derived from `SourceRecord.identity`, and subscribers drop
the second.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from pydantic import BaseModel

if TYPE_CHECKING:
    from bus import OutboxEvent

Json: TypeAlias = Any  # what `json.loads` may return; a recursive alias buys nothing under pydantic

ONLY_PARTITION = "0"


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record as the legacy system has it, before translation.

    Attributes:
        data: The record's columns by name, as JSON values.
        identity: Identifies the record whenever it is read, for example `business/17`. Unique within the
            system and independent of the clock, for the event's id is derived from it unless the file names
            an `identity`.
        where: Where it is (`file` and `line`, `table` and `position`), without personal values.
        raw: The record's original bytes for a dead letter, where the system has them.
    """

    data: Mapping[str, Json]
    identity: str
    where: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord(SourceRecord):
    """A record that is an event already: nothing is mapped, and its id is its own.

    Attributes:
        event: The event.
    """

    event: "OutboxEvent"


@dataclass(frozen=True, slots=True)
class MalformedRecord:
    """Something that the source could not read as a record; it goes to the dead letters as it is.

    Attributes:
        raw: The original bytes.
        problem: What is wrong with it, without its values.
        where: Where it is, without personal values.
        data: The columns that could be read, by name; the transaction may be among them.
        cells: Its texts, where it is not sure which column each belongs to.
    """

    raw: bytes
    problem: str
    where: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, Json] = field(default_factory=dict)
    cells: Sequence[str] = ()


def _do_nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are published together, with the checkpoint that covers them.

    Attributes:
        records: In the order of the source. May be empty when only a checkpoint or acknowledgement is due.
        checkpoint: Opaque JSON that resumes after these records, or None to keep the last one.
        partition: The part of the source the checkpoint belongs to.
        acknowledge: Called once the events and the checkpoint are committed; a coroutine function
            or a plain one, which then runs in the connector's thread. It may be called again for the
            same batch after a restart, so a second call must change nothing.
    """

    records: tuple[SourceRecord | MalformedRecord, ...]
    checkpoint: Json | None
    partition: str = ONLY_PARTITION
    acknowledge: Callable[[], Awaitable[None] | None] = _do_nothing


class CheckpointReader(Protocol):
    """Gives a source its own checkpoints."""

    async def load(self, partition: str = ONLY_PARTITION) -> Json | None:
        """The last checkpoint saved for a partition, None when there is none."""

    async def has_published(self, partition: str = ONLY_PARTITION) -> bool:
        """Whether an event was published of what the checkpoints of a partition cover."""


@runtime_checkable
class Source(Protocol):
    """Reads the records of one legacy system.

    A class named in a file has an inner or assigned `Options` (a pydantic model of the `source:` section)
    and is made as `cls(options)`. Making one does no I/O. Every method may be a coroutine function or a
    plain one; the plain methods of one source all run in the same worker thread, never two at a time, so a
    driver need not be thread-safe.
    """

    guarantee: ClassVar[str]
    """One sentence for `govbus connect list`: what is promised, and under which condition."""

    poll_seconds: float
    """How long the runner waits after `read` returned None."""

    # A source that need not read all columns has `keep_columns(names: frozenset[str])`. It is called before
    # `connect` with those that the file reads, and not at all where a function reads the record.
    # A source whose records are all `EventRecord`s has `brings_events = True`; its file has no `publish:`.

    @property
    def Options(self) -> type[BaseModel]:  # noqa: N802 - a class, assigned or inner
        """The pydantic model of the `source:` section."""

    def connect(self, checkpoints: CheckpointReader) -> Awaitable[None] | None:
        """Reach the system and take up the last checkpoint.

        Called first, and again with back-off after every error. Must forget what an earlier connection
        had read: what was not checkpointed is read again.

        Raises:
            NotConnectedError: The system cannot be reached now; called again later.
            BlockedError: A person has to change something there; called again later.
            ConfigurationError: It can never work like this; the connector stops.
        """

    def read(self) -> Awaitable[Batch | None] | Batch | None:
        """The next batch, or None when there is nothing new now.

        Never waits for new records. The next `read` comes only after the last batch was published,
        checkpointed and acknowledged. A record that cannot be read is a `MalformedRecord` in the batch,
        not an error.

        Raises:
            NotConnectedError: The connection is lost; `connect` comes next.
            BlockedError: A person has to change something; the source is `blocked`, `connect` comes next.
            EndOfSourceError: There will never be more; `close` comes next.
        """

    def check(self) -> Awaitable[None] | None:
        """Say whether the system can be reached, changing nothing in it; for `govbus connect check`.

        Raises:
            NotConnectedError: It cannot be reached.
            ConfigurationError: It is reached, and the options do not fit what is there.
        """

    def close(self) -> Awaitable[None] | None:
        """Release everything; may be called twice, or without `connect`. Never raises."""
