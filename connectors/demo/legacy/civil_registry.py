"""The civil registry: a day book, a batch program that drops CSV files, and a web form for changed addresses.

Its files are separated by semicolons and never quoted, dates read dd.mm.yyyy in local time.
It does not know `Idempotency-Key` and recognises a repeated paper by its reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

from connectors.demo.legacy.database import LegacyDatabase, Paper
from connectors.demo.legacy.night_job import PRINTED, NightJob
from connectors.demo.legacy.system import LegacySystem

__all__ = ["CivilRegistry"]

HERE = timezone(timedelta(hours=13))  # where it is tomorrow for half of the day

BIRTH = ("reference", "child", "sex", "born_on", "born_at", "parent", "place", "office", "entered_at")
CHANGE = (
    "reference",
    "external_ref",
    "entry_no",
    "line",
    "postal_code",
    "town",
    "valid_from",
    "changed_at",
    "office",
)


class CivilRegistry(LegacySystem):
    """Keeps births and addresses."""

    name = "civil-registry"
    file = "day-book.db"
    repeats_by = frozenset({"reference"})
    schema = (
        f"CREATE TABLE births (id INTEGER PRIMARY KEY, {', '.join(BIRTH)}, printed DEFAULT 0);"
        f"CREATE TABLE changes (id INTEGER PRIMARY KEY, {', '.join(CHANGE)}, printed DEFAULT 0);"
        f"{PRINTED}"
    )

    def make_night_jobs(self, folder: Path) -> Sequence[NightJob]:
        """Return the batch programs for births and changed addresses."""
        return (
            NightJob(
                folder / "births", "births", "births", BIRTH, quotes=False, doubles_every=9, reruns_every=4
            ),
            NightJob(folder / "changes", "changes", "changes", CHANGE, quotes=False),
        )

    def enter(self, database: LegacyDatabase, paper: Paper) -> bool:
        """Register a birth."""
        if database.rows("SELECT 1 FROM births WHERE reference = ?", paper.fields["reference"]):
            return False
        row = {name: paper.fields.get(name, "") for name in BIRTH}
        database.insert("births", {**row, "entered_at": _now()})
        return True

    def work(self, database: LegacyDatabase, paper: Paper, random: Random) -> None:
        """Register a changed address."""
        row = {name: paper.fields.get(name, "") for name in CHANGE}
        drawn = {"entry_no": f"R{random.randrange(10**9):09d}", "office": f"CR-{random.randrange(1_000):03d}"}
        database.insert("changes", {**row, **drawn, "changed_at": _now()})


def _now() -> str:
    return datetime.now(HERE).strftime("%d.%m.%Y %H:%M:%S %z")
