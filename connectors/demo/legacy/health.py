"""The health service: a patient system with a JSON intake and a database of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import ClassVar

from connectors.demo.legacy.ledger import Ledger, Mark, Paper

__all__ = ["PatientSystem"]

PRACTICES = ("Practice at the Mill", "Kinderärzte Süd", "Ιατρείο Ελιά", "عيادة الزهور", "Dr. Null & Partners")


class PatientSystem:
    """Keeps patients and who cares for them; see `System`."""

    name: ClassVar[str] = "health"
    books: ClassVar[str] = "patients.db"
    tells_repeats_by: ClassVar[frozenset[Mark]] = frozenset({"key", "reference"})
    schema: ClassVar[str] = """
    CREATE TABLE patient (
        patient_id INTEGER PRIMARY KEY AUTOINCREMENT,
        reference TEXT, external_ref TEXT, record_number TEXT,
        full_name TEXT, birth_date TEXT, practice TEXT, plan TEXT, opened_at TEXT);
    CREATE TABLE practice_change (
        change_id INTEGER PRIMARY KEY AUTOINCREMENT,
        reference TEXT, external_ref TEXT, record_number TEXT,
        postal_code TEXT, old_practice TEXT, new_practice TEXT, changed_at TEXT);
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def enter(self, ledger: Ledger, paper: Paper) -> bool:  # noqa: ARG002 - nobody stands at this counter
        """Take nothing: no service starts here."""
        return False

    def work(self, ledger: Ledger, paper: Paper, random: Random) -> None:
        """Open a patient's record, or give a patient a practice near home."""
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        given = paper.fields
        row = {
            "reference": given["reference"],
            "external_ref": given.get("external_ref", ""),
            "record_number": f"HR-{random.randrange(10**8):08d}",
        }
        if paper.form == "patients":
            known = {name: given.get(name, "") for name in ("full_name", "birth_date")}
            drawn = {"practice": random.choice(PRACTICES), "plan": random.choice("SEI")}
            ledger.insert("patient", {**row, **known, **drawn, "opened_at": now})
        else:
            old, new = random.sample(PRACTICES, 2)
            practices = {"old_practice": old, "new_practice": new}
            postal_code = given.get("postal_code", "")
            ledger.insert(
                "practice_change", {**row, **practices, "postal_code": postal_code, "changed_at": now}
            )

    def run_night_job(self, ledger: Ledger) -> None:
        """Sleep: this system has no batch program."""
