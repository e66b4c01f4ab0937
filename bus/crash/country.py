"""Two agencies made for a crash run: the north opens cases, the south takes them."""

import hashlib
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from contracts import Catalog

_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"reference": {"type": "string", "maxLength": 64}, "number": {"type": "integer"}},
    "required": ["reference", "number"],
    "additionalProperties": False,
}


class Country:
    """A catalogue under names of its own, so that runs share a broker in peace.

    Args:
        folder: an empty folder for the catalogue.
    """

    def __init__(self, folder: Path) -> None:
        mark = uuid4().hex[:8]
        self.folder = folder
        self.north, self.south = f"north-{mark}", f"south-{mark}"
        self.opened, self.closed = f"{self.north}.case-opened", f"{self.south}.case-closed"
        for subject in (self.opened, self.closed):
            _write_agency(folder, subject)
        self.catalog = Catalog.open(folder)


def _write_agency(folder: Path, subject: str) -> None:
    agency, event = subject.split(".")
    place = folder / "agencies" / agency / event
    place.mkdir(parents=True)
    schema = json.dumps(_SCHEMA).encode()
    (place / "v1.0.json").write_bytes(schema)
    version = {"number": "1.0", "file": "v1.0.json", "sha256": hashlib.sha256(schema).hexdigest()}
    contract = {
        "subject": subject, "title": subject, "description": "An event of a crash run.", "owner": "An office",
        "contact": "office@example.org", "classification": "internal", "retention": "P1D",
        "compatibility": "BACKWARD", "key": {"kind": "field", "path": "$.reference"}, "versions": [version],
    }  # fmt: skip
    owner = {
        "name": agency, "title": agency, "description": "An agency of a crash run.", "level": "national",
        "contact": "office@example.org", "systems": [{"name": "main", "title": "Main"}],
    }  # fmt: skip
    (place / "contract.yaml").write_text(yaml.safe_dump(contract))
    (place.parent / "agency.yaml").write_text(yaml.safe_dump(owner))
