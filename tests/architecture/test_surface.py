"""What the four roots offer: exactly this, sorted, there and documented."""

import importlib
import inspect
import subprocess
import sys

import pytest

from tests.architecture.project import ROOMS

# A name that comes or goes is a change for somebody outside: change it here and in the changelog.
PINNED: dict[str, list[str]] = {
    "bus": [
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
    ],
    "connectors": [
        "Applied",
        "Batch",
        "CheckpointReader",
        "ConfigurationError",
        "ConnectorConfig",
        "ConnectorError",
        "EndOfSourceError",
        "EventRecord",
        "Health",
        "MalformedRecord",
        "NotConnectedError",
        "RecordRejectedError",
        "Runner",
        "Sink",
        "SinkConfig",
        "SinkRecord",
        "Source",
        "SourceConfig",
        "SourceRecord",
        "Translated",
        "TryAgainError",
        "load",
    ],
    "contracts": [
        "GROWTH",
        "LEASE_MS",
        "OFFSETS_RETENTION",
        "Access",
        "Agency",
        "Catalog",
        "CatalogError",
        "ClusterPolicy",
        "ClusterState",
        "Contract",
        "ContractError",
        "ContractVersion",
        "ConversionError",
        "Copies",
        "DataPath",
        "Document",
        "Finding",
        "Growth",
        "KeyRule",
        "Milestone",
        "PartitionKeyError",
        "Place",
        "Plan",
        "PlanScope",
        "PlannedChange",
        "RegistryEntry",
        "RegistryKeyError",
        "Route",
        "SchemaUnusableError",
        "Service",
        "SigningKey",
        "Subschema",
        "SubscriptionGrant",
        "TopicState",
        "TrustedKeys",
        "UnknownContractError",
        "UnknownVersionError",
        "Violation",
        "VisibleFilter",
        "compare_states",
        "copies_for",
        "counts_of",
        "growths_of",
        "is_alone",
        "paused_growth",
        "read_yaml_documents",
        "registry_entries",
        "say",
        "say_json",
        "serve_web",
        "settled_growth",
        "switched_growth",
        "visible",
        "visible_console",
        "visible_logger",
        "withdrawal",
        "write_registry_folder",
    ],
    "observability": [
        "AgencyView",
        "BreakdownView",
        "DeadLetterView",
        "Monitor",
        "ObservabilityError",
        "ServiceView",
        "Store",
        "StoreError",
        "SummaryView",
        "TelemetryError",
        "TransactionView",
    ],
}


@pytest.mark.parametrize("room", ROOMS)
def test_a_root_offers_what_is_pinned(room: str) -> None:
    """Nothing is offered or withdrawn by accident."""
    assert PINNED[room] == importlib.import_module(room).__all__


@pytest.mark.parametrize("room", ROOMS)
def test_offered_names_are_sorted_and_there(room: str) -> None:
    """Constants, then classes, then functions, each alphabetically; each can be imported."""
    root = importlib.import_module(room)
    names = list(root.__all__)
    assert names == sorted(set(names), key=_place)
    assert [name for name in names if not hasattr(root, name)] == []


@pytest.mark.parametrize("room", ROOMS)
def test_offered_names_are_documented(room: str) -> None:
    """Every class and function says what it is, in words of its own."""
    root = importlib.import_module(room)
    offered = {name: getattr(root, name) for name in root.__all__}
    mute = [
        name
        for name, value in offered.items()
        if (inspect.isclass(value) or inspect.isroutine(value))
        and not vars(value).get("__doc__", value.__doc__)
    ]
    assert mute == []


def _place(name: str) -> tuple[int, str]:
    kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("room", ["bus", "contracts"])
def test_a_root_loads_no_slow_library(room: str) -> None:
    """What few processes use is loaded where it is used: each takes longer to load than the room."""
    slow = {"contracts.patterns", "jsonschema", "jsonschema_specifications", "sqlalchemy", "yaml"}
    code = f"import sys, {room}; print(*sorted({slow!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b""
