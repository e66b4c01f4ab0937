"""A parked event on the wire: one record of the agency's topic of parked events. Pure.

Wire format: the topic is compacted; its keys are `<subscription>/<topic>/<topic id>/<partition>/<offset>` of
the event where it was published; the latest row of an event is its state, and a null value releases it. Value
and headers are the event's own, except two headers: `govbus-parked-key` is the event's own key,
`govbus-parked` is the rest as JSON.
"""

from dataclasses import dataclass

import orjson

from bus.parking.keys import ParkedEvent
from bus.record import Headers, Record, StoredRecord, TopicPartition

STATE = "govbus-parked"
KEY = "govbus-parked-key"
REDRIVEN = "redriven"
"""Reason of an event that an operator redrove."""


@dataclass(frozen=True, slots=True)
class SubscriptionPartition:
    """One partition of one subscription, whose events are parked together."""

    subscription: str
    partition: TopicPartition

    def row_key(self, topic_id: str, offset: int) -> bytes:
        """Return the key of the row of the event at `offset` of the topic with that id."""
        topic, partition = self.partition
        return f"{self.subscription}/{topic}/{topic_id}/{partition}/{offset}".encode()


@dataclass(frozen=True, slots=True)
class ParkedRow:
    """A record of the topic of parked events."""

    key: bytes
    value: bytes | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row that was read: the parked event, or None if it is parked no more."""

    home: SubscriptionPartition
    topic_id: str
    offset: int
    key: bytes
    writer: str
    event: ParkedEvent | None


def write_row(home: SubscriptionPartition, event: ParkedEvent, record: Record, writer: str) -> ParkedRow:
    """Return the row of a parked event.

    Args:
        home: its subscription and partition.
        event: its state, and the id of its topic.
        record: the event as it was read; the value of a held one is left out, its dead letter has it.
        writer: the writer's id, to recognise its own rows.
    """
    state = {
        "by": writer, "attempts": event.attempts, "first": event.first_us, "due": event.due_us,
        "held": event.held, "reason": event.reason, "timestamp": record.timestamp,
    }  # fmt: skip
    own: list[tuple[str, bytes | None]] = [(STATE, orjson.dumps(state))]
    if record.key is not None:
        own.append((KEY, record.key))
    value = b"" if event.held else record.value or b""
    return ParkedRow(home.row_key(event.topic_id, record.offset), value, [*record.headers, *own])


def erase_row(
    home: SubscriptionPartition, topic_id: str, offset: int, key: bytes | None, writer: str
) -> ParkedRow:
    """Return the row of an event that is parked no more."""
    own: list[tuple[str, bytes | None]] = [(STATE, orjson.dumps({"by": writer}))]
    if key is not None:
        own.append((KEY, key))
    return ParkedRow(home.row_key(topic_id, offset), None, own)


def read_row(row: Record) -> ReadRow | None:
    """Return the content of a row; None if this version cannot read it.

    A parked event's `record` is as it was read from its own topic.
    """
    try:
        subscription, topic, topic_id, partition, offset = (row.key or b"").decode().rsplit("/", 4)
        place = TopicPartition(topic, int(partition))
        # The bus' own come last and begin with the state, whatever a stranger's event calls his.
        start = max(index for index, (name, _) in enumerate(row.headers) if name == STATE)
        named = dict(row.headers[start:])
        state = orjson.loads(named[STATE] or b"")
        key = named.get(KEY)
        shared = b"\0%d" % int(offset) if key is None else key
        home = SubscriptionPartition(subscription, place)
        if row.value is None:
            return ReadRow(home, topic_id, int(offset), shared, str(state["by"]), None)
        headers = tuple(row.headers[:start])
        record = StoredRecord(
            topic, place.partition, int(offset), int(state["timestamp"]), key, row.value, headers
        )
        event = ParkedEvent(
            record.offset, int(state["attempts"]), int(state["first"]), int(state["due"]),
            bool(state["held"]), str(state["reason"]), row.offset, record, topic_id,
        )  # fmt: skip
        return ReadRow(home, topic_id, record.offset, shared, str(state["by"]), event)
    except (KeyError, TypeError, ValueError):
        return None
