"""Social security: a web form takes papers by day, a batch program writes CSV by night.

Like the civil registry it tells a paper handed in twice by its reference; unlike it, it knows quoting.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import ClassVar

from connectors.demo.legacy.ledger import Ledger, Mark, Paper
from connectors.demo.legacy.night_job import PRINTED, NightJob

__all__ = ["BenefitSystem"]

ALLOWANCE = ("reference", "external_ref", "tax_no", "payee", "cents", "method", "first_month", "granted")
EMPLOYER = ("reference", "external_ref", "account_no", "trade_name", "employees", "risk", "enrolled")
PAYEES = (
    "Γιαννούλα Αμπελοκήπη",
    "O'Quince; Null",
    'Lou "Ace" Quote',
    "नदीवाल ओंकार",
    "נועם הררי",
    "Sto. Niño",
)


class BenefitSystem:
    """Keeps child allowances and employers; see `System`."""

    name: ClassVar[str] = "social-security"
    books: ClassVar[str] = "benefits.db"
    tells_repeats_by: ClassVar[frozenset[Mark]] = frozenset({"reference"})
    schema: ClassVar[str] = (
        f"CREATE TABLE allowances (id INTEGER PRIMARY KEY, {', '.join(ALLOWANCE)}, printed DEFAULT 0);"
        f"CREATE TABLE employers (id INTEGER PRIMARY KEY, {', '.join(EMPLOYER)}, printed DEFAULT 0);"
        f"{PRINTED}"
    )

    def __init__(self, folder: Path) -> None:
        self._jobs = (
            NightJob(folder / "allowances", "allowances", "allowances", ALLOWANCE),
            NightJob(folder / "employers", "employers", "employers", EMPLOYER),
        )

    def enter(self, ledger: Ledger, paper: Paper) -> bool:  # noqa: ARG002 - nobody stands at this counter
        """Take nothing: no service starts here."""
        return False

    def work(self, ledger: Ledger, paper: Paper, random: Random) -> None:
        """Grant an allowance, or enrol an employer."""
        now = datetime.now(UTC)
        if paper.form == "allowances":
            given = {name: paper.fields.get(name, "") for name in ALLOWANCE}
            drawn = {
                "payee": random.choice(PAYEES),  # from its own citizens' file: nobody tells it names
                "cents": random.choice((25_000, 25_900, 28_050)),
                "method": random.choice("BPM"),
                "first_month": now.strftime("%Y-%m"),
            }
            ledger.insert("allowances", {**given, **drawn, "granted": now.strftime("%d.%m.%Y")})
        else:
            given = {name: paper.fields.get(name, "") for name in EMPLOYER}
            drawn = {
                "account_no": f"E{random.randrange(10**7):07d}",
                "employees": random.choice((0, 1, 3, 12, 250)),
                "risk": random.choice("abcd"),
            }
            ledger.insert("employers", {**given, **drawn, "enrolled": now.strftime("%d.%m.%Y")})

    def run_night_job(self, ledger: Ledger) -> None:
        """Drop the files of allowances and of employers."""
        for job in self._jobs:
            job.run(ledger)
