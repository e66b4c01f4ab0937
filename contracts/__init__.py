"""Contracts of events: agencies, the schemas of their events, and the services across agencies.

`Catalog.open()` reads a folder; each version of a contract validates data and lists its violations.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts.addresses import hidden_parts, shown_address
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
        Plan,
        PlannedChange,
        PlanScope,
        compare_states,
    )
    from contracts.cluster.registry import (
        SigningKey,
        TrustedKeys,
        registered_parts,
        registered_policy,
        registry_entries,
        withdrawal,
        write_registry_folder,
    )
    from contracts.cluster.state import (
        Access,
        AppliedCatalog,
        CatalogParts,
        ClusterState,
        Copies,
        RegistryEntry,
        TopicState,
    )
    from contracts.commands.catalog_option import (
        AGENCY_NAME,
        EVENT_NAME,
        catalog_option,
        logged_catalog_option,
        said_catalog,
        unopened_catalog_option,
    )
    from contracts.commands.options import FINDINGS, LazyGroup
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
    from contracts.documents.document import Document, read_yaml_documents
    from contracts.environment import FILE_SUFFIX, Environment
    from contracts.errors import (
        CatalogError,
        ContractError,
        ConversionError,
        NoCatalogError,
        PartitionKeyError,
        RegistryKeyError,
        SchemaUnusableError,
        UnknownContractError,
        UnknownVersionError,
    )
    from contracts.finding import Finding, Place
    from contracts.json_schemas import DIALECT, DocumentedSchema, catalog_schemas
    from contracts.logs import VisibleFilter, visible_logger
    from contracts.masking import Mask
    from contracts.names import meant, quotable
    from contracts.paths import DataPath, parse_path, render_path
    from contracts.processes import collect_rarely
    from contracts.project import (
        REFERENCE,
        Layer,
        catalog_folder,
        env_file,
        env_file_variables,
        project_layers,
        shown_folder,
        variables,
    )
    from contracts.publish.exports.asyncapi import asyncapi
    from contracts.schema.event_json import AmbiguousJsonError, read_event_json
    from contracts.schema.references import Subschema
    from contracts.terminal import is_read, say, say_json, visible_console
    from contracts.validation import Violation
    from contracts.versions.converters import (
        CONVERSION_OPTIONS,
        CONVERTERS,
        ConversionOptionError,
        ConversionOptions,
        read_options,
        read_time,
        zone_named,
    )
    from contracts.versions.numbers import ValueConversionError, plain_value
    from contracts.visible_text import visible, visible_json
    from contracts.web.listening import listening_options
    from contracts.web.server import serve_web

# Each loads when it is used: a program, or a command, loads what it needs and not the room.
_HOMES = {
    "Access": "contracts.cluster.state",
    "Agency": "contracts.contract",
    "AGENCY_NAME": "contracts.commands.catalog_option",
    "AmbiguousJsonError": "contracts.schema.event_json",
    "AppliedCatalog": "contracts.cluster.state",
    "CONVERSION_OPTIONS": "contracts.versions.converters",
    "CONVERTERS": "contracts.versions.converters",
    "Catalog": "contracts.catalog",
    "CatalogError": "contracts.errors",
    "CatalogParts": "contracts.cluster.state",
    "ClusterPolicy": "contracts.contract",
    "ClusterState": "contracts.cluster.state",
    "Contract": "contracts.contract",
    "ContractError": "contracts.errors",
    "ContractVersion": "contracts.contract",
    "ConversionError": "contracts.errors",
    "ConversionOptionError": "contracts.versions.converters",
    "ConversionOptions": "contracts.versions.converters",
    "Copies": "contracts.cluster.state",
    "DIALECT": "contracts.json_schemas",
    "DataPath": "contracts.paths",
    "Document": "contracts.documents.document",
    "Environment": "contracts.environment",
    "FILE_SUFFIX": "contracts.environment",
    "DocumentedSchema": "contracts.json_schemas",
    "EVENT_NAME": "contracts.commands.catalog_option",
    "FINDINGS": "contracts.commands.options",
    "Finding": "contracts.finding",
    "GROWTH": "contracts.cluster.growth",
    "Growth": "contracts.cluster.growth",
    "KeyRule": "contracts.contract",
    "LEASE_MS": "contracts.cluster.growth",
    "Layer": "contracts.project",
    "LazyGroup": "contracts.commands.options",
    "Mask": "contracts.masking",
    "Milestone": "contracts.contract",
    "NoCatalogError": "contracts.errors",
    "OFFSETS_RETENTION": "contracts.cluster.plan",
    "PartitionKeyError": "contracts.errors",
    "Place": "contracts.finding",
    "Plan": "contracts.cluster.plan",
    "PlanScope": "contracts.cluster.plan",
    "PlannedChange": "contracts.cluster.plan",
    "REFERENCE": "contracts.project",
    "RegistryEntry": "contracts.cluster.state",
    "RegistryKeyError": "contracts.errors",
    "Route": "contracts.contract",
    "SchemaUnusableError": "contracts.errors",
    "Service": "contracts.contract",
    "SigningKey": "contracts.cluster.registry",
    "Subschema": "contracts.schema.references",
    "SubscriptionGrant": "contracts.contract",
    "TopicState": "contracts.cluster.state",
    "TrustedKeys": "contracts.cluster.registry",
    "UnknownContractError": "contracts.errors",
    "UnknownVersionError": "contracts.errors",
    "ValueConversionError": "contracts.versions.numbers",
    "Violation": "contracts.validation",
    "VisibleFilter": "contracts.logs",
    "asyncapi": "contracts.publish.exports.asyncapi",
    "catalog_folder": "contracts.project",
    "catalog_option": "contracts.commands.catalog_option",
    "catalog_schemas": "contracts.json_schemas",
    "collect_rarely": "contracts.processes",
    "compare_states": "contracts.cluster.plan",
    "copies_for": "contracts.cluster.copies",
    "counts_of": "contracts.cluster.growth",
    "env_file": "contracts.project",
    "env_file_variables": "contracts.project",
    "growths_of": "contracts.cluster.growth",
    "hidden_parts": "contracts.addresses",
    "is_alone": "contracts.cluster.copies",
    "is_read": "contracts.terminal",
    "listening_options": "contracts.web.listening",
    "logged_catalog_option": "contracts.commands.catalog_option",
    "meant": "contracts.names",
    "parse_path": "contracts.paths",
    "paused_growth": "contracts.cluster.growth",
    "plain_value": "contracts.versions.numbers",
    "project_layers": "contracts.project",
    "quotable": "contracts.names",
    "read_event_json": "contracts.schema.event_json",
    "read_options": "contracts.versions.converters",
    "read_time": "contracts.versions.converters",
    "read_yaml_documents": "contracts.documents.document",
    "registered_parts": "contracts.cluster.registry",
    "registered_policy": "contracts.cluster.registry",
    "registry_entries": "contracts.cluster.registry",
    "said_catalog": "contracts.commands.catalog_option",
    "render_path": "contracts.paths",
    "say": "contracts.terminal",
    "say_json": "contracts.terminal",
    "serve_web": "contracts.web.server",
    "settled_growth": "contracts.cluster.growth",
    "shown_address": "contracts.addresses",
    "shown_folder": "contracts.project",
    "switched_growth": "contracts.cluster.growth",
    "unopened_catalog_option": "contracts.commands.catalog_option",
    "variables": "contracts.project",
    "visible": "contracts.visible_text",
    "visible_console": "contracts.terminal",
    "visible_json": "contracts.visible_text",
    "visible_logger": "contracts.logs",
    "withdrawal": "contracts.cluster.registry",
    "write_registry_folder": "contracts.cluster.registry",
    "zone_named": "contracts.versions.converters",
}

__all__ = [
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
]


if not TYPE_CHECKING:  # a type checker knows the names by their imports, and reports others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_HOMES[name]), name)
        return found


def __dir__() -> list[str]:
    return __all__
