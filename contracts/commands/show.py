"""`govbus contracts list` and `show`: a catalogue, or one contract, as tables or JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table

from contracts.catalog import Catalog
from contracts.commands.catalog_option import EVENT_NAME, catalog_option
from contracts.commands.options import (
    echo_json,
    failing_plainly,
    json_option,
)
from contracts.commands.tables import print_blocks, table
from contracts.contract import ContractVersion
from contracts.documents.durations import render_duration
from contracts.lint.soundness import open_sound
from contracts.publish.fields import fields_of

_TYPE: Final = re.compile(r".+\.v[0-9]+")
_FIELD_FACTS: Final = ("path", "type", "required", "personal", "description")


@click.command("list")
@catalog_option
@json_option
@failing_plainly
def list_contracts(root: Path, as_json: bool) -> None:
    """List all contracts and services of a catalogue."""
    opened = open_sound(root)
    if as_json:
        echo_json(catalog_json(opened))
    else:
        _print_catalog(opened)


@click.command()
@click.argument("subject", type=EVENT_NAME)
@catalog_option
@json_option
@failing_plainly
def show(subject: str, root: Path, as_json: bool) -> None:
    """Show one contract. SUBJECT is `<agency>.<event>`, optionally followed by `.v<major>`."""
    opened = open_sound(root)
    version = version_of(opened, subject)
    if as_json:
        echo_json(contract_json(opened, version))
    else:
        _print_contract(opened, version)


def version_of(catalog: Catalog, subject: str) -> ContractVersion:
    """The version that `<agency>.<event>` or `<agency>.<event>.v<major>` names: the latest, or of that major.

    Raises:
        UnknownContractError: There is none.
        UnknownVersionError: It has no such major version.
    """
    is_type = subject not in catalog.contracts and _TYPE.fullmatch(subject)
    return catalog.by_type(subject) if is_type else catalog.contract(subject).version()


def catalog_json(catalog: Catalog) -> dict[str, Any]:
    """The contracts and services of a catalogue as JSON."""
    return {
        "contracts": [
            {
                "subject": contract.subject,
                "title": contract.title,
                "versions": [version.number for version in contract.versions],
                "classification": contract.classification,
                "owner": contract.owner,
            }
            for contract in catalog.contracts.values()
        ],
        "services": [
            {
                "name": service.name,
                "title": service.title,
                "category": service.category,
                "owner": service.owner,
                "start": service.start,
                "ends": list(service.ends),
                "deadline_seconds": service.deadline_seconds,
                "channels": list(service.channels),
            }
            for service in catalog.services.values()
        ],
    }


def contract_json(catalog: Catalog, version: ContractVersion) -> dict[str, Any]:
    """One version of a contract, with its fields, as JSON."""
    contract = version.contract
    return {
        "subject": contract.subject,
        "title": contract.title,
        "description": contract.description,
        "agency": contract.agency,
        "owner": contract.owner,
        "contact": contract.contact,
        "version": version.number,
        "versions": [each.number for each in contract.versions],
        "type": version.type,
        "dataschema": version.dataschema,
        "sha256": version.sha256,
        "classification": contract.classification,
        "legal_basis": contract.legal_basis,
        "retention_days": contract.retention_days,
        "compatibility": contract.compatibility,
        "key": contract.key.path,
        "partitions": contract.partitions,
        "max_bytes": contract.max_bytes,
        "services": [
            service.name
            for service in catalog.services.values()
            if contract.subject in {service.start, *(hop.event for hop in service.milestones)}
        ],
        "fields": [{name: getattr(field, name) for name in _FIELD_FACTS} for field in fields_of(version)],
        "schema": dict(version.schema),
    }


def _print_catalog(catalog: Catalog) -> None:
    contracts = table("Contract", "Title", "Versions", "Classification", "Owner")
    for contract in catalog.contracts.values():
        numbers = ", ".join(version.number for version in contract.versions)
        contracts.add_row(contract.subject, contract.title, numbers, contract.classification, contract.owner)
    services = table("Service", "Title", "Start", "Deadline", "Channels")
    for service in catalog.services.values():
        deadline = render_duration(service.deadline_seconds)
        channels = ", ".join(service.channels)
        services.add_row(service.name, service.title, service.start, deadline, channels)
    print_blocks(contracts, *([services] if services.row_count else []))


def _print_contract(catalog: Catalog, version: ContractVersion) -> None:
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in contract_json(catalog, version).items():
        if name not in ("fields", "schema"):
            facts.add_row(name.replace("_", " "), _plain(value))
    fields = table("Field", "Type", "Required", "Personal", "Description")
    for field in fields_of(version):
        required = "yes" if field.required else ""
        fields.add_row(field.path, field.type, required, field.personal or "", field.description)
    print_blocks(facts, fields)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "none" if value is None else f"{value:,.10g}" if isinstance(value, float) else str(value)
