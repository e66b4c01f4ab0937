"""A folder of agencies, contracts and services, opened once and read by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from contracts import names
from contracts.contract import (
    DEFAULT_POLICY,
    Agency,
    ClusterPolicy,
    Contract,
    ContractVersion,
    Service,
    Subscriptions,
)
from contracts.errors import CatalogError, UnknownContractError, UnknownVersionError
from contracts.project import catalog_folder

if TYPE_CHECKING:
    from contracts.documents.loaded import Loaded


@dataclass(frozen=True)
class Catalog:
    """The agencies, contracts and services of one folder, unchangeable.

    Attributes:
        agencies: By name.
        contracts: By subject, `<agency>.<event>`.
        services: By name.
        subscriptions: By consumer and name.
        cluster: What holds for the whole cluster.
    """

    agencies: Mapping[str, Agency]
    contracts: Mapping[str, Contract]
    services: Mapping[str, Service]
    subscriptions: Subscriptions = field(default_factory=dict)
    cluster: ClusterPolicy = DEFAULT_POLICY

    @classmethod
    def open(cls, path: str | Path | None = None) -> Catalog:
        """Read a catalogue. Each schema is compiled at its first use.

        Args:
            path: Its folder, or `reference` for the one that comes with govbus; without it the one of
                `GOVBUS_CATALOG`, else of the project around the working directory.

        Raises:
            CatalogError: The folder is not a sound catalogue; contains all findings.
            NoCatalogError: None is named, and there is no project.
            ProjectError: The project file cannot be read.
        """
        from contracts.documents.loading import load  # noqa: PLC0415 - its parsers take most of this room's start

        loaded = load(catalog_folder(path))
        if loaded.findings:
            raise CatalogError(sorted(loaded.findings))
        return cls.of(loaded)

    @classmethod
    def of(cls, loaded: Loaded) -> Catalog:
        """The catalogue of the readable documents of a folder."""
        return cls(
            agencies=MappingProxyType(loaded.agencies),
            contracts=MappingProxyType({name: entry.contract for name, entry in loaded.contracts.items()}),
            services=MappingProxyType({name: entry.service for name, entry in loaded.services.items()}),
            subscriptions=MappingProxyType(
                {key: entry.subscription for key, entry in loaded.subscriptions.items()}
            ),
            cluster=loaded.cluster,
        )

    def contract(self, subject: str) -> Contract:
        """The contract of a subject.

        Raises:
            UnknownContractError: There is none; the message suggests a similar name.
        """
        try:
            return self.contracts[subject]
        except KeyError:
            raise UnknownContractError(subject, self.contracts) from None

    def by_type(self, type: str) -> ContractVersion:  # noqa: A002 - the CloudEvents attribute is called so
        """The latest minor version of a type or topic, `<subject>.v<major>`.

        Raises:
            UnknownContractError: No contract has that subject.
            UnknownVersionError: The contract has no such major version.
        """
        if version := self._types.get(type):
            return version
        subject, _, major = type.rpartition(".v")
        contract = self.contract(subject or type)
        raise UnknownVersionError(
            contract.subject, f"v{major}", [version.number for version in contract.versions]
        )

    def by_dataschema(self, uri: str) -> ContractVersion:
        """The version with this `dataschema`.

        Raises:
            UnknownContractError: No contract has that subject.
            UnknownVersionError: The contract has no such version.
        """
        if version := self._dataschemas.get(uri):
            return version
        subject, _, number = uri.removeprefix(names.data_schema("", "").rstrip(":") + ":").rpartition(":")
        contract = self.contract(subject or uri)
        raise UnknownVersionError(contract.subject, number, [version.number for version in contract.versions])

    @cached_property
    def _types(self) -> Mapping[str, ContractVersion]:
        return {
            version.type: version for contract in self.contracts.values() for version in contract.versions
        }

    @cached_property
    def _dataschemas(self) -> Mapping[str, ContractVersion]:
        return {
            version.dataschema: version
            for contract in self.contracts.values()
            for version in contract.versions
        }
