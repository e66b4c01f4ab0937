"""A small sound catalogue on disk, to be broken in one place by each test."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

AGENCY = "agencies/tax/agency.yaml"
FOLDER = "agencies/tax/refund-paid"
CONTRACT = f"{FOLDER}/contract.yaml"
SCHEMA = f"{FOLDER}/v1.0.json"
VALID = f"{FOLDER}/examples/v1/valid/paid.json"
INVALID = f"{FOLDER}/examples/v1/invalid/reference-missing.json"
APPROVED = "agencies/tax/refund-approved"
SERVICE = "services/refund.yaml"

Edit = Callable[[dict[str, Any]], Any]


def write(root: Path, file: str, value: object) -> Path:
    """Write a value as the YAML or JSON document its name says; text and bytes as they are."""
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, bytes):
        path.write_bytes(value)
    elif isinstance(value, str):
        path.write_text(value, encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(value, ensure_ascii=False, indent=2), encoding="utf-8")
    else:
        path.write_text(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def edit(root: Path, file: str, change: Edit) -> None:
    """Change one document; where it is a schema, its hash follows."""
    path = root / file
    value = json.loads(path.read_text()) if path.suffix == ".json" else yaml.safe_load(path.read_text())
    change(value)
    write(root, file, value)
    rehash(root)


def rehash(root: Path) -> None:
    """Make the contract's hashes those of its files, where both stand."""
    contract = yaml.safe_load((root / CONTRACT).read_text())
    rows = contract.get("versions") or []
    for listed in [*rows, *(reference for row in rows for reference in row.get("references", []))]:
        path = root / FOLDER / listed["file"]
        if "sha256" in listed and path.is_file():
            listed["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    write(root, CONTRACT, contract)


def told(description: str, *examples: object) -> dict[str, Any]:
    """What every property says of itself."""
    return {"description": description, "examples": list(examples)}


def schema() -> dict[str, Any]:
    """The schema of the sound catalogue's one event."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "reference": {
                **told("The case.", "REF-000001"),
                "type": "string",
                "minLength": 8,
                "maxLength": 64,
            },
            "payee": {"$ref": "#/$defs/payee"},
            "amounts": {
                "type": "array",
                "description": "What was paid.",
                "items": {
                    "type": "object",
                    "properties": {"cents": {**told("In minor units.", 12), "type": "integer"}},
                },
                "maxItems": 10,
            },
            "paid_on": {**told("Day of payment.", "2026-02-28"), "type": "string", "format": "date"},
        },
        "required": ["reference", "payee"],
        "additionalProperties": False,
        "$defs": {
            "payee": {
                "type": "object",
                "description": "Who was paid.",
                "properties": {"name": {**told("Full name.", "A"), "type": "string", "maxLength": 100}},
                "required": ["name"],
                "additionalProperties": False,
            }
        },
    }


def event() -> dict[str, Any]:
    """An event that keeps the sound catalogue's contract."""
    return {"reference": "REF-000001", "payee": {"name": "Δέσποινα Οικονόμου"}, "paid_on": "2026-02-28"}


def contract() -> dict[str, Any]:
    """The contract of the sound catalogue's one event; its hash is filled in by `rehash`."""
    return {
        "subject": "tax.refund-paid",
        "title": "Refund paid",
        "description": "A refund has left the treasury.",
        "owner": "Refunds Unit",
        "contact": "refunds@tax.example",
        "classification": "personal",
        "personal_fields": {"$.payee.name": "name", "$.amounts[*].cents": "finance"},
        "other_fields": "internal",
        "legal_basis": "Tax Procedure Act, section 5",
        "retention": "P30D",
        "compatibility": "FULL_TRANSITIVE",
        "key": {"kind": "field", "path": "$.reference"},
        "versions": [{"number": "1.0", "file": "v1.0.json", "sha256": "0" * 64}],
    }


def service() -> dict[str, Any]:
    """The service of the sound catalogue: from its second event to its first."""
    return {
        "name": "refund",
        "title": "Tax refund",
        "description": "From the assessment to the money.",
        "category": "submit-income-tax",
        "owner": "tax",
        "start": "tax.refund-approved",
        "milestones": [{"event": "tax.refund-paid", "after": "tax.refund-approved", "deadline": "P10D"}],
        "ends": ["tax.refund-paid"],
        "deadline": "P14D",
        "channels": ["web", "counter"],
    }


def sound(root: Path) -> Path:
    """Write a catalogue in which lint finds nothing."""
    agency = {
        "name": "tax",
        "title": "Tax Administration",
        "level": "national",
        "contact": "desk@tax.example",
    }
    write(root, AGENCY, agency)
    write(root, SCHEMA, schema())
    write(root, CONTRACT, contract())
    rehash(root)
    write(root, VALID, event())
    write(root, INVALID, {"payee": {"name": "A"}})
    shutil.copytree(root / FOLDER, root / APPROVED)
    text = (root / CONTRACT).read_text().replace("refund-paid", "refund-approved")
    write(root, f"{APPROVED}/contract.yaml", text)
    write(root, SERVICE, service())
    return root
