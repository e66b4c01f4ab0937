"""Where a group stands in a partition, and of which topic. Pure.

Law of this file: a place is a topic id, a partition and an offset. A topic that was deleted and made again
has the same name and another id, and an offset of the one means nothing in the other.

Wire format: a commit of the bus carries `govbus/<topic id>/<time>` as metadata, the time in microseconds
since the epoch. A commit without it was made by somebody else, such as an operator with Kafka's own tools.
"""

from dataclasses import dataclass
from uuid import UUID

_MARK = "govbus"


@dataclass(frozen=True, slots=True)
class CommittedOffset:
    """The next offset of a group in a partition, as it was committed."""

    offset: int
    topic_id: str = ""
    """Of the topic it was committed for; empty if the bus did not commit it."""
    at_us: int = 0
    """When, in microseconds since the epoch; 0 if the bus did not commit it."""

    @property
    def metadata(self) -> str:
        """What the commit carries beside the offset."""
        return f"{_MARK}/{self.topic_id}/{self.at_us}" if self.topic_id else ""

    @classmethod
    def read(cls, offset: int, metadata: str | None) -> "CommittedOffset":
        """Return a commit as the cluster holds it; metadata of others are ignored."""
        try:
            mark, topic_id, at_us = (metadata or "").split("/")
            if mark == _MARK:
                return cls(offset, str(UUID(topic_id)), int(at_us))
        except ValueError:
            pass
        return cls(offset)


@dataclass(frozen=True, slots=True)
class Standing:
    """A partition as its topic holds it now, and what a group has committed of it."""

    topic_id: str
    first: int
    """Offset of the first record that still exists."""
    end: int
    """Offset behind the last record."""
    committed: CommittedOffset | None
    """None if the group has committed nothing, or no longer."""
    out_of_range: bool = False
    """Whether the broker has refused to read at the position."""
