"""What the four roots offer: exactly this, sorted, there and documented."""

import ast
import importlib
import inspect
import subprocess
import sys

import pytest

from tests.architecture.project import ROOMS, modules

# A name that comes or goes is a change for somebody outside: change it here and in the changelog.
PINNED: dict[str, list[str]] = {
    "bus": [
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
    ],
    "connectors": [
        "Applied",
        "Batch",
        "BlockedError",
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
        "AGENCY_NAME",
        "CONVERSION_OPTIONS",
        "CONVERTERS",
        "DIALECT",
        "EVENT_NAME",
        "FILE_SUFFIX",
        "FINDINGS",
        "GROWTH",
        "LEASE_MS",
        "OFFSETS_RETENTION",
        "REFERENCE",
        "Access",
        "Agency",
        "AmbiguousJsonError",
        "AppliedCatalog",
        "Catalog",
        "CatalogError",
        "CatalogParts",
        "ClusterPolicy",
        "ClusterState",
        "Contract",
        "ContractError",
        "ContractVersion",
        "ConversionError",
        "ConversionOptionError",
        "ConversionOptions",
        "Copies",
        "DataPath",
        "Document",
        "DocumentedSchema",
        "Environment",
        "Finding",
        "GrantedFields",
        "Growth",
        "KeyRule",
        "Layer",
        "LazyGroup",
        "Mask",
        "Milestone",
        "NoCatalogError",
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
        "ValueConversionError",
        "Violation",
        "VisibleFilter",
        "asyncapi",
        "catalog_folder",
        "catalog_option",
        "catalog_schemas",
        "collect_rarely",
        "compare_states",
        "copies_for",
        "counts_of",
        "env_file",
        "env_file_variables",
        "growths_of",
        "hidden_parts",
        "is_alone",
        "is_name",
        "is_read",
        "listening_options",
        "logged_catalog_option",
        "meant",
        "parse_path",
        "paused_growth",
        "plain_value",
        "project_layers",
        "quotable",
        "read_event_json",
        "read_options",
        "read_time",
        "read_yaml_documents",
        "registered_parts",
        "registered_policy",
        "registry_entries",
        "render_path",
        "said_catalog",
        "say",
        "say_json",
        "serve_web",
        "settled_growth",
        "shown_address",
        "shown_folder",
        "switched_growth",
        "unopened_catalog_option",
        "variables",
        "visible",
        "visible_console",
        "visible_json",
        "visible_logger",
        "withdrawal",
        "write_registry_folder",
        "zone_named",
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


SLOW = {"aiohttp", "aiokafka", "faststream", "jinja2", "sqlalchemy", "starlette", "uvicorn"}


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


@pytest.mark.parametrize("room", ROOMS)
def test_a_root_says_the_same_to_python_and_to_a_type_checker(room: str) -> None:
    """Each name loads from the module that the import for type checkers names."""
    tree = next(each for each in modules(room) if each.name == room).tree
    checked = {
        name.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert checked == importlib.import_module(room)._HOMES


@pytest.mark.parametrize("room", ROOMS)
def test_a_root_loads_a_name_when_it_is_used(room: str) -> None:
    """A program pays for what it uses: importing the root alone loads no module of the room."""
    code = f"import sys, {room}; print(*(name for name in sys.modules if name.startswith('{room}.')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b""


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [
        (["--help"], {"contracts.catalog", "connectors", "observability", "orjson", "pydantic"}),
        (["contracts", "--help"], {"contracts.catalog", "orjson", "pydantic", "yaml"}),
        (["contracts", "lint", "--catalog", "reference"], {"bus.bus", "bus.settings", "opentelemetry"}),
        (["connect", "--help"], {"connectors.runner", "cryptography"}),
        (["up", "--help"], {"bus.bus", "bus.embedded.kafka"}),
    ],
)
def test_a_command_loads_what_it_uses(command: list[str], unneeded: set[str]) -> None:
    """A client of Kafka, a database and a web server least of all: they take longer to load than to ask."""
    code = (
        f"import sys; sys.argv[1:] = {command!r}; from bus.cli import run\n"
        "code = run(sys.argv[1:]); print(code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code, *loaded = done.stderr.split()
    assert (code, (SLOW | unneeded) & set(loaded)) == ("0", set())
