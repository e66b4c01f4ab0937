"""A catalogue of two agencies made for one test; its names are its own, so tests share a broker in peace."""

import hashlib
import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from contracts import Catalog

MAX_BYTES = 2048
CONSONANTS = "bcdfghjklmnpqrstvwxz"
"""A name of these holds no word and no number that a test may look for in what was said."""


class SmallCountry:
    """Two agencies, `north` and `south`; a case is opened by one and closed by the other.

    Each is granted to read all that the other publishes, to close cases and to tell the citizen.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        mark = "".join(random.SystemRandom().choices(CONSONANTS, k=8))
        self.north, self.south = f"north-{mark}", f"south-{mark}"
        self.opened, self.closed = f"{self.north}.case-opened", f"{self.south}.case-closed"
        for agency in (self.north, self.south):
            _write(folder / "agencies" / agency / "agency.yaml", _agency(agency))
        later = {**_schema(), "properties": {**_schema()["properties"], "note": {"type": "string"}}}
        self._contract(folder, self.opened, {"1.0": _schema(), "1.1": later})
        self._contract(folder, self.closed, {"1.0": _schema()})
        self.grant(self.south, self.opened, "close-cases")
        self.grant(self.north, self.closed, "tell-the-citizen")
        (folder / "services").mkdir()
        _write(folder / "services" / "one-case.yaml", self._service())
        self.catalog = Catalog.open(folder)

    def grant(self, consumer: str, subject: str, purpose: str, **said: Any) -> Path:
        """Write the document by which an agency may read all of an event; return its file.

        Args:
            consumer: The agency.
            subject: The event.
            purpose: What for; another one of the same event, or another `name`, is another document.
            **said: What else the document says, or says otherwise.
        """
        file = (
            self.folder
            / "agencies"
            / consumer
            / "subscriptions"
            / f"{subject}.{said.get('name', purpose)}.yaml"
        )
        file.parent.mkdir(exist_ok=True)
        _write(file, {**_grant(subject, purpose), **said})
        return file

    def withdraw(self) -> None:
        """Remove all grants, as of a country that has none yet."""
        for agency in (self.north, self.south):
            shutil.rmtree(self.folder / "agencies" / agency / "subscriptions", ignore_errors=True)
        self.catalog = Catalog.open(self.folder)

    def mark_personal(self, *paths: str) -> None:
        """Mark fields of opened cases as personal data."""
        place = self.folder / "agencies" / self.north / "case-opened" / "contract.yaml"
        marks = {
            "classification": "personal", "legal_basis": "An act", "other_fields": "internal",
            "personal_fields": dict.fromkeys(paths, "name"),
        }  # fmt: skip
        _write(place, {**yaml.safe_load(place.read_text()), **marks})
        self.catalog = Catalog.open(self.folder)

    @property
    def topic(self) -> str:
        """Where opened cases lie."""
        return f"{self.opened}.v1"

    def _contract(
        self,
        folder: Path,
        subject: str,
        schemas: dict[str, dict[str, Any]],
        said: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
    ) -> None:
        agency, event = subject.split(".")
        place = folder / "agencies" / agency / event
        place.mkdir(parents=True, exist_ok=True)
        versions = []
        for number, schema in schemas.items():
            file = place / f"v{number}.json"
            file.write_text(json.dumps(schema))
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            versions.append({"number": number, "file": file.name, "sha256": digest, **said.get(number, {})})
        _write(place / "contract.yaml", _contract(subject, versions))

    def _service(self) -> dict[str, Any]:
        return {
            "name": "one-case", "title": "One case", "description": "Opened here, closed there.",
            "category": "submit-change-of-address", "owner": self.north, "start": self.opened,
            "milestones": [{"event": self.closed, "after": self.opened, "deadline": "P1D"}],
            "ends": [self.closed], "deadline": "P2D", "channels": ["web"],
        }  # fmt: skip


def case(number: int = 1, reference: str = "case-0001", **more: Any) -> dict[str, Any]:
    """Return data that keeps the contract."""
    return {"reference": reference, "number": number, **more}


def _grant(subject: str, purpose: str) -> dict[str, Any]:
    return {
        "subject": subject, "version": 1, "purpose": purpose, "fields": ["$"],
        "approved_by": "An office", "approved_on": "2026-01-01", "expires": "2999-12-31",
    }  # fmt: skip


def _agency(name: str) -> dict[str, Any]:
    return {
        "name": name, "title": name, "description": "An agency of a test.", "level": "national",
        "contact": "office@example.org", "systems": [{"name": "main", "title": "Main"}],
    }  # fmt: skip


def _schema() -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "reference": {"type": "string", "minLength": 8, "maxLength": 64},
            "number": {"type": "integer"},
            "padding": {"type": "string"},
            "half": {"type": ["number", "null"]},
        },
        "required": ["reference", "number"],
        "additionalProperties": False,
    }


def _contract(subject: str, versions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "subject": subject, "title": subject, "description": "An event of a test.", "owner": "An office",
        "contact": "office@example.org", "classification": "internal", "retention": "P7D",
        "compatibility": "BACKWARD_TRANSITIVE", "key": {"kind": "field", "path": "$.reference"},
        "max_bytes": MAX_BYTES, "versions": versions,
    }  # fmt: skip


def _write(path: Path, document: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
