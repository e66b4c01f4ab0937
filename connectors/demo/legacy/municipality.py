"""The municipality: a register with names and numbers of its own, and an intake for permits."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from connectors.demo.legacy.database import LegacyDatabase, Paper
from connectors.demo.legacy.system import LegacySystem

__all__ = ["MunicipalRegister"]

PLACE = {"Line": "line", "Postcode": "postal_code", "Town": "town"}


class MunicipalRegister(LegacySystem):
    """Keeps moves and business permits."""

    name = "municipality"
    file = "town-hall.sqlite"
    repeats_by = frozenset({"key"})
    schema = """
    CREATE TABLE relocation (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        dossier TEXT, fullName TEXT, household INTEGER, via TEXT, movedOn TEXT,
        fromLine TEXT, fromPostcode TEXT, fromTown TEXT, toLine TEXT, toPostcode TEXT, toTown TEXT);
    CREATE TABLE permit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        dossier TEXT, foreignRef TEXT, permitNo TEXT, activity TEXT, siteLine TEXT,
        sitePostcode TEXT, siteTown TEXT, validFrom TEXT);
    """

    def enter(self, database: LegacyDatabase, paper: Paper) -> bool:
        """Register a move."""
        given = paper.fields
        if database.rows("SELECT 1 FROM relocation WHERE dossier = ?", given["reference"]):
            return False
        row = {
            "dossier": given["reference"],
            "fullName": given.get("person", ""),
            "household": int(given.get("household", "1")),
            "via": given.get("channel", ""),
            "movedOn": given.get("moved_on", ""),
            **{f"from{name}": given.get(f"old_{field}", "") for name, field in PLACE.items()},
            **{f"to{name}": given.get(field, "") for name, field in PLACE.items()},
        }
        database.insert("relocation", row)
        return True

    def work(self, database: LegacyDatabase, paper: Paper, random: Random) -> None:
        """Issue a permit to trade."""
        now = datetime.now(UTC)
        row = {
            "dossier": paper.fields["reference"],
            "foreignRef": paper.fields.get("external_ref", ""),
            "permitNo": f"P{now.year}/{random.randrange(10**6):06d}",
            "activity": paper.fields.get("activity", ""),
            **{f"site{name}": paper.fields.get(field, "") for name, field in PLACE.items()},
            "validFrom": now.date().isoformat(),
        }
        database.insert("permit", row)
