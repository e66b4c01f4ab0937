"""The civil registry: a day book, a batch program that drops CSV files, and a web form for changed addresses.

Its files are separated by semicolons and never quoted, dates read dd.mm.yyyy
in the registry's own time of day, and it has never heard of an
`Idempotency-Key`: it tells a paper handed in twice by its reference.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import ClassVar

from connectors.demo.legacy.ledger import Ledger, Mark, Paper
from connectors.demo.legacy.night_job import PRINTED, NightJob

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


class CivilRegistry:
    """Keeps births and addresses; see `System`."""

    name: ClassVar[str] = "civil-registry"
    books: ClassVar[str] = "day-book.db"
    tells_repeats_by: ClassVar[frozenset[Mark]] = frozenset({"reference"})
    schema: ClassVar[str] = (
        f"CREATE TABLE births (id INTEGER PRIMARY KEY, {', '.join(BIRTH)}, printed DEFAULT 0);"
        f"CREATE TABLE changes (id INTEGER PRIMARY KEY, {', '.join(CHANGE)}, printed DEFAULT 0);"
        f"{PRINTED}"
    )

    def __init__(self, folder: Path) -> None:
        self._jobs = (
            NightJob(
                folder / "births", "births", "births", BIRTH, quotes=False, doubles_every=9, reruns_every=4
            ),
            NightJob(folder / "changes", "changes", "changes", CHANGE, quotes=False),
        )

    def enter(self, ledger: Ledger, paper: Paper) -> bool:
        """Write down a birth."""
        if ledger.rows("SELECT 1 FROM births WHERE reference = ?", paper.fields["reference"]):
            return False
        row = {name: paper.fields.get(name, "") for name in BIRTH}
        ledger.insert("births", {**row, "entered_at": _now()})
        return True

    def work(self, ledger: Ledger, paper: Paper, random: Random) -> None:
        """Write down a changed address."""
        row = {name: paper.fields.get(name, "") for name in CHANGE}
        drawn = {"entry_no": f"R{random.randrange(10**9):09d}", "office": f"CR-{random.randrange(1_000):03d}"}
        ledger.insert("changes", {**row, **drawn, "changed_at": _now()})

    def run_night_job(self, ledger: Ledger) -> None:
        """Drop the files of births and of changed addresses."""
        for job in self._jobs:
            job.run(ledger)


def _now() -> str:
    return datetime.now(HERE).strftime("%d.%m.%Y %H:%M:%S %z")
