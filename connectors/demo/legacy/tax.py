"""The tax office: a register from the days of capital letters, integer keys and YYYYMMDD dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random

from connectors.demo.legacy.database import LegacyDatabase, Paper
from connectors.demo.legacy.system import LegacySystem

__all__ = ["TaxRegister"]

LEGAL_FORMS = {
    "sole-trader": 10,
    "partnership": 20,
    "limited-company": 31,
    "cooperative": 40,
    "association": 52,
}
OFFICES = ("Tax Office North", "Finanzamt Süd", "Податкова інспекція 4")


class TaxRegister(LegacySystem):
    """Keeps taxpayers, businesses and their addresses."""

    name = "tax"
    file = "TAXREG.DB"
    repeats_by = frozenset({"key", "reference"})
    schema = """
    CREATE TABLE BUSINESS (
        BUS_NO INTEGER PRIMARY KEY AUTOINCREMENT,
        FILE_REF TEXT, TRADE_NAME TEXT, LEGAL_FORM INTEGER, ACTIVITY TEXT,
        OWNER TEXT, ADR_LINE TEXT, ZIP TEXT, CITY TEXT, REG_DATE TEXT);
    CREATE TABLE TAXPAYER (
        TP_NO INTEGER PRIMARY KEY AUTOINCREMENT,
        FILE_REF TEXT, EXT_REF TEXT, TAX_NO TEXT, OFFICE TEXT, NAME TEXT,
        BORN TEXT, ASSIGNED TEXT);
    CREATE TABLE ADDRESS_HIST (
        ADR_NO INTEGER PRIMARY KEY AUTOINCREMENT,
        FILE_REF TEXT, EXT_REF TEXT, TAX_NO TEXT, OFFICE TEXT, MOVED INTEGER,
        ADR_LINE TEXT, ZIP TEXT, CITY TEXT, VALID_FROM TEXT);
    """

    def enter(self, database: LegacyDatabase, paper: Paper) -> bool:
        """Register a business."""
        given = paper.fields
        if database.rows("SELECT 1 FROM BUSINESS WHERE FILE_REF = ?", given["reference"]):
            return False
        row: dict[str, object] = {
            "FILE_REF": given["reference"],
            "TRADE_NAME": given.get("name", ""),
            "LEGAL_FORM": LEGAL_FORMS.get(given.get("legal_form", ""), 99),
            "ACTIVITY": given.get("activity", ""),
            "OWNER": given.get("owner", ""),
            "REG_DATE": given.get("registered_on", ""),
            **_address(given),
        }
        database.insert("BUSINESS", row)
        return True

    def work(self, database: LegacyDatabase, paper: Paper, random: Random) -> None:
        """Give a child a taxpayer's number, or a taxpayer a new address."""
        given = paper.fields
        today = datetime.now(UTC).strftime("%Y%m%d")
        area, serial = divmod(random.randrange(10**7), 10**4)
        row = {
            "FILE_REF": given["reference"],
            "EXT_REF": given.get("external_ref", ""),
            "TAX_NO": f"{random.randrange(1_000):03d}-{area:03d}-{serial:04d}",
            "OFFICE": random.choice(OFFICES),
        }
        if paper.form == "taxpayers":
            person = {"NAME": given.get("name", ""), "BORN": given.get("born", "")}
            database.insert("TAXPAYER", {**row, **person, "ASSIGNED": today})
        else:
            since = given.get("valid_from", "").replace("-", "") or today
            moved = random.randrange(2)
            database.insert("ADDRESS_HIST", {**row, **_address(given), "MOVED": moved, "VALID_FROM": since})


def _address(given: Mapping[str, str]) -> dict[str, object]:
    names = {"ADR_LINE": "line", "ZIP": "postal_code", "CITY": "town"}
    return {column: given.get(name, "") for column, name in names.items()}
