"""How an event travels: publish, subscribe, receipts."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bus.bus import Bus
    from bus.clock_watch import read_broker_offset_us
    from bus.cluster.topics import apply_topics
    from bus.database.encoding import text_fault
    from bus.database.handled_events import HandledEvents
    from bus.database.outbox import Outbox
    from bus.database.outbox_rows import OutboxEvent, outbox_table
    from bus.dead_letters.record import Intended
    from bus.deliver.retry import RetryPolicy
    from bus.draft import Draft, PublishProgress, Receipt
    from bus.embedded.kafka import EmbeddedKafka
    from bus.envelope import agency_of
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
        NotGrantedError,
        NotJsonError,
        OlderVersionError,
        PublishManyError,
        RefusedError,
        TopicLimitError,
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
    from bus.process.overdue import Overdue
    from bus.process.serving import serve
    from bus.publish.transactions import Transaction
    from bus.receipts.receipts import DeliveryReceipt, PublishReceipt, decode_receipts, encode_receipts
    from bus.receipts.soundness import is_sound_receipt
    from bus.reconcile.row_counts import RowCounts, RowFate
    from bus.record import Record, StoredRecord, TopicPartition
    from bus.settings import Settings
    from bus.sync_bus import SyncBus
    from bus.telemetry import trace_headers
    from bus.times.backoff import Backoff
    from bus.times.clock import steady_ns
    from bus.topics import MONITOR_GROUP, RECEIPTS_TOPICS, checkpoints_topic, is_replay, receipts_topic
    from bus.transport import Offsets

# Each loads when it is used: a program, or a command, loads what it needs and not the room.
_HOMES = {
    "MONITOR_GROUP": "bus.topics",
    "RECEIPTS_TOPICS": "bus.topics",
    "AccessDeniedError": "bus.errors",
    "NotGrantedError": "bus.errors",
    "Ack": "bus.outcome",
    "Backoff": "bus.times.backoff",
    "BufferFullError": "bus.errors",
    "Bus": "bus.bus",
    "BusError": "bus.errors",
    "BusUnavailableError": "bus.errors",
    "Check": "bus.process.health",
    "ContractViolationError": "bus.errors",
    "DeadLetter": "bus.outcome",
    "DeliveryOutcome": "bus.outcome",
    "DeliveryReceipt": "bus.receipts.receipts",
    "Draft": "bus.draft",
    "EmbeddedKafka": "bus.embedded.kafka",
    "EnvelopeError": "bus.errors",
    "Event": "bus.event",
    "EventTooLargeError": "bus.errors",
    "FencedError": "bus.errors",
    "HandledEvents": "bus.database.handled_events",
    "HealthReport": "bus.process.health",
    "HealthWatch": "bus.process.health",
    "IdReusedError": "bus.errors",
    "InstanceTakenError": "bus.errors",
    "Intended": "bus.dead_letters.record",
    "NotJsonError": "bus.errors",
    "Offsets": "bus.transport",
    "OlderVersionError": "bus.errors",
    "Outage": "bus.process.outage",
    "Overdue": "bus.process.overdue",
    "Outbox": "bus.database.outbox",
    "OutboxEvent": "bus.database.outbox_rows",
    "Outcome": "bus.outcome",
    "PublishManyError": "bus.errors",
    "PublishOutcome": "bus.outcome",
    "PublishProgress": "bus.draft",
    "PublishReceipt": "bus.receipts.receipts",
    "Reason": "bus.outcome",
    "Receipt": "bus.draft",
    "Record": "bus.record",
    "RefusedError": "bus.errors",
    "Retry": "bus.outcome",
    "RetryPolicy": "bus.deliver.retry",
    "RowCounts": "bus.reconcile.row_counts",
    "RowFate": "bus.reconcile.row_counts",
    "Settings": "bus.settings",
    "StoredRecord": "bus.record",
    "SyncBus": "bus.sync_bus",
    "TopicLimitError": "bus.errors",
    "TopicMissingError": "bus.errors",
    "TopicPartition": "bus.record",
    "Transaction": "bus.publish.transactions",
    "UsageError": "bus.errors",
    "VersionRetiredError": "bus.errors",
    "agency_of": "bus.envelope",
    "apply_topics": "bus.cluster.topics",
    "checkpoints_topic": "bus.topics",
    "decode_receipts": "bus.receipts.receipts",
    "encode_receipts": "bus.receipts.receipts",
    "health_served": "bus.process.health",
    "is_replay": "bus.topics",
    "is_sound_receipt": "bus.receipts.soundness",
    "open_consumer": "bus.kafka.consumer",
    "open_offsets": "bus.kafka.one_off_reads",
    "outbox_table": "bus.database.outbox_rows",
    "read_broker_offset_us": "bus.clock_watch",
    "receipts_topic": "bus.topics",
    "serve": "bus.process.serving",
    "steady_ns": "bus.times.clock",
    "text_fault": "bus.database.encoding",
    "trace_headers": "bus.telemetry",
    "waited_out": "bus.process.outage",
}

__all__ = [
    "MONITOR_GROUP",
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
    "Event",
    "EventTooLargeError",
    "FencedError",
    "HandledEvents",
    "HealthReport",
    "HealthWatch",
    "IdReusedError",
    "InstanceTakenError",
    "Intended",
    "NotGrantedError",
    "NotJsonError",
    "Offsets",
    "OlderVersionError",
    "Outage",
    "Outbox",
    "OutboxEvent",
    "Outcome",
    "Overdue",
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
    "SyncBus",
    "TopicLimitError",
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
    "is_sound_receipt",
    "open_consumer",
    "open_offsets",
    "outbox_table",
    "read_broker_offset_us",
    "receipts_topic",
    "serve",
    "steady_ns",
    "text_fault",
    "trace_headers",
    "waited_out",
]


if not TYPE_CHECKING:  # a type checker knows the names by their imports, and reports others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            globals()[name] = found = getattr(import_module(_HOMES[name]), name)
        except ImportError as error:
            rooms = import_module("bus.rooms")
            if fault := rooms.stranger(rooms.room_files()):
                raise ImportError(fault) from error
            raise
        return found


def __dir__() -> list[str]:
    return __all__
