"""Social security: a web form takes papers by day, a batch program writes CSV by night.

Like the civil registry it recognises a repeated paper by its reference; unlike it, it quotes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from connectors.demo.legacy.database import LegacyDatabase, Paper
from connectors.demo.legacy.night_job import PRINTED, NightJob
from connectors.demo.legacy.system import LegacySystem

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


class BenefitSystem(LegacySystem):
    """Keeps child allowances and employers."""

    name = "social-security"
    file = "benefits.db"
    repeats_by = frozenset({"reference"})
    schema = (
        f"CREATE TABLE allowances (id INTEGER PRIMARY KEY, {', '.join(ALLOWANCE)}, printed DEFAULT 0);"
        f"CREATE TABLE employers (id INTEGER PRIMARY KEY, {', '.join(EMPLOYER)}, printed DEFAULT 0);"
        f"{PRINTED}"
    )

    def make_night_jobs(self, folder: Path) -> Sequence[NightJob]:
        """Return the batch programs for allowances and employers."""
        return (
            NightJob(folder / "allowances", "allowances", "allowances", ALLOWANCE),
            NightJob(folder / "employers", "employers", "employers", EMPLOYER),
        )

    def work(self, database: LegacyDatabase, paper: Paper, random: Random) -> None:
        """Grant an allowance, or enrol an employer."""
        now = datetime.now(UTC)
        if paper.form == "allowances":
            given = {name: paper.fields.get(name, "") for name in ALLOWANCE}
            drawn = {
                "payee": random.choice(PAYEES),  # from its own citizens' file; the event has no name
                "cents": random.choice((25_000, 25_900, 28_050)),
                "method": random.choice("BPM"),
                "first_month": now.strftime("%Y-%m"),
            }
            database.insert("allowances", {**given, **drawn, "granted": now.strftime("%d.%m.%Y")})
        else:
            given = {name: paper.fields.get(name, "") for name in EMPLOYER}
            drawn = {
                "account_no": f"E{random.randrange(10**7):07d}",
                "employees": random.choice((0, 1, 3, 12, 250)),
                "risk": random.choice("abcd"),
            }
            database.insert("employers", {**given, **drawn, "enrolled": now.strftime("%d.%m.%Y")})
