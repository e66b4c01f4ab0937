"""The content of a catalogue folder: each value with its documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from contracts.contract import (
    DEFAULT_POLICY,
    Agency,
    ClusterPolicy,
    Contract,
    ContractVersion,
    Service,
    SubscriptionGrant,
)
from contracts.documents.document import Document
from contracts.documents.shapes import ContractShape, VersionShape
from contracts.errors import SchemaUnusableError
from contracts.finding import Finding
from contracts.schema.references import Resolver, root_of
from contracts.schema.walk import Placed, subschemas


@dataclass(frozen=True)
class LoadedVersion:
    """One version with its documents; `row` is its index in `contract.yaml`."""

    version: ContractVersion
    row: int
    shape: VersionShape
    document: Document
    references: tuple[Document, ...]

    @property
    def documents(self) -> tuple[Document, ...]:
        """The document of the schema, and those it refers to."""
        return self.document, *self.references

    @cached_property
    def is_usable(self) -> bool:
        """Whether the schema compiles."""
        try:
            self.version.compile()
        except SchemaUnusableError:
            return False
        return True

    @cached_property
    def schemas(self) -> Mapping[str, tuple[Placed, ...]]:
        """By file, every schema inside a document with its steps, parents first."""
        return {document.file: tuple(subschemas(document.value)) for document in self.documents}

    @cached_property
    def resolver(self) -> Resolver:
        """Resolves the references of all its documents.

        Raises:
            SchemaUnusableError: The dialect is unknown.
        """
        known = self.version.references
        unnamed = {
            f"urn:govbus:unnamed:{index}": document.value
            for index, document in enumerate(self.references)
            if not any(document.value is each for each in known.values())
        }
        return root_of(self.version.schema, {**known, **unnamed}).resolver


@dataclass(frozen=True)
class LoadedContract:
    """One contract with its documents; `folder` is the path from the catalogue's root."""

    contract: Contract
    shape: ContractShape
    document: Document
    folder: str
    versions: tuple[LoadedVersion, ...]


@dataclass(frozen=True)
class LoadedService:
    """One service with its document."""

    service: Service
    document: Document


@dataclass(frozen=True)
class LoadedSubscription:
    """One subscription with its document."""

    subscription: SubscriptionGrant
    document: Document


@dataclass
class Loaded:
    """The readable content of a catalogue folder, and findings for the rest.

    Attributes:
        subjects: Subjects of all event folders, including those whose contract cannot be read.
        agency_names: Names of all agency folders, including those whose `agency.yaml` cannot be read.
    """

    root: Path
    agencies: dict[str, Agency] = field(default_factory=dict)
    contracts: dict[str, LoadedContract] = field(default_factory=dict)
    services: dict[str, LoadedService] = field(default_factory=dict)
    subscriptions: dict[tuple[str, str], LoadedSubscription] = field(default_factory=dict)
    cluster: ClusterPolicy = DEFAULT_POLICY
    subjects: set[str] = field(default_factory=set)
    agency_names: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
