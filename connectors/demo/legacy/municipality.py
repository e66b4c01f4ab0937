"""The municipality: a register that names and numbers everything its own way, with an intake for permits."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import ClassVar

from connectors.demo.legacy.ledger import Ledger, Mark, Paper

__all__ = ["MunicipalRegister"]

PLACE = {"Line": "line", "Postcode": "postal_code", "Town": "town"}


class MunicipalRegister:
    """Keeps who moves and who may trade; see `System`."""

    name: ClassVar[str] = "municipality"
    books: ClassVar[str] = "town-hall.sqlite"
    tells_repeats_by: ClassVar[frozenset[Mark]] = frozenset({"key"})
    schema: ClassVar[str] = """
    CREATE TABLE relocation (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        dossier TEXT, fullName TEXT, household INTEGER, via TEXT, movedOn TEXT,
        fromLine TEXT, fromPostcode TEXT, fromTown TEXT, toLine TEXT, toPostcode TEXT, toTown TEXT);
    CREATE TABLE permit (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        dossier TEXT, foreignRef TEXT, permitNo TEXT, activity TEXT, siteLine TEXT,
        sitePostcode TEXT, siteTown TEXT, validFrom TEXT);
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enter(self, ledger: Ledger, paper: Paper) -> bool:
        """Register a move."""
        given = paper.fields
        if ledger.rows("SELECT 1 FROM relocation WHERE dossier = ?", given["reference"]):
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
        ledger.insert("relocation", row)
        return True

    def work(self, ledger: Ledger, paper: Paper, random: Random) -> None:
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
        ledger.insert("permit", row)

    def run_night_job(self, ledger: Ledger) -> None:
        """Sleep: the town hall is closed."""
