"""A catalogue for readers: tables for the terminal, and the same as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from contracts.catalog import Catalog
from contracts.contract import Contract, ContractVersion
from contracts.documents.durations import render_duration
from contracts.paths import EVERY, Step, parse_path, render_path
from contracts.schema.walk import Spot, is_required, root_spot, spots_at, types_of

_DAY: Final = 86_400
_DEEPEST: Final = 6
_MOST_FIELDS: Final = 500
_WIDE: Final = 160


def print_catalog(catalog: Catalog) -> None:
    """Print the contracts and the services of a catalogue as two tables."""
    table = _table("Contract", "Title", "Versions", "Classification", "Owner")
    for contract in catalog.contracts.values():
        numbers = ", ".join(version.number for version in contract.versions)
        _row(table, contract.subject, contract.title, numbers, contract.classification, contract.owner)
    services = _table("Service", "Title", "Start", "Deadline", "Channels")
    for service in catalog.services.values():
        deadline = render_duration(service.deadline_seconds)
        channels = ", ".join(service.channels)
        _row(services, service.name, service.title, service.start, deadline, channels)
    console = _console()
    console.print(table)
    if services.row_count:
        console.print()
        console.print(services)


def print_contract(catalog: Catalog, version: ContractVersion) -> None:
    """Print one version of a contract: its promises, then its fields."""
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in contract_json(catalog, version).items():
        if name not in ("fields", "schema"):
            _row(facts, name.replace("_", " "), _plain(value))
    fields = _table("Field", "Type", "Required", "Personal", "Description")
    for field in _fields(version):
        required = "yes" if field["required"] else ""
        _row(fields, field["path"], field["type"], required, field["personal"] or "", field["description"])
    console = _console()
    console.print(facts)
    console.print()
    console.print(fields)


def catalog_json(catalog: Catalog) -> dict[str, Any]:
    """The contracts and the services of a catalogue, for another program."""
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
    """One version of a contract with its promises and its fields, for another program."""
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
        "services": list(_services(catalog, contract)),
        "fields": list(_fields(version)),
        "schema": dict(version.schema),
    }


def _services(catalog: Catalog, contract: Contract) -> Iterator[str]:
    for service in catalog.services.values():
        if contract.subject in {service.start, *(milestone.event for milestone in service.milestones)}:
            yield service.name


def _fields(version: ContractVersion) -> Iterator[dict[str, Any]]:
    root = root_spot(version.schema, version.references)
    personal = {parse_path(path): category for path, category in version.contract.personal_fields.items()}
    rest: list[tuple[Step, ...]] = [()]
    for _ in range(_MOST_FIELDS):
        if not rest:
            return
        steps = rest.pop()
        spots = spots_at(root, steps)
        if steps:
            yield _field(root, steps, spots, personal)
        if len(steps) < _DEEPEST:
            rest.extend((*steps, name) for name in reversed(list(_names_below(root, steps))))


def _field(
    root: Spot, steps: tuple[Step, ...], spots: list[Spot], personal: Mapping[tuple[Step, ...], str]
) -> dict[str, Any]:
    categories = [personal[steps[:length]] for length in range(len(steps) + 1) if steps[:length] in personal]
    descriptions = [text for spot in spots if isinstance(text := spot.schema.get("description"), str)]
    return {
        "path": render_path(steps),
        "type": " or ".join(sorted(types_of(spots))) or "any",
        "required": is_required(root, steps),
        "personal": categories[0] if categories else None,
        "description": descriptions[0] if descriptions else "",
    }


def _names_below(root: Spot, steps: tuple[Step, ...]) -> Iterator[Step]:
    names: dict[Step, None] = {}
    for spot in spots_at(root, steps):
        names |= dict.fromkeys(spot.schema.get("properties", {}))
        if "items" in spot.schema or "prefixItems" in spot.schema:
            names[EVERY] = None
    yield from names


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(cell) for cell in cells))


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "none" if value is None else f"{value:,.10g}" if isinstance(value, float) else str(value)


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)
