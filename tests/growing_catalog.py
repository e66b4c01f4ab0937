"""A small country one of whose events has grown: a minor version, then a major one with both conversions."""

import json
from pathlib import Path
from typing import Any

from contracts import Catalog
from tests.small_catalog import SmallCountry

UP = {
    "reference": {"$eval": "event.reference"},
    "count": {"$eval": "event.number"},
    "note": {"$if": "'note' in event", "then": {"text": {"$eval": "event.note"}}},
}
DOWN = {
    "reference": {"$eval": "event.reference"},
    "number": {"$eval": "event.count"},
    "note": {"$if": "'note' in event", "then": {"$eval": "event.note.text"}},
}


class GrowingCountry(SmallCountry):
    """`moved` is in versions 1.0, 1.1 (a note that may be absent) and 2.0 (a count, a note with a text).

    Its conversions have gaps on purpose: 2.0 takes no number above 100, 1.1 no note of more than 64 letters.

    Args:
        folder: where its catalogue is written.
        sunset: the last day of version 1.
    """

    def __init__(self, folder: Path, sunset: str = "2999-12-31") -> None:
        super().__init__(folder)
        self.moved = f"{self.north}.case-moved"
        first, second, third = _schemas()
        self._contract(folder, self.moved, {"1.0": first})
        self.grant(self.south, self.moved, "follow-moves")
        self.before = Catalog.open(folder)
        self.grant(self.south, self.moved, "follow-later-moves", version=2)
        place = folder / "agencies" / self.north / "case-moved"
        (place / "up.json").write_text(json.dumps(UP))
        (place / "down.json").write_text(json.dumps(DOWN))
        leaving = {"deprecated": True, "sunset": sunset}
        conversions = {
            "upcast": {"from": "1.1", "file": "up.json"},
            "downcast": {"to": "1.1", "file": "down.json"},
        }
        self._contract(
            folder,
            self.moved,
            {"1.0": first, "1.1": second, "2.0": third},
            {"1.0": leaving, "1.1": leaving, "2.0": conversions},
        )
        self.catalog = Catalog.open(folder)


def _schemas() -> tuple[dict[str, Any], ...]:
    text = {"type": "string", "maxLength": 64}
    number = {"type": "integer", "minimum": -1000, "maximum": 1000}
    small = {"type": "integer", "minimum": -1000, "maximum": 100}
    longer = {"type": "string", "maxLength": 80}
    note = {"type": "object", "properties": {"text": longer}, "required": ["text"]}
    first = _object(["reference", "number"], reference=text, number=number)
    second = _object(["reference", "number"], reference=text, number=number, note=text)
    third = _object(["reference", "count"], reference=text, count=small, note=note)
    return first, second, third


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "type": "object", "properties": properties, "required": required}
