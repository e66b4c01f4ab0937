"""How an event travels: publish, subscribe, receipts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bus.bus import Bus
from bus.cluster.topics import apply_topics
from bus.dead_letters.record import Intended
from bus.deliver.retry import RetryPolicy
from bus.draft import Draft, PublishProgress, Receipt
from bus.envelope import agency_of
from bus.environment import Environment
from bus.errors import (
    AccessDeniedError,
    BufferFullError,
    BusError,
    BusUnavailableError,
    ContractViolationError,
    EnvelopeError,
    EventTooLargeError,
    FencedError,
    IdReusedError,
    InstanceTakenError,
    NotJsonError,
    OlderVersionError,
    PublishManyError,
    RefusedError,
    TopicMissingError,
    UsageError,
    VersionRetiredError,
)
from bus.event import Event
from bus.kafka.consumer import open_consumer
from bus.kafka.one_off_reads import open_offsets
from bus.outcome import Ack, DeadLetter, DeliveryOutcome, Outcome, PublishOutcome, Reason, Retry
from bus.process.health import Check, HealthReport, HealthWatch, health_served
from bus.process.outage import Outage, waited_out
from bus.process.serving import serve
from bus.publish.transactions import Transaction
from bus.receipts.receipts import DeliveryReceipt, PublishReceipt, decode_receipts, encode_receipts
from bus.reconcile.row_counts import RowCounts, RowFate
from bus.record import Record, StoredRecord, TopicPartition
from bus.settings import Settings
from bus.times.backoff import Backoff
from bus.topics import RECEIPTS_TOPICS, checkpoints_topic, is_replay, receipts_topic
from bus.transport import Offsets

if TYPE_CHECKING:
    from bus.database.handled_events import HandledEvents
    from bus.database.outbox import Outbox
    from bus.database.outbox_rows import OutboxEvent, outbox_table
    from bus.embedded.kafka import EmbeddedKafka

# SQLAlchemy and the embedded Kafka are slow to load; they load when one of these names is used.
_LATER = {
    "EmbeddedKafka": "bus.embedded.kafka",
    "HandledEvents": "bus.database.handled_events",
    "Outbox": "bus.database.outbox",
    "OutboxEvent": "bus.database.outbox_rows",
    "outbox_table": "bus.database.outbox_rows",
}

__all__ = [
    "RECEIPTS_TOPICS",
    "AccessDeniedError",
    "Ack",
    "Backoff",
    "BufferFullError",
    "Bus",
    "BusError",
    "BusUnavailableError",
    "Check",
    "ContractViolationError",
    "DeadLetter",
    "DeliveryOutcome",
    "DeliveryReceipt",
    "Draft",
    "EmbeddedKafka",
    "EnvelopeError",
    "Environment",
    "Event",
    "EventTooLargeError",
    "FencedError",
    "HandledEvents",
    "HealthReport",
    "HealthWatch",
    "IdReusedError",
    "InstanceTakenError",
    "Intended",
    "NotJsonError",
    "Offsets",
    "OlderVersionError",
    "Outage",
    "Outbox",
    "OutboxEvent",
    "Outcome",
    "PublishManyError",
    "PublishOutcome",
    "PublishProgress",
    "PublishReceipt",
    "Reason",
    "Receipt",
    "Record",
    "RefusedError",
    "Retry",
    "RetryPolicy",
    "RowCounts",
    "RowFate",
    "Settings",
    "StoredRecord",
    "TopicMissingError",
    "TopicPartition",
    "Transaction",
    "UsageError",
    "VersionRetiredError",
    "agency_of",
    "apply_topics",
    "checkpoints_topic",
    "decode_receipts",
    "encode_receipts",
    "health_served",
    "is_replay",
    "open_consumer",
    "open_offsets",
    "outbox_table",
    "receipts_topic",
    "serve",
    "waited_out",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
