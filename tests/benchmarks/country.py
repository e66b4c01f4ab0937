"""A catalogue of two contracts, made for one race; its names are its own, and so are its topics."""

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import yaml

from contracts import Catalog, Contract

DOCUMENTS = {200: 0, 1024: 3, 10_240: 24}
"""How many documents come with an application of each size; text fills what is left."""

PARTITIONS = 3

TEXT = "The applicant asks for leave to extend the house by one storey and encloses what the office needs. "


class Country:
    """Two agencies: one files applications, the other reads and answers them.

    Args:
        folder: where the catalogue lies, or will.
        mark: part of every name.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder = folder
        self.mark = mark
        self.writer, self.reader = f"filing-{mark}", f"reading-{mark}"
        self.subject = f"{self.writer}.application-filed"
        self.answer = f"{self.reader}.application-answered"
        self.topic, self.answer_topic = f"{self.subject}.v1", f"{self.answer}.v1"
        self.receipts_topic = f"{self.reader}.receipts"

    def write(self, partitions: int = PARTITIONS) -> Catalog:
        """Make the catalogue.

        Args:
            partitions: of each topic of events.
        """
        for agency in (self.writer, self.reader):
            _write(self.folder / "agencies" / agency / "agency.yaml", _agency(agency))
        for subject in (self.subject, self.answer):
            place = self.folder / "agencies" / Path(*subject.split("."))
            place.mkdir(parents=True)
            file = place / "v1.0.json"
            file.write_text(json.dumps(schema()))
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            _write(place / "contract.yaml", _contract(subject, file.name, digest, partitions))
        grants = self.folder / "agencies" / self.reader / "subscriptions"
        _write(grants / f"{self.subject}.yaml", _grant(self.subject))
        (self.folder / "services").mkdir()
        return self.catalog()

    def catalog(self) -> Catalog:
        """Open the catalogue."""
        return Catalog.open(self.folder)

    def contract(self) -> Contract:
        """Return the contract of what is filed."""
        return self.catalog().contract(self.subject)


def reference(number: int) -> str:
    """Return the reference of a case, its partition key."""
    return f"case-{number:010d}"


def number_of(case: str) -> int:
    """Return the number in a reference."""
    return int(case[5:])


def applications(size_bytes: int, count: int, first: int = 0, keys: int = 0) -> Iterator[dict[str, Any]]:
    """Yield data that keeps the contract and is `size_bytes` long as JSON.

    Args:
        size_bytes: 170 at least.
        count: how many.
        first: the number of the first case.
        keys: how many cases there are, drawn at random and the same each time; no case comes twice if 0.
    """
    base = _application(_documents(size_bytes))
    missing = size_bytes - len(orjson.dumps(base))
    base["remarks"] = (TEXT * (missing // len(TEXT) + 1))[:missing]
    chance = random.Random(keys)
    for number in range(first, first + count):
        yield {**base, "reference": reference(chance.randrange(keys) if keys else number)}


def _documents(size_bytes: int) -> int:
    return max((count for size, count in DOCUMENTS.items() if size <= size_bytes), default=0)


def _application(documents: int) -> dict[str, Any]:
    small: dict[str, Any] = {
        "reference": reference(0), "kind": "permit", "filed_on": "2026-01-31", "channel": "web",
        "urgent": False, "fee_cents": 12550, "applicant": {"role": "owner", "language": "en"},
        "documents": [], "remarks": "",
    }  # fmt: skip
    if not documents:
        return small
    applicant = {**small["applicant"], "organisation": "Harbour Cooperative", "reachable_by": ["post", "web"]}
    listed = [
        {"name": f"document-{n:03d}.pdf", "pages": n + 1, "kind": "drawing", "sealed": n % 2 == 0}
        for n in range(documents)
    ]
    later = {"office": "north-harbour", "currency": "EUR", "previous": reference(1), "parcels": [17, 18, 240]}
    return {**small, **later, "applicant": applicant, "documents": listed}


def schema() -> dict[str, Any]:
    """Return the JSON Schema: a dozen properties, an object in it, an array of objects."""
    case = {"type": "string", "pattern": "^[A-Za-z0-9-]+$", "minLength": 8, "maxLength": 64}
    properties = {
        "reference": case,
        "kind": {"enum": ["permit", "licence", "notice"]},
        "filed_on": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
        "channel": {"enum": ["web", "post", "counter"]},
        "urgent": {"type": "boolean"},
        "fee_cents": {"type": "integer", "minimum": 0},
        "applicant": _object({
            "role": {"enum": ["owner", "tenant", "agent"]},
            "language": {"type": "string", "minLength": 2, "maxLength": 8},
            "organisation": {"type": "string", "maxLength": 200},
            "reachable_by": {"type": "array", "items": {"enum": ["post", "web", "telephone"]}},
        }, ["role", "language"]),
        "documents": {"type": "array", "items": _object({
            "name": {"type": "string", "minLength": 1, "maxLength": 100},
            "pages": {"type": "integer", "minimum": 1},
            "kind": {"enum": ["drawing", "form", "proof"]},
            "sealed": {"type": "boolean"},
        }, ["name", "pages", "kind"])},
        "remarks": {"type": "string", "maxLength": 20_000},
        "office": {"type": "string", "maxLength": 64},
        "currency": {"type": "string", "minLength": 3, "maxLength": 3},
        "previous": case,
        "parcels": {"type": "array", "items": {"type": "integer"}},
    }  # fmt: skip
    required = ["reference", "kind", "filed_on", "channel", "urgent", "fee_cents", "applicant", "documents"]
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "ApplicationFiled"}
    return {**dialect, **_object(properties, required)}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _grant(subject: str) -> dict[str, Any]:
    return {
        "subject": subject, "version": 1, "purpose": "benchmark", "fields": ["$"],
        "approved_by": "An office", "approved_on": "2026-01-01", "expires": "2999-12-31",
    }  # fmt: skip


def _agency(name: str) -> dict[str, Any]:
    return {
        "name": name, "title": name, "description": "An agency of a benchmark.", "level": "national",
        "contact": "office@example.org", "systems": [{"name": "main", "title": "Main"}],
    }  # fmt: skip


def _contract(subject: str, file: str, sha256: str, partitions: int) -> dict[str, Any]:
    return {
        "subject": subject, "title": subject, "description": "An event of a benchmark.", "owner": "An office",
        "contact": "office@example.org", "classification": "internal", "retention": "P7D",
        "compatibility": "BACKWARD_TRANSITIVE", "key": {"kind": "field", "path": "$.reference"},
        "partitions": partitions, "versions": [{"number": "1.0", "file": file, "sha256": sha256}],
    }  # fmt: skip


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
