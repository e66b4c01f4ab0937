"""The batch program of two of the systems: it writes new rows into a CSV file in a folder.

The file is written in place, without a temporary name, as such programs do. The program of the civil registry
does not quote: a semicolon in a name breaks its line. It prints some entries twice, and some nights are run
again, which writes the same lines into another file.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.demo.legacy.database import LegacyDatabase

__all__ = ["PRINTED", "NightJob"]

PRINTED = """
CREATE TABLE printed (
    id INTEGER PRIMARY KEY, file TEXT NOT NULL, line INTEGER NOT NULL, reference TEXT NOT NULL);
"""


@dataclass(slots=True)
class NightJob:
    """Prints the new rows of one table.

    Attributes:
        folder: Where the files go.
        stem: The beginning of a file's name.
        table: The table whose rows are printed; it has the columns `id`, `reference` and `printed`.
        columns: What is printed, in order.
        quotes: Whether the program quotes.
        doubles_every: Of so many rows, one is printed twice; 0: none.
        reruns_every: Of so many nights, one is run again; 0: none.
    """

    folder: Path
    stem: str
    table: str
    columns: Sequence[str]
    quotes: bool = True
    doubles_every: int = 0
    reruns_every: int = 0
    nights: int = 0
    rows: int = 0

    def run(self, database: LegacyDatabase) -> None:
        """Print the new rows, if any."""
        new = database.rows(f"SELECT * FROM {self.table} WHERE NOT printed ORDER BY id")  # noqa: S608 - our own word
        if not new:
            return
        self.nights += 1
        entries = [entry for row in new for entry in self._copies(row)]
        with database.writing():
            self._drop(database, f"{self.stem}-{self.nights:05d}.csv", entries)
            if self.reruns_every and self.nights % self.reruns_every == 0:
                self._drop(database, f"{self.stem}-{self.nights:05d}-rerun.csv", entries)
            database.run(f"UPDATE {self.table} SET printed = 1 WHERE id <= ?", new[-1]["id"])  # noqa: S608 - our own word

    def _copies(self, row: sqlite3.Row) -> list[sqlite3.Row]:
        self.rows += 1
        doubled = bool(self.doubles_every) and self.rows % self.doubles_every == 0
        return [row, row] if doubled else [row]

    def _drop(self, database: LegacyDatabase, name: str, entries: Sequence[sqlite3.Row]) -> None:
        lines = [self._line(self.columns)]
        for number, row in enumerate(entries, start=2):
            lines.append(self._line([str(row[column]) for column in self.columns]))
            database.run(
                "INSERT INTO printed (file, line, reference) VALUES (?, ?, ?)", name, number, row["reference"]
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text("".join(lines), encoding="utf-8", newline="")

    def _line(self, cells: Sequence[str]) -> str:
        if not self.quotes:
            return ";".join(cells) + "\r\n"
        line = io.StringIO()
        csv.writer(line, delimiter=";").writerow(cells)
        return line.getvalue()
