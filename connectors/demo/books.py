"""Reads the books of the five legacy systems, as an auditor would: read-only, and nothing of the bus."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from connectors.demo.cases import BIRTH, BUSINESS, MOVE
from connectors.demo.check import Effect, Submission

__all__ = ["BOOKS", "Books", "Calls", "read_books"]

BOOKS: Mapping[str, str] = {
    "civil-registry": "day-book.db",
    "health": "patients.db",
    "municipality": "town-hall.sqlite",
    "social-security": "benefits.db",
    "tax": "TAXREG.DB",
}


@dataclass(frozen=True, slots=True)
class _Page:
    """Where the books of an agency have one kind of fact."""

    name: str
    agency: str
    table: str
    reference: str
    number: str = "id"


STARTS = (
    _Page(BIRTH, "civil-registry", "births", "reference"),
    _Page(BUSINESS, "tax", "BUSINESS", "FILE_REF", "BUS_NO"),
    _Page(MOVE, "municipality", "relocation", "dossier", "seq"),
)
EFFECTS = (
    _Page("health.record-opened", "health", "patient", "reference", "patient_id"),
    _Page("health.practice-reassigned", "health", "practice_change", "reference", "change_id"),
    _Page("tax.taxpayer-number-assigned", "tax", "TAXPAYER", "FILE_REF", "TP_NO"),
    _Page("tax.address-updated", "tax", "ADDRESS_HIST", "FILE_REF", "ADR_NO"),
    _Page("social-security.child-allowance-granted", "social-security", "allowances", "reference"),
    _Page("social-security.employer-enrolled", "social-security", "employers", "reference"),
    _Page("municipality.business-permit-issued", "municipality", "permit", "dossier", "seq"),
    _Page("civil-registry.address-changed", "civil-registry", "changes", "reference"),
)
PRINTING = ("civil-registry", "social-security")


@dataclass(frozen=True, slots=True)
class Calls:
    """How often other agencies called an intake.

    Attributes:
        agency: Whose intake.
        taken: New calls.
        repeated: Calls made before, which were answered and not worked on again.
    """

    agency: str
    taken: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Books:
    """What is in all books at one moment.

    Attributes:
        submissions: The cases in the start systems.
        effects: The facts in the receiving systems; one that is there twice is here twice.
        calls: The intakes' calls.
        places: The case behind each place a record can come from: `(agency, file, line)` of a printed line
            and `(agency, table, number)` of a row.
    """

    submissions: tuple[Submission, ...]
    effects: tuple[Effect, ...]
    calls: tuple[Calls, ...]
    places: Mapping[tuple[str, str, str], str]


def read_books(folder: Path) -> Books:
    """Return what the books under a folder hold now.

    Raises:
        sqlite3.Error: Books are missing or damaged.
    """
    submissions: list[Submission] = []
    effects: list[Effect] = []
    calls: list[Calls] = []
    places: dict[tuple[str, str, str], str] = {}
    for agency, file in BOOKS.items():
        address = f"{(folder / agency / file).as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=5.0)) as books:
            for page in (page for page in (*STARTS, *EFFECTS) if page.agency == agency):
                query = f"SELECT {page.number}, {page.reference} FROM {page.table}"  # noqa: S608 - our own words
                for number, reference in books.execute(query):
                    places[agency, page.table, str(number)] = reference
                    if page in STARTS:
                        submissions.append(Submission(page.name, reference))
                    else:
                        effects.append(Effect(page.name, reference))
            if agency in PRINTING:
                printed = books.execute("SELECT file, line, reference FROM printed")
                places |= {(agency, name, str(line)): reference for name, line, reference in printed}
            taken, repeated = books.execute("SELECT TOTAL(taken), TOTAL(1 - taken) FROM calls").fetchone()
            calls.append(Calls(agency, int(taken), int(repeated)))
    return Books(tuple(submissions), tuple(effects), tuple(calls), places)
