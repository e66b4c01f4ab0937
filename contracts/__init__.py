"""Contracts of events: agencies, the schemas of their events, and the services across agencies.

`Catalog.open()` reads a folder; each version of a contract validates data and lists its violations.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from contracts.catalog import Catalog
from contracts.cluster.copies import copies_for, is_alone
from contracts.cluster.growth import (
    GROWTH,
    LEASE_MS,
    Growth,
    counts_of,
    growths_of,
    paused_growth,
    settled_growth,
    switched_growth,
)
from contracts.cluster.plan import (
    OFFSETS_RETENTION,
    Access,
    ClusterState,
    Copies,
    Plan,
    PlannedChange,
    PlanScope,
    RegistryEntry,
    TopicState,
    compare_states,
)
from contracts.cluster.registry import (
    SigningKey,
    TrustedKeys,
    registry_entries,
    withdrawal,
    write_registry_folder,
)
from contracts.contract import (
    Agency,
    ClusterPolicy,
    Contract,
    ContractVersion,
    KeyRule,
    Milestone,
    Route,
    Service,
    SubscriptionGrant,
)
from contracts.errors import (
    CatalogError,
    ContractError,
    ConversionError,
    PartitionKeyError,
    RegistryKeyError,
    SchemaUnusableError,
    UnknownContractError,
    UnknownVersionError,
)
from contracts.finding import Finding, Place
from contracts.logs import VisibleFilter, visible_logger
from contracts.paths import DataPath
from contracts.schema.references import Subschema
from contracts.validation import Violation
from contracts.visible_text import visible

if TYPE_CHECKING:
    from contracts.documents.document import Document, read_yaml_documents
    from contracts.terminal import say, say_json, visible_console
    from contracts.web.server import serve_web

# The parser of YAML, and what draws on a terminal, load only where they are used: most processes never are.
_LATER = {
    "Document": "contracts.documents.document",
    "read_yaml_documents": "contracts.documents.document",
    "visible_console": "contracts.terminal",
    "say": "contracts.terminal",
    "say_json": "contracts.terminal",
    "serve_web": "contracts.web.server",
}

__all__ = [
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
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
