"""Receipts: metadata of every publish and every delivery, never data. Pure.

Law of this file: measuring, proving and answering the citizen all use the same rows. All times are
integer microseconds since the epoch, UTC, on the broker's clock. One Kafka record of a receipts topic holds
many rows; the columns that a group's rows share are written once.

Wire format: `{"v": 1, "groups": [{"kind": "publish" or "delivery", "common": [...], "rows": [[...]]}]}`,
the columns in the order of the tables below.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter, itemgetter
from typing import Any

import orjson

from bus.outcome import DeliveryOutcome, PublishOutcome
from bus.record import TopicPartition

RECEIPTS_PARTITIONS = 4
"""Partitions of every agency's receipts topic; rows go to the partition of their transaction."""

MOST_BYTES = 524_288
"""Most bytes of a record of receipts that has more than one row: a quarter of what its topic takes. An id may
have 4 KiB, and whoever publishes chooses it."""

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class PublishReceipt:
    """One publish: `published`, or `refused` with its reason (then topic is empty, offset -1).

    A dead letter of a source, which never became an event, leaves one too, with `dead-letter` as outcome and
    its reason: topic, partition and offset are the dead letter's, `<topic>/<partition>/<offset>` is event id,
    and `origin` is where the record is, as `file:line` or `table:position`. `type`, `service` and
    `transaction` are those of the event it should have become. If its transaction is unknown, the event id
    stands in its place, and it belongs to no transaction. An event has no `origin`.
    """

    event_id: str
    source: str
    type: str
    version: str
    agency: str
    service: str | None
    transaction: str
    causation: str | None
    outcome: PublishOutcome
    reason: str | None
    topic: str
    partition: int
    offset: int
    broker_time_us: int
    started_at_us: int
    recorded_us: int
    event_time_us: int
    skew_us: int
    size_bytes: int
    data_hash: str
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """One delivery of one event to one subscription: `ack`, `retry` or `dead-letter`.

    `discarded` is no delivery: an operator discarded the dead letter, at `finished_us`. For a dead letter of
    a source, subscription, source and type are empty.

    `displaced` and `halted` are none either: the subscription's next offset was `offset`, last known at
    `broker_time_us`; at `finished_us` it went on elsewhere, or halted, for `reason`. `attempt` is how many
    offsets are gone unread. `<topic>/<partition>/<offset>` is event id and transaction.

    `resumed`: an operator said at `broker_time_us` that the subscription begins at `offset`, and at
    `finished_us` it did. The transaction is as above, and the event id ends with the time of that word.

    If the record holds no readable event, `<topic>/<partition>/<offset>` is event id and transaction,
    and source, type and version are empty. It belongs to no transaction.
    """

    event_id: str
    source: str
    type: str
    version: str
    agency: str
    subscription: str
    purpose: str
    service: str | None
    transaction: str
    causation: str | None
    outcome: DeliveryOutcome
    reason: str | None
    attempt: int
    topic: str
    partition: int
    offset: int
    broker_time_us: int
    started_at_us: int
    received_us: int
    finished_us: int
    skew_us: int
    size_bytes: int
    data_hash: str


ReceiptRow = PublishReceipt | DeliveryReceipt

PUBLISH_COMMON = ("agency", "source", "type", "version", "topic", "skew_us")
DELIVERY_COMMON = ("agency", "subscription", "purpose", "topic", "partition", "skew_us")


def _columns(row: type[ReceiptRow], common: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row) if field.name not in common)


PUBLISH_ROW = _columns(PublishReceipt, PUBLISH_COMMON)
DELIVERY_ROW = _columns(DeliveryReceipt, DELIVERY_COMMON)

_KINDS: Mapping[str, tuple[type[ReceiptRow], tuple[str, ...], tuple[str, ...]]] = {
    "publish": (PublishReceipt, PUBLISH_COMMON, PUBLISH_ROW),
    "delivery": (DeliveryReceipt, DELIVERY_COMMON, DELIVERY_ROW),
}
_IN_ORDER = {
    row: itemgetter(*((*common, *columns).index(field.name) for field in fields(row)))
    for row, common, columns in _KINDS.values()
}
"""Of the common columns and those of a row, the fields in their order."""


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that share their common columns, in the order of `*_COMMON` and `*_ROW`."""

    kind: str
    common: tuple[Any, ...]
    rows: list[tuple[Any, ...]]


class ReceiptFormatError(ValueError):
    """A record of the receipts topic is not a receipt this version reads."""


def encode_groups(groups: Iterable[Group]) -> bytes:
    """Return the value of one Kafka record that holds `groups`."""
    body = [{"kind": group.kind, "common": group.common, "rows": group.rows} for group in groups]
    return orjson.dumps({"v": FORMAT_VERSION, "groups": body})


def in_records(groups: Sequence[Group]) -> list[tuple[Sequence[Group], bytes]]:
    """Return the values of the Kafka records that hold `groups`, in order, each with its part of them."""
    value, count = encode_groups(groups), sum(len(group.rows) for group in groups)
    if len(value) <= MOST_BYTES or count < 2:
        return [(groups, value)]
    first, second, left = [], [], count // 2
    for kind, common, rows in ((group.kind, group.common, group.rows) for group in groups):
        first.append(Group(kind, common, rows[:left]))
        second.append(Group(kind, common, rows[left:]))
        left = max(0, left - len(rows))
    return [
        record for half in (first, second) for record in in_records([group for group in half if group.rows])
    ]


def encode_receipts(receipts: Iterable[ReceiptRow]) -> bytes:
    """Return the value of one Kafka record that holds `receipts`."""
    groups: dict[tuple[str, tuple[Any, ...]], Group] = {}
    for receipt in receipts:
        kind = "publish" if isinstance(receipt, PublishReceipt) else "delivery"
        _, common, columns = _KINDS[kind]
        shared = attrgetter(*common)(receipt)
        group = groups.setdefault((kind, shared), Group(kind, shared, []))
        group.rows.append(attrgetter(*columns)(receipt))
    return encode_groups(groups.values())


def decode_receipts(value: bytes | None) -> list[ReceiptRow]:
    """Return every receipt in one record of the receipts topic.

    Raises:
        ReceiptFormatError: the value is not a receipt record of format version 1.
    """
    try:
        body = orjson.loads(value or b"")
        if body["v"] != FORMAT_VERSION:
            raise ReceiptFormatError(f"Expected receipt format {FORMAT_VERSION}, got another. Update govbus")
        return [receipt for group in body["groups"] for receipt in _rows(group)]
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, ReceiptFormatError):
            raise
        raise ReceiptFormatError(f"Expected a receipt record, got `{type(error).__name__}`") from None


def _rows(group: Mapping[str, Any]) -> list[ReceiptRow]:
    row, common, columns = _KINDS[group["kind"]]
    shared, in_order = tuple(group["common"]), _IN_ORDER[row]
    if len(shared) != len(common) or any(len(values) != len(columns) for values in group["rows"]):
        raise ValueError
    return [row(*in_order((*shared, *values))) for values in group["rows"]]


def record_name(place: TopicPartition, offset: int, topic_id: str) -> str:
    """Return what stands for the id of an event, and for its transaction, where a record holds none.

    Args:
        place: where the record is.
        offset: its offset.
        topic_id: of its topic: one that was made again has other records at the same offsets.
    """
    return f"{place.topic}/{place.partition}/{offset}/{topic_id}"


def partition_of_transaction(transaction: str, partitions: int = RECEIPTS_PARTITIONS) -> int:
    """Return the receipts partition of a transaction, the same in every agency's topic of receipts.

    So one monitor, which holds one partition number of all of them, sees a transaction whole.
    """
    return zlib.crc32(transaction.encode()) % partitions
