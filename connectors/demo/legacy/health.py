"""The health service: a patient system with a JSON intake and a database of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

from connectors.demo.legacy.database import LegacyDatabase, Paper
from connectors.demo.legacy.system import LegacySystem

__all__ = ["PatientSystem"]

PRACTICES = ("Practice at the Mill", "Kinderärzte Süd", "Ιατρείο Ελιά", "عيادة الزهور", "Dr. Null & Partners")


class PatientSystem(LegacySystem):
    """Keeps patients and their practices."""

    name = "health"
    file = "patients.db"
    repeats_by = frozenset({"key", "reference"})
    schema = """
    CREATE TABLE patient (
        patient_id INTEGER PRIMARY KEY AUTOINCREMENT,
        reference TEXT, external_ref TEXT, record_number TEXT,
        full_name TEXT, birth_date TEXT, practice TEXT, plan TEXT, opened_at TEXT);
    CREATE TABLE practice_change (
        change_id INTEGER PRIMARY KEY AUTOINCREMENT,
        reference TEXT, external_ref TEXT, record_number TEXT,
        postal_code TEXT, old_practice TEXT, new_practice TEXT, changed_at TEXT);
    """

    def work(self, database: LegacyDatabase, paper: Paper, random: Random) -> None:
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
            database.insert("patient", {**row, **known, **drawn, "opened_at": now})
        else:
            old, new = random.sample(PRACTICES, 2)
            practices = {"old_practice": old, "new_practice": new}
            postal_code = given.get("postal_code", "")
            database.insert(
                "practice_change", {**row, **practices, "postal_code": postal_code, "changed_at": now}
            )
